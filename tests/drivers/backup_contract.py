"""What every driver promises of reading a server's disks for a backup, as tests that each driver passes
unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Protocol

import pytest

from control_plane.drivers.backup_source import (
    ROOT_DISK,
    BackupSource,
    Consistency,
    SourceDisk,
)
from control_plane.drivers.protocol import (
    DiskLocked,
    HostDriver,
    ReadingBroken,
    RunState,
    ServerSpec,
    StorageUnavailable,
)
from control_plane.model.full_read import WhyFull
from control_plane.model.ids import Generation
from control_plane.model.units import GiB
from tests.drivers.contract import LONG, launch, prepare, state
from tests.drivers.disk_contract import TwoHostsWithVolumes

UNIT = 64 * 1024
Content = dict[int, bytes]
"""The units of a disk that are not all zero, by their offset."""
_NAMES = (f"point-{number}" for number in count(1))


class TwoHostsToReadFrom(TwoHostsWithVolumes, Protocol):
    def boot(self, driver: HostDriver, spec: ServerSpec) -> None:
        """Have it made, started and answering."""
        ...

    def tell(self, spec: ServerSpec, text: str) -> None:
        """Have the guest write the text on its root disk, and come back once it is safe there."""
        ...

    def as_it_is(self, spec: ServerSpec) -> dict[str, Content]:
        """What is on the disks now by their names, seen another way than by the driver; the guest holds still or does
        not run."""
        ...

    def hold(self, driver: HostDriver, spec: ServerSpec) -> None:
        """The guest stands still from now on."""
        ...

    def go_on(self, driver: HostDriver, spec: ServerSpec) -> None: ...

    def cut_off(self, spec: ServerSpec) -> None:
        """The guest's hypervisor dies in the middle of whatever it does."""
        ...


def units_of(pieces: Iterable[tuple[int, bytes]]) -> Content:
    """From pieces that begin at multiples of UNIT."""
    content = {}
    for offset, data in pieces:
        for at in range(0, len(data), UNIT):
            unit = data[at : at + UNIT]
            if unit.count(0) != len(unit):
                content[offset + at] = bytes(unit)
    return content


def whole(disk: SourceDisk) -> Content:
    """A disk that is told whole, every byte of it accounted for."""
    assert not disk.changed_only
    told = 0
    extents = list(disk.extents(UNIT))
    for extent in extents:
        assert extent.offset == told
        told = extent.end
    assert told == disk.size
    return units_of(disk.stream(extents))


def renewed(content: Content, disk: SourceDisk) -> tuple[Content, int]:
    """That content with what has changed since, and how many bytes were told."""
    assert disk.changed_only
    assert disk.why is None
    extents = list(disk.extents(UNIT))
    result, told = dict(content), 0
    for extent in extents:
        assert extent.offset % UNIT == 0
        assert extent.end % UNIT == 0 or extent.end == disk.size
        told += extent.length
        for unit in range(extent.offset, extent.end, UNIT):
            result.pop(unit, None)
    return result | units_of(disk.stream(extents)), told


def only(source: BackupSource) -> SourceDisk:
    assert len(source.disks) == 1
    return source.disks[0]


