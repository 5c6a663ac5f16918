"""Volumes that grow at the same time never take more of a storage pool than it has."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.errors import YuiError
from control_plane.model.ids import VolumeId
from control_plane.model.units import GiB
from control_plane.model.volume import Volume
from control_plane.store import LostRace, Store
from tenants.asking import Asker
from tenants.volumes.growing import grow
from tests.store import samples
from tests.store.processes import opened

_VOLUMES = 4
_CAPACITY = 40
_NOW = datetime(2026, 4, 1, tzinfo=UTC)
_ASKER = Asker(Principal("user-1", "Sato", Role.OPERATOR, None), _NOW)


def furnish(store: Store) -> None:
    samples.furnish(store, capacity=_CAPACITY)
    with store.write() as tx:
        for number in range(_VOLUMES):
            tx.add_volume(
                Volume(
                    VolumeId(f"vol-{number}"), samples.tenant().code, samples.KYOTO, f"data-{number}",
                    GiB(1), samples.POOL, _NOW, made=True,
                )
            )  # fmt: skip


def grow_until_full(store: Store, number: int) -> int:
    """By 3 GiB at a time; how large it became."""
    size = 1
    while True:
        try:
            grow(store, f"vol-{number}", GiB(size + 3), _ASKER, lambda _, __: None)
        except LostRace:
            # Whoever was refused for the crowd asks again.
            continue
        except YuiError as refusal:
            if refusal.type != "storage-full":
                raise
            return size
        size += 3


def grow_all(stores: Sequence[Store]) -> None:
    with ThreadPoolExecutor(_VOLUMES) as threads:
        grown = threads.map(
            lambda number: grow_until_full(stores[number % len(stores)], number), range(_VOLUMES)
        )
        sizes = list(grown)
    # What is left is less than one more step.
    assert sum(sizes) == _CAPACITY
    with stores[0].read() as tx:
        assert [volume.size for volume in tx.volumes()] == sizes
        assert tx.ledger(samples.KYOTO).storage[samples.POOL].used == _CAPACITY


def test_threads_on_one_file(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/state.db") as store:
        furnish(store)
        grow_all([store])


@pytest.mark.postgresql
def test_two_control_planes_on_one_database(postgresql_url: str) -> None:
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        furnish(one)
        grow_all([one, other])
