"""What every driver promises of disks that are made from bytes, as tests that each driver passes unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from control_plane.drivers.backup_source import ROOT_DISK
from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    HostDriver,
    RunState,
    ServerSpec,
)
from tests.drivers.backup_contract import TwoHostsToReadFrom
from tests.drivers.contract import launch, state

_KIB = 1024
_BLOCK = 4096
_SIZE = 2**30
PIECES = (
    (0, b"\1" * (64 * _KIB)),
    # Not in order, not of whole clusters, across the border of two, and the very end.
    (600 * 2**20 + 100, b"\2" * (128 * _KIB)),
    (256 * _KIB, b"\3" * (4 * _KIB)),
    (260 * _KIB, b"\4" * (60 * _KIB)),
    (2**20, bytes(192 * _KIB)),
    (_SIZE - 512, b"\5" * 512),
)


def blocks_of(pieces: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """What is not zero, by the number of its block."""
    found: dict[int, bytearray] = {}
    for offset, data in pieces:
        for at in range(offset - offset % _BLOCK, offset + len(data), _BLOCK):
            begin, end = max(at, offset), min(at + _BLOCK, offset + len(data))
            block = found.setdefault(at // _BLOCK, bytearray(_BLOCK))
            block[begin - at : end - at] = data[begin - offset : end - offset]
    return {number: bytes(block) for number, block in found.items() if any(block)}


class BrokeOff(Exception):
    pass


def breaking_off() -> Iterator[tuple[int, bytes]]:
    yield PIECES[0]
    raise BrokeOff


def read_back(driver: HostDriver, spec: ServerSpec) -> dict[str, dict[int, bytes]]:
    with driver.open_backup(spec, checkpoint="read-back", since=None, quiesce=False) as source:
        return {disk.name: blocks_of(disk.stream(disk.extents(64 * _KIB))) for disk in source.disks}


class FillContract:
    def test_a_disk_holds_what_it_was_filled_with_and_nothing_else(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec, volume = hosts.spec(), hosts.data_volume()
        filled = replace(
            spec,
            volume=replace(spec.volume, build=3),
            data_volumes=(replace(volume, build=1),),
        )
        hosts.first.fill_disk(spec.id, filled.volume, iter(PIECES))
        hosts.first.fill_disk(None, filled.data_volumes[0], iter(PIECES[1:2]))
        hosts.second.ensure_volume(filled)
        hosts.second.ensure_data_volume(filled.data_volumes[0])
        found = read_back(hosts.second, filled)
        assert found[ROOT_DISK] == blocks_of(PIECES)
        assert found[volume.id] == blocks_of(PIECES[1:2])
        launch(hosts.second, filled)
        assert state(hosts.second, filled) is RunState.RUNNING

    def test_a_server_keeps_its_disk_while_another_build_is_filled(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        filled = replace(spec, volume=replace(spec.volume, build=1))
        hosts.second.fill_disk(spec.id, filled.volume, iter(PIECES))
        assert state(hosts.first, spec) is RunState.RUNNING
        with pytest.raises(DiskLocked):
            hosts.first.fill_disk(spec.id, spec.volume, iter(PIECES))
        with pytest.raises(DiskLocked):
            hosts.first.fill_disk(spec.id, filled.volume, iter(PIECES))
        with pytest.raises(DiskLocked):
            hosts.second.remove_build(spec.id, spec.volume)
        hosts.first.destroy(spec.id, spec.generation)
        hosts.first.ensure_volume(spec)
        launch(hosts.first, filled)
        for _ in range(2):
            hosts.second.remove_build(spec.id, spec.volume)
        assert state(hosts.first, filled) is RunState.RUNNING
        hosts.first.destroy(spec.id, spec.generation)
        assert read_back(hosts.first, filled)[ROOT_DISK] == blocks_of(PIECES)

    def test_what_breaks_off_leaves_nothing_and_is_nobodys_disk(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        filled = replace(spec, volume=replace(spec.volume, build=1))
        with pytest.raises(BrokeOff):
            hosts.first.fill_disk(spec.id, filled.volume, breaking_off())
        with pytest.raises(DriverError):
            hosts.first.fill_disk(
                spec.id, filled.volume, iter([(spec.volume.size * 2**30, b"beyond")])
            )

        def looked_at_meanwhile() -> Iterator[tuple[int, bytes]]:
            yield PIECES[0]
            with pytest.raises(DriverError):
                hosts.second.ensure_volume(filled)
            yield from PIECES[1:]

        hosts.first.fill_disk(spec.id, filled.volume, looked_at_meanwhile())
        hosts.second.ensure_volume(filled)
        assert read_back(hosts.second, filled)[ROOT_DISK] == blocks_of(PIECES)