class BackupContract:
    def test_a_running_server_is_read_as_it_was_while_its_guest_goes_on_writing(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        hosts.tell(spec, "before")
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(spec)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=None, quiesce=False
        ) as source:
            hosts.go_on(hosts.first, spec)
            hosts.tell(spec, "meanwhile")
            disk = only(source)
            assert (disk.name, disk.why) == (ROOT_DISK, WhyFull.FIRST)
            assert source.consistency is Consistency.CRASH
            assert whole(disk) == frozen[ROOT_DISK]
            assert state(hosts.first, spec) is RunState.RUNNING
        hosts.tell(spec, "afterwards")

    def test_later_only_what_has_changed_is_read(self, hosts: TwoHostsToReadFrom) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        first, second, third = next(_NAMES), next(_NAMES), next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=first, since=None, quiesce=False) as source:
            assert source.checkpoint == first
            content = whole(only(source))
        for since, checkpoint in ((first, second), (second, third)):
            hosts.tell(spec, f"after {since}")
            hosts.hold(hosts.first, spec)
            frozen = hosts.as_it_is(spec)
            with hosts.first.open_backup(
                spec, checkpoint=checkpoint, since=since, quiesce=False
            ) as source:
                hosts.go_on(hosts.first, spec)
                hosts.tell(spec, f"while {since} is read")
                content, told = renewed(content, only(source))
            assert content == frozen[ROOT_DISK]
            assert 0 < told < 4 * 2**20

    def test_a_backup_that_failed_leaves_no_gap_behind(self, hosts: TwoHostsToReadFrom) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        secured, failed = next(_NAMES), next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=secured, since=None, quiesce=False) as source:
            content = whole(only(source))
        hosts.tell(spec, "before the one that fails")
        with (
            pytest.raises(InterruptedError),
            hosts.first.open_backup(spec, checkpoint=failed, since=secured, quiesce=False),
        ):
            raise InterruptedError
        hosts.tell(spec, "after the one that failed")
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(spec)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=secured, quiesce=False
        ) as source:
            content, _ = renewed(content, only(source))
        assert content == frozen[ROOT_DISK]
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=failed, quiesce=False
        ) as source:
            assert only(source).why is WhyFull.UNKNOWN_HERE

    def test_a_crash_makes_the_next_backup_read_all(self, hosts: TwoHostsToReadFrom) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        since = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=since, since=None, quiesce=False):
            pass
        hosts.tell(spec, "and then it crashed")
        hosts.cut_off(spec)
        hosts.first.start(spec.id)
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(spec)
        again = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=again, since=since, quiesce=False) as source:
            disk = only(source)
            assert disk.why is WhyFull.TRACKING_LOST
            assert disk.why.en != disk.why.ja
            content = whole(disk)
        assert content == frozen[ROOT_DISK]
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=again, quiesce=False
        ) as source:
            assert only(source).changed_only

    def test_a_server_that_moves_is_no_longer_read_and_then_read_whole(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        since = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=since, since=None, quiesce=False) as source:
            hosts.first.migrate(spec.id, hosts.second_endpoint)
            with pytest.raises(ReadingBroken):
                whole(only(source))
        assert state(hosts.second, spec) is RunState.RUNNING
        with hosts.second.open_backup(
            spec, checkpoint=next(_NAMES), since=since, quiesce=False
        ) as source:
            assert only(source).why is WhyFull.UNKNOWN_HERE
            whole(only(source))
        with pytest.raises(DiskLocked):
            self._open(hosts.first, spec)

    def test_a_reading_ends_when_its_server_does_or_the_next_one_begins(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=None, quiesce=False
        ) as source:
            with hosts.first.open_backup(
                spec, checkpoint=next(_NAMES), since=None, quiesce=False
            ) as newer:
                whole(only(newer))
            with pytest.raises(ReadingBroken):
                whole(only(source))
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=None, quiesce=False
        ) as source:
            hosts.first.destroy(spec.id, spec.generation)
            with pytest.raises(ReadingBroken):
                whole(only(source))
        assert state(hosts.first, spec) is RunState.STOPPED

    def test_who_comes_later_ends_what_is_left_and_does_not_end_what_is_newer(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        left = hosts.first.open_backup(spec, checkpoint=next(_NAMES), since=None, quiesce=False)
        left.__enter__()
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=None, quiesce=False
        ) as source:
            left.__exit__(None, None, None)
            whole(only(source))
            hosts.first.end_backup(spec.id)
            with pytest.raises(ReadingBroken):
                whole(only(source))
        hosts.first.end_backup(spec.id)

    def test_a_stopped_server_is_read_without_being_started_and_can_not_be_started_meanwhile(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        prepare(hosts.first, spec)
        hosts.write_on(spec)
        elsewhere = replace(spec, generation=Generation(2))
        hosts.second.define(elsewhere)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=None, quiesce=True
        ) as source:
            assert source.consistency is Consistency.STOPPED
            assert state(hosts.first, spec) is RunState.STOPPED
            assert hosts.first.facts().foreign == ()
            for driver in (hosts.first, hosts.second):
                with pytest.raises(DiskLocked):
                    driver.start(spec.id)
                with pytest.raises(DiskLocked):
                    self._open(driver, spec)
                with pytest.raises(DiskLocked):
                    driver.remove_volume(spec.id, spec.volume)
            content = whole(only(source))
        assert content == hosts.as_it_is(spec)[ROOT_DISK]
        hosts.second.start(spec.id)
        with pytest.raises(DiskLocked):
            self._open(hosts.first, spec)

    def test_what_changed_before_a_server_was_stopped_is_told_while_it_is_and_after_its_start(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec(boots=True)
        hosts.boot(hosts.first, spec)
        since = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=since, since=None, quiesce=False) as source:
            content = whole(only(source))
        hosts.tell(spec, "before it is stopped")
        assert hosts.first.shut_down(spec.id, LONG, spec.generation)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=since, quiesce=False
        ) as source:
            assert source.checkpoint == since
            content, told = renewed(content, only(source))
        assert content == hosts.as_it_is(spec)[ROOT_DISK]
        assert 0 < told < 16 * 2**20
        hosts.boot(hosts.first, spec)
        hosts.tell(spec, "after it was started")
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(spec)
        with hosts.first.open_backup(
            spec, checkpoint=next(_NAMES), since=since, quiesce=False
        ) as source:
            content, _ = renewed(content, only(source))
        assert content == frozen[ROOT_DISK]

    def test_all_disks_of_a_server_are_of_one_moment(self, hosts: TwoHostsToReadFrom) -> None:
        one, two = hosts.data_volume(0), hosts.data_volume(1)
        spec = replace(hosts.spec(boots=True), data_volumes=(one, two))
        for volume in (one, two):
            hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(two)
        hosts.boot(hosts.first, spec)
        hosts.tell(spec, "one moment")
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(spec)
        since = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=since, since=None, quiesce=False) as source:
            hosts.go_on(hosts.first, spec)
            hosts.tell(spec, "another")
            assert [disk.name for disk in source.disks] == [ROOT_DISK, one.id, two.id]
            for disk in source.disks:
                assert whole(disk) == frozen[disk.name]
        added = hosts.data_volume(2)
        hosts.first.ensure_data_volume(added)
        hosts.first.attach(spec.id, added, spec.generation)
        more = replace(spec, data_volumes=(one, two, added))
        with hosts.first.open_backup(
            more, checkpoint=next(_NAMES), since=since, quiesce=False
        ) as source:
            assert [disk.why for disk in source.disks] == [None, None, None, WhyFull.NEW_DISK]
        fewer = replace(spec, data_volumes=(two,))
        with hosts.first.open_backup(
            fewer, checkpoint=next(_NAMES), since=None, quiesce=False
        ) as source:
            assert [disk.name for disk in source.disks] == [ROOT_DISK, two.id]

    def test_a_disk_that_was_made_anew_or_grown_is_read_whole(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        first, second = next(_NAMES), next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=first, since=None, quiesce=False):
            pass
        larger = replace(spec, volume=replace(spec.volume, size=GiB(spec.volume.size + 1)))
        with hosts.first.open_backup(spec, checkpoint=second, since=first, quiesce=False) as source:
            hosts.first.grow_volume(larger)
            with pytest.raises(ReadingBroken):
                list(only(source).extents())
        hosts.first.define(larger)
        with hosts.first.open_backup(
            larger, checkpoint=second + "b", since=first, quiesce=False
        ) as source:
            assert only(source).why is WhyFull.RESIZED
        hosts.first.destroy(spec.id, spec.generation)
        anew = replace(larger, volume=replace(larger.volume, build=1))
        prepare(hosts.first, anew)
        hosts.first.start(spec.id)
        with hosts.first.open_backup(
            anew, checkpoint=next(_NAMES), since=second + "b", quiesce=False
        ) as source:
            assert only(source).why in (WhyFull.MADE_ANEW, WhyFull.TRACKING_LOST)
            whole(only(source))

    def test_a_volume_that_has_grown_is_read_whole_and_from_then_on_by_what_changes(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(volume)
        spec = replace(hosts.spec(boots=True), data_volumes=(volume,))
        hosts.boot(hosts.first, spec)
        first, second, third = next(_NAMES), next(_NAMES), next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=first, since=None, quiesce=False):
            pass
        grown = replace(volume, size=GiB(volume.size + 1))
        larger = replace(spec, data_volumes=(grown,))
        with hosts.first.open_backup(spec, checkpoint=second, since=first, quiesce=False) as source:
            hosts.first.grow_data_volume(grown, spec.id, spec.generation)
            with pytest.raises(ReadingBroken):
                list(source.disks[1].extents())
        hosts.hold(hosts.first, spec)
        frozen = hosts.as_it_is(larger)
        assert frozen[volume.id]
        with hosts.first.open_backup(
            larger, checkpoint=third, since=first, quiesce=False
        ) as source:
            disk = source.disks[1]
            assert (disk.size, disk.why) == (grown.size * 2**30, WhyFull.RESIZED)
            assert source.disks[0].why is None
            assert whole(disk) == frozen[volume.id]
        with hosts.first.open_backup(
            larger, checkpoint=next(_NAMES), since=third, quiesce=False
        ) as source:
            again, told = renewed(frozen[volume.id], source.disks[1])
            assert (again, told) == (frozen[volume.id], 0)

    @pytest.mark.parametrize("running", [True, False])
    def test_a_volume_grows_though_a_crash_has_spoiled_what_was_kept_of_its_changes(
        self, hosts: TwoHostsToReadFrom, running: bool
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        hosts.write_on_volume(volume)
        spec = replace(hosts.spec(), data_volumes=(volume,))
        launch(hosts.first, spec)
        first = next(_NAMES)
        with hosts.first.open_backup(spec, checkpoint=first, since=None, quiesce=False):
            pass
        hosts.cut_off(spec)
        if running:
            hosts.first.start(spec.id)
        grown = replace(volume, size=GiB(volume.size + 1))
        hosts.first.grow_data_volume(grown, spec.id, spec.generation)
        assert hosts.volume_size(grown) == grown.size
        larger = replace(spec, data_volumes=(grown,))
        frozen = hosts.as_it_is(larger)
        with hosts.first.open_backup(
            larger, checkpoint=next(_NAMES), since=first, quiesce=False
        ) as source:
            assert source.disks[1].why in (WhyFull.RESIZED, WhyFull.TRACKING_LOST)
            assert whole(source.disks[1]) == frozen[volume.id]

    def test_a_snapshot_and_a_volume_that_is_taken_away_come_before_a_reading(
        self, hosts: TwoHostsToReadFrom
    ) -> None:
        volume = hosts.data_volume()
        hosts.first.ensure_data_volume(volume)
        spec = replace(hosts.spec(boots=True), data_volumes=(volume,))
        hosts.boot(hosts.first, spec)
        changes: tuple[Callable[[], object], ...] = (
            lambda: hosts.first.snapshot(spec, hosts.snapshot_of(spec)),
            lambda: hosts.first.detach(spec.id, volume.id, spec.generation),
        )
        for change in changes:
            with hosts.first.open_backup(
                spec, checkpoint=next(_NAMES), since=None, quiesce=False
            ) as source:
                change()
                with pytest.raises(ReadingBroken):
                    whole(source.disks[0])
        with pytest.raises(StorageUnavailable):
            self._open(hosts.first, spec)

    @staticmethod
    def _open(driver: HostDriver, spec: ServerSpec) -> None:
        with driver.open_backup(spec, checkpoint=next(_NAMES), since=None, quiesce=False):
            pass
