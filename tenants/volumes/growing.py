"""A member's volume becomes larger, whether a server has it or not; never smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace

from control_plane.admission.disk import take_disk
from control_plane.admission.leaving import refuse_leaving
from control_plane.admission.settle import settle
from control_plane.journal.volume_progress import VOLUME_GROW
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Operation
from control_plane.model.units import GiB
from control_plane.model.volume import Detaching, Volume
from control_plane.store import Store, Transaction
from tenants.asking import Asker, Keep
from tenants.volumes.asking import (
    find_volume,
    need_made,
    need_settled,
    need_standing,
    need_whole,
    operation,
    refuse,
    tell,
)
from tenants.volumes.volumes import expect


@dataclass(frozen=True, slots=True)
class Grown:
    """The volume before and with the size that it is to have, and the ledger from before."""

    before: Volume
    after: Volume
    ledger: Ledger
    operation: Operation


def grow(
    store: Store,
    named: str,
    size: GiB,
    asker: Asker,
    keep: Keep,
    *,
    expected: Generation | None = None,
    dry_run: bool = False,
) -> Grown:
    """To the size that it has: nothing is left to do. Raises `volume-not-found`, `volume-changed`,
    `volume-deleting`, `volume-not-ready`, `volume-cannot-shrink`, `volume-in-part`, `volume-detaching`,
    `quota-exceeded`, `storage-full`, and what `need_settled` raises."""
    with store.read() as snapshot:
        region = find_volume(snapshot, named, asker.tenant).region

    def decide(tx: Transaction) -> Grown:
        volume = expect(find_volume(tx, named, asker.tenant), expected)
        need_standing(volume)
        _need_larger(volume, size)
        begun = operation(VOLUME_GROW, volume, asker, size_gib=size)
        if size == volume.size:
            tx.put_operation(begun)
            keep(tx, begun)
            return Grown(volume, volume, tx.ledger(region), begun)
        _need_growable(tx, volume)
        ledger = take_disk(tx, region, volume.tenant, volume.storage, GiB(size - volume.size))
        tx.put_operation(begun)
        saved = tx.save_volume(replace(volume, size=size, growing=True))
        keep(tx, begun)
        tell(
            tx,
            asker,
            VOLUME_GROW,
            volume,
            (
                f"is to grow from {volume.size} to {size} GiB",
                f"を {volume.size} GiB から {size} GiB に拡張します",
            ),
            size_gib=size,
        )
        return Grown(volume, saved, ledger, begun)

    return settle(
        store, region, lambda _: None, lambda _: None, lambda tx, *_: decide(tx), dry_run=dry_run
    )


def _need_larger(volume: Volume, size: GiB) -> None:
    if size < volume.size:
        raise YuiError(
            "volume-cannot-shrink",
            en=f"Volume '{volume.name}' has {volume.size} GiB, and a disk can only grow: make a new volume of {size} GiB and copy what is on it.",
            ja=f"ボリューム「{volume.name}」は {volume.size} GiB です。ディスクは縮小できないため、{size} GiB のボリュームを新しく作成し、内容をコピーしてください。",
            status=409,
            fields={"volume": volume.id, "size_gib": volume.size, "wanted_gib": size},
        )


def _need_growable(tx: Transaction, volume: Volume) -> None:
    """Nothing changes about the server that has it: a disk that only grows harms nobody who decided before."""
    refuse_leaving(tx, volume.tenant)
    need_made(volume)
    if isinstance(volume.attachment, Detaching):
        raise refuse(
            volume,
            "volume-detaching",
            f"is still being let go of by server '{volume.server}': wait until it is available",
            f"はサーバー「{volume.server}」から切り離し中です。利用可能になるまでお待ちください",
        )
    if volume.server is not None:
        need_settled(tx, tx.server(volume.server))
    else:
        need_whole(volume)
