"""What members say of their volumes: names, words of their own, and that they be kept from deletion."""

from __future__ import annotations

from dataclasses import replace

from control_plane.model.volume import Volume
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.volumes.asking import need_free_name, need_standing, tell


def describe(
    tx: Transaction,
    volume: Volume,
    asker: Asker,
    *,
    name: str | None = None,
    description: str | None = None,
    labels: tuple[tuple[str, str], ...] | None = None,
) -> Volume:
    """What is None stays as it is. Raises `volume-deleting`, `volume-name-taken`."""
    wanted = replace(
        volume,
        name=volume.name if name is None else name,
        description=volume.description if description is None else description,
        labels=volume.labels if labels is None else labels,
    )
    if wanted == volume:
        return volume
    need_standing(volume)
    if wanted.name != volume.name:
        need_free_name(tx, wanted.name, volume.tenant)
    saved = tx.save_volume(wanted)
    tell(
        tx,
        asker,
        "volume.describe",
        saved,
        ("is described anew", "の名前や説明を変更しました"),
        before=volume.name,
    )
    return saved


def protect(tx: Transaction, volume: Volume, asker: Asker, *, protected: bool) -> Volume:
    """Raises `volume-deleting`."""
    if volume.protected is protected:
        return volume
    need_standing(volume)
    saved = tx.save_volume(replace(volume, protected=protected))
    tell(
        tx,
        asker,
        "volume.protect",
        volume,
        ("is protected against being deleted", "を削除から保護します")
        if protected
        else ("may be deleted again", "の削除保護を解除します"),
        protected=protected,
    )
    return saved
