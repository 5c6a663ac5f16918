"""What every driver promises of disks that lean on others, as tests that each driver passes unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from control_plane.drivers.backup_source import ROOT_DISK, Extent
from control_plane.drivers.disk_exports import DiskExports, ServedDisk
from control_plane.drivers.extents import aligned
from control_plane.drivers.protocol import (
    DiskLocked,
    DisksBusy,
    DriverError,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import Generation
from control_plane.model.units import GiB
from tests.drivers.backup_contract import TwoHostsToReadFrom
from tests.drivers.contract import launch, state
from tests.drivers.fill_contract import PIECES, blocks_of, read_back

_SIZE = 2**30
_CLUSTER = 64 * 1024
_BLOCK = 4096


def served(pieces: Iterable[tuple[int, bytes]]) -> ServedDisk:
    blocks: Mapping[int, bytes] = blocks_of(pieces)
    data = [Extent(number * _BLOCK, _BLOCK, True) for number in sorted(blocks)]
    told, at = [], 0
    for extent in data:
        told += [Extent(at, extent.offset - at, False), extent]
        at = extent.end
    told.append(Extent(at, _SIZE - at, False))

    def read(offset: int, length: int) -> bytes:
        first, last = offset // _BLOCK, (offset + length - 1) // _BLOCK
        whole = b"".join(blocks.get(n, bytes(_BLOCK)) for n in range(first, last + 1))
        return whole[offset - first * _BLOCK :][:length]

    return ServedDisk(_SIZE, tuple(aligned(told, _CLUSTER, _SIZE)), read)


def zeros(disk: ServedDisk) -> list[Extent]:
    return [each for each in disk.extents if not each.data]


ROOT, DATA = served(PIECES), served(PIECES[1:3])


class LeaningContract:
    def test_a_server_runs_from_what_is_elsewhere_and_has_all_of_it_in_the_end(
        self, hosts: TwoHostsToReadFrom, exports: DiskExports
    ) -> None:
        spec = _leaning(hosts, exports, "whole")
        volume = spec.data_volumes[0]
        with (
            exports.serve(spec.volume.backing or "", ROOT),
            exports.serve(volume.backing or "", DATA),
        ):
            hosts.first.lean_disk(spec.id, spec.volume, zeros(ROOT))
            hosts.first.lean_disk(None, volume, zeros(DATA))
            with pytest.raises(DiskLocked):
                hosts.second.lean_disk(spec.id, spec.volume, zeros(ROOT))
            launch(hosts.first, spec)
            for asked in (
                lambda: hosts.first.migrate(spec.id, hosts.second_endpoint),
                lambda: hosts.first.snapshot(spec, hosts.snapshot_of(spec)),
                lambda: read_back(hosts.first, spec),
                lambda: hosts.first.grow_volume(_larger(spec)),
                lambda: hosts.first.grow_data_volume(
                    replace(volume, size=GiB(volume.size + 1)), spec.id, spec.generation
                ),
            ):
                with pytest.raises(DisksBusy):
                    asked()
            hosts.second.define(spec)
            with pytest.raises(DiskLocked):
                hosts.second.start(spec.id)
            with pytest.raises(DriverError):
                hosts.second.copy_in(spec)
            hosts.second.undefine(spec.id, spec.generation)
            hosts.until(lambda: hosts.first.copy_in(spec).whole)
            assert state(hosts.first, spec) is RunState.RUNNING
        whole = _whole(spec)
        hosts.first.define(whole)
        # What is said to be there is on the disk, and not only in the hypervisor's memory.
        hosts.cut_off(spec)
        found = read_back(hosts.second, whole)
        # The guest may have written something beside it.
        assert found[ROOT_DISK].items() >= blocks_of(PIECES).items()
        assert found[volume.id] == blocks_of(PIECES[1:3])
        launch(hosts.second, whole)
        assert state(hosts.second, spec) is RunState.RUNNING

    def test_what_is_served_nowhere_is_no_disk_to_start_from(
        self, hosts: TwoHostsToReadFrom, exports: DiskExports
    ) -> None:
        spec = replace(_leaning(hosts, exports, "nowhere"), data_volumes=())
        with exports.serve(spec.volume.backing or "", ROOT):
            hosts.first.lean_disk(spec.id, spec.volume, zeros(ROOT))
        with pytest.raises(DriverError):
            launch(hosts.first, spec)
        assert state(hosts.first, spec) is RunState.STOPPED
        with exports.serve(spec.volume.backing or "", ROOT):
            launch(hosts.first, spec)
            hosts.cut_off(spec)
            launch(hosts.second, spec)
            hosts.until(lambda: hosts.second.copy_in(spec).whole)
        hosts.second.destroy(spec.id, spec.generation)
        found = read_back(hosts.first, _whole(spec))
        assert found[ROOT_DISK].items() >= blocks_of(PIECES).items()

    def test_a_stopped_server_is_copied_too_and_starts_whenever_it_is_to(
        self, hosts: TwoHostsToReadFrom, exports: DiskExports
    ) -> None:
        spec = replace(_leaning(hosts, exports, "stopped"), data_volumes=())
        with exports.serve(spec.volume.backing or "", ROOT):
            hosts.first.lean_disk(spec.id, spec.volume, zeros(ROOT))
            hosts.first.define(spec)
            hosts.until(lambda: hosts.first.copy_in(spec).whole)
        assert read_back(hosts.second, _whole(spec))[ROOT_DISK] == blocks_of(PIECES)
        again = replace(spec, volume=replace(spec.volume, build=4))
        with exports.serve(again.volume.backing or "", ROOT):
            hosts.first.lean_disk(again.id, again.volume, zeros(ROOT))
            hosts.first.define(again)
            hosts.first.copy_in(again)
            assert hosts.first.facts().foreign == ()
            hosts.first.start(spec.id)
            assert state(hosts.first, spec) is RunState.RUNNING

    def test_a_disk_that_leans_goes_like_any_other(
        self, hosts: TwoHostsToReadFrom, exports: DiskExports
    ) -> None:
        spec = replace(_leaning(hosts, exports, "goes"), data_volumes=())
        with exports.serve(spec.volume.backing or "", ROOT):
            hosts.first.lean_disk(spec.id, spec.volume, zeros(ROOT))
            launch(hosts.first, spec)
            with pytest.raises(DiskLocked):
                hosts.second.remove_build(spec.id, spec.volume)
            with pytest.raises(DiskLocked):
                hosts.second.remove_volume(spec.id, spec.volume)
        # Nobody serves it any more.
        with pytest.raises(DiskLocked):
            hosts.second.remove_build(spec.id, spec.volume)
        hosts.first.destroy(spec.id, spec.generation)
        hosts.first.undefine(spec.id, spec.generation)
        hosts.second.remove_volume(spec.id, spec.volume)
        hosts.first.fill_disk(spec.id, spec.volume, iter(PIECES))


def _leaning(hosts: TwoHostsToReadFrom, exports: DiskExports, name: str) -> ServerSpec:
    spec, volume = hosts.spec(), hosts.data_volume()
    return replace(
        spec,
        volume=replace(spec.volume, build=3, backing=exports.place(f"{name}-root")),
        data_volumes=(replace(volume, build=1, backing=exports.place(f"{name}-data")),),
    )


def _larger(spec: ServerSpec) -> ServerSpec:
    return replace(spec, volume=replace(spec.volume, size=GiB(spec.volume.size + 1)))


def _whole(spec: ServerSpec) -> ServerSpec:
    return replace(
        spec,
        generation=Generation(spec.generation + 1),
        volume=replace(spec.volume, backing=None),
        data_volumes=tuple(replace(each, backing=None) for each in spec.data_volumes),
    )
