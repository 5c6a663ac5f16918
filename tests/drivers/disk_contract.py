"""What every driver promises of volumes and snapshots, as tests that each driver passes unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import pytest

from control_plane.drivers.disks import DataVolumeSpec, DiskFile, SnapshotDiskSpec, SnapshotSpec
from control_plane.drivers.protocol import (
    DiskLocked,
    HostDriver,
    MovedOn,
    NoSuchDisk,
    ServerSpec,
    StorageUnavailable,
)
from control_plane.model.ids import Generation, VolumeId
from control_plane.model.units import GiB
from tests.drivers.contract import Sink, TwoHosts, launch, prepare


class TwoHostsWithVolumes(TwoHosts, Protocol):
    def data_volume(self, order: int = 0) -> DataVolumeSpec:
        """One that no test has used, of 1 GiB."""
        ...

    def snapshot_of(self, spec: ServerSpec) -> SnapshotSpec:
        """One of its root disk and all of its data volumes."""
        ...

    def write_on_volume(self, volume: DataVolumeSpec) -> None:
        """Leave a trace on a volume that nobody has open."""
        ...

    def is_written_on_volume(self, volume: DataVolumeSpec) -> bool: ...

    def volume_size(self, volume: DataVolumeSpec) -> GiB:
        """As large as its guest sees it, in use or not."""
        ...


def volumes(driver: HostDriver, spec: ServerSpec) -> frozenset[VolumeId]:
    return next(server.volumes for server in driver.list_servers() if server.id == spec.id)


class DiskContract:
    def test_a_volume_is_exported_whole_while_no_server_has_it_open(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        spec, volume = hosts.spec(), hosts.data_volume()
        with pytest.raises(NoSuchDisk):
            hosts.first.export_disk(None, volume, Sink())
        hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(volume)
        launch(hosts.first, replace(spec, data_volumes=(volume,)))
        with pytest.raises(DiskLocked):
            hosts.second.export_disk(spec.id, volume, Sink())
        hosts.first.destroy(spec.id, spec.generation)
        whole = Sink()
        hosts.second.export_disk(spec.id, volume, whole)
        assert whole.disk == DiskFile(len(whole.taken), volume.size * 2**30)
        assert hosts.is_written_in(whole.taken)

    def test_a_volume_is_made_once_and_kept_until_it_is_removed(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        assert not hosts.is_written_on_volume(volume)
        hosts.write_on_volume(volume)
        hosts.second.ensure_data_volume(volume)
        assert hosts.is_written_on_volume(volume)
        for _ in range(2):
            hosts.second.remove_data_volume(volume)
        hosts.first.ensure_data_volume(volume)
        assert not hosts.is_written_on_volume(volume)

    @pytest.mark.parametrize("running", [True, False])
    def test_a_volume_that_a_server_has_grows_and_keeps_what_is_on_it(
        self, hosts: TwoHostsWithVolumes, running: bool
    ) -> None:
        volume = hosts.data_volume()
        spec = replace(hosts.spec(), data_volumes=(volume,))
        hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(volume)
        prepare(hosts.first, spec)
        if running:
            hosts.first.start(spec.id)
            hosts.first.define(replace(spec, generation=Generation(2)))
        larger, listed = replace(volume, size=GiB(3)), Generation(2 if running else 1)
        if running:
            with pytest.raises(MovedOn):
                hosts.first.grow_data_volume(larger, spec.id, spec.generation)
            with pytest.raises(DiskLocked):
                hosts.second.grow_data_volume(larger, None, listed)
            assert hosts.volume_size(volume) == 1
        for _ in range(2):
            hosts.first.grow_data_volume(larger, spec.id, listed)
            assert hosts.volume_size(volume) == 3
        # Who asked for less before never makes it smaller.
        hosts.first.grow_data_volume(replace(volume, size=GiB(2)), spec.id, listed)
        assert hosts.volume_size(volume) == 3
        hosts.first.destroy(spec.id, listed)
        assert hosts.is_written_on_volume(volume)
        launch(hosts.second, replace(spec, data_volumes=(larger,)))
        assert hosts.volume_size(volume) == 3

    def test_a_volume_of_nobody_grows_from_any_host_and_one_that_is_not_there_does_not(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        volume = hosts.data_volume()
        larger = replace(volume, size=GiB(2))
        with pytest.raises(StorageUnavailable):
            hosts.second.grow_data_volume(larger, None, Generation(1))
        hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(volume)
        for _ in range(2):
            hosts.second.grow_data_volume(larger, None, Generation(1))
        hosts.first.grow_data_volume(volume, None, Generation(1))
        assert hosts.volume_size(volume) == 2
        assert hosts.is_written_on_volume(volume)

    def test_what_a_disk_was_before_it_grew_comes_back_on_a_disk_of_its_size(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        spec = replace(hosts.spec(), data_volumes=(volume,))
        prepare(hosts.first, spec)
        hosts.write_on_volume(volume)
        before = hosts.snapshot_of(spec)
        hosts.first.snapshot(spec, before)
        larger = replace(volume, size=GiB(2))
        hosts.first.grow_data_volume(larger, spec.id, spec.generation)
        anew = replace(
            spec,
            volume=replace(spec.volume, build=1),
            data_volumes=(replace(larger, build=1),),
        )
        hosts.first.restore_snapshot(anew, before)
        assert hosts.volume_size(anew.data_volumes[0]) == 2
        assert hosts.is_written_on_volume(anew.data_volumes[0])

    def test_a_running_guest_gets_a_volume_moves_with_it_and_lets_it_go(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        spec, other = hosts.spec(boots=True), hosts.spec()
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        launch(hosts.first, spec)
        launch(hosts.second, other)
        hosts.until(lambda: hosts.greeting in hosts.first.console(spec.id, 64 * 1024))
        for _ in range(2):
            hosts.first.attach(spec.id, volume, spec.generation)
        assert volumes(hosts.first, spec) == {volume.id}
        with pytest.raises(DiskLocked):
            hosts.second.attach(other.id, volume, other.generation)
        with pytest.raises(DiskLocked):
            hosts.second.remove_data_volume(volume)
        assert volumes(hosts.second, other) == frozenset()
        hosts.first.migrate(spec.id, hosts.second_endpoint)
        assert volumes(hosts.second, spec) == {volume.id}
        with pytest.raises(DiskLocked):
            hosts.second.attach(other.id, volume, other.generation)
        assert hosts.second.detach(spec.id, volume.id, spec.generation)
        assert volumes(hosts.second, spec) == frozenset()
        hosts.second.attach(other.id, volume, other.generation)
        assert volumes(hosts.second, other) == {volume.id}
        assert hosts.second.detach(spec.id, VolumeId("vol-unheard-of"), spec.generation)
        hosts.second.destroy(spec.id, spec.generation)
        hosts.second.start(spec.id)
        assert volumes(hosts.second, spec) == frozenset()

    def test_a_disk_that_its_guest_holds_on_to_is_not_said_to_be_closed(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        spec, other = hosts.spec(), hosts.spec()
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        launch(hosts.first, spec)
        launch(hosts.second, other)
        hosts.first.attach(spec.id, volume, spec.generation)
        assert not hosts.first.detach(spec.id, volume.id, spec.generation)
        assert volumes(hosts.first, spec) == {volume.id}
        with pytest.raises(DiskLocked):
            hosts.second.attach(other.id, volume, other.generation)
        hosts.first.destroy(spec.id, spec.generation)
        assert hosts.first.detach(spec.id, volume.id, spec.generation)
        hosts.second.attach(other.id, volume, other.generation)
        hosts.first.start(spec.id)
        assert volumes(hosts.first, spec) == frozenset()
        assert volumes(hosts.second, other) == {volume.id}

    def test_who_decided_before_the_server_moved_on_changes_nothing(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        spec = hosts.spec()
        volume, another = hosts.data_volume(), hosts.data_volume(1)
        for each in (volume, another):
            hosts.first.ensure_data_volume(each)
        launch(hosts.first, replace(spec, data_volumes=(volume,)))
        later = replace(spec, generation=Generation(2), data_volumes=(volume,))
        hosts.first.define(later)
        with pytest.raises(MovedOn):
            hosts.first.attach(spec.id, another, spec.generation)
        with pytest.raises(MovedOn):
            hosts.first.detach(spec.id, volume.id, spec.generation)
        assert volumes(hosts.first, spec) == {volume.id}

    def test_a_server_starts_with_its_volumes_or_not_at_all(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        one, two = hosts.data_volume(0), hosts.data_volume(1)
        spec = replace(hosts.spec(), data_volumes=(one, two))
        hosts.first.ensure_data_volume(one)
        prepare(hosts.first, spec)
        with pytest.raises(StorageUnavailable):
            hosts.first.start(spec.id)
        hosts.first.ensure_data_volume(two)
        hosts.first.start(spec.id)
        assert volumes(hosts.first, spec) == {one.id, two.id}
        with pytest.raises(DiskLocked):
            launch(hosts.second, replace(hosts.spec(), data_volumes=(two,)))

    def test_a_snapshot_holds_all_disks_as_they_were_and_gives_them_back(
        self, hosts: TwoHostsWithVolumes
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        spec = replace(hosts.spec(), data_volumes=(volume,))
        prepare(hosts.first, spec)
        before, after = hosts.snapshot_of(spec), hosts.snapshot_of(spec)
        assert hosts.first.snapshot(spec, before)
        hosts.write_on(spec)
        hosts.write_on_volume(volume)
        hosts.first.start(spec.id)
        for _ in range(2):
            # This guest has no agent that could hold it still.
            assert not hosts.first.snapshot(spec, after)
        for disk, size in ((None, spec.volume.size), (volume.id, volume.size)):
            for held, written in ((before, False), (after, True)):
                # Also while the server runs: a copy is nobody's to write.
                whole = Sink()
                hosts.second.export_disk(None, SnapshotDiskSpec(held, disk), whole)
                assert whole.disk == DiskFile(len(whole.taken), size * 2**30)
                assert hosts.is_written_in(whole.taken) is written
        anew = replace(
            spec,
            volume=replace(spec.volume, build=1),
            data_volumes=(replace(volume, build=1),),
        )
        with pytest.raises(DiskLocked):
            hosts.second.restore_snapshot(anew, before)
        hosts.first.destroy(spec.id, spec.generation)
        for _ in range(2):
            hosts.second.restore_snapshot(anew, before)
        assert not hosts.is_written_on(anew)
        assert not hosts.is_written_on_volume(anew.data_volumes[0])
        again = replace(
            spec,
            volume=replace(spec.volume, build=2),
            data_volumes=(replace(volume, build=2),),
        )
        hosts.first.restore_snapshot(again, after)
        assert hosts.is_written_on(again)
        assert hosts.is_written_on_volume(again.data_volumes[0])
        with pytest.raises(MovedOn):
            hosts.second.restore_snapshot(anew, before)
        assert hosts.is_written_on(again)
        assert hosts.is_written_on_volume(again.data_volumes[0])
        launch(hosts.second, replace(again, generation=Generation(2)))
        copy = hosts.data_volume(1)
        hosts.first.ensure_data_volume(copy, SnapshotDiskSpec(after, volume.id))
        assert hosts.is_written_on_volume(copy)
        for _ in range(2):
            hosts.first.remove_snapshot(after)
        with pytest.raises(NoSuchDisk):
            hosts.first.export_disk(None, SnapshotDiskSpec(after), Sink())
        with pytest.raises(StorageUnavailable):
            hosts.first.ensure_data_volume(hosts.data_volume(2), SnapshotDiskSpec(after))
