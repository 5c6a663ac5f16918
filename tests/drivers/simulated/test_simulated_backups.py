"""What may happen to a simulated server while it is read for a backup, and what it looks like then."""

from __future__ import annotations

import pytest

from control_plane.drivers.backup_source import ROOT_DISK, BackupSource, Consistency
from control_plane.drivers.protocol import (
    DisksBusy,
    HostUnreachable,
    ReadingBroken,
    ServerSpec,
    StorageFull,
)
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.simulated.clock import ControlPlaneKilled
from control_plane.drivers.simulated.timing import Timing
from control_plane.model.full_read import WhyFull
from control_plane.model.units import Seconds
from tests.drivers.backup_contract import UNIT, only, renewed, whole
from tests.drivers.contract import launch, prepare
from tests.drivers.simulated.samples import POOL, A, B, spec, world


def running() -> tuple[SimulatedWorld, ServerSpec]:
    made, server = world(A, B), spec("server-1")
    launch(made.driver(A), server)
    made.clock.sleep(Seconds(60))
    return made, server


def secured(made: SimulatedWorld, server: ServerSpec, name: str = "first") -> None:
    with made.driver(A).open_backup(server, checkpoint=name, since=None, quiesce=True) as source:
        whole(only(source))


def killed_while_it_reads(made: SimulatedWorld, source: BackupSource) -> None:
    made.gate.kill()
    for _ in only(source).extents():
        pass


def test_what_a_guest_writes_is_what_is_read_and_later_only_that() -> None:
    made, server = running()
    secured(made, server)
    place = server.volume.size * 3 * 2**28 + 12_345
    made.write_bytes(server.id, place, b"a page of the residents' register")
    with made.driver(A).open_backup(
        server, checkpoint="second", since="first", quiesce=True
    ) as source:
        disk = only(source)
        assert source.consistency is Consistency.QUIESCED
        content, told = renewed({}, disk)
        assert disk.read(place, 6) == b"a page"
        assert any(b"residents" in unit for unit in content.values())
        assert told == UNIT
    with pytest.raises(ValueError, match="last quarter"):
        made.write_bytes(server.id, 0, b"beyond")


def test_reading_takes_virtual_time_for_what_is_data_and_none_for_what_is_zero() -> None:
    server = spec("server-1")
    made = SimulatedWorld(timing=Timing(bytes_read_a_second=64 * 1024))
    driver = made.driver(A)
    launch(driver, server)
    with driver.open_backup(server, checkpoint="one", since=None, quiesce=False) as source:
        begin = made.clock.monotonic()
        disk = only(source)
        read = sum(len(data) for _, data in disk.stream(disk.extents()))
        assert read < 2**20
        assert made.clock.monotonic() - begin == pytest.approx(read / (64 * 1024))


def test_a_reader_that_is_cut_hears_of_it_and_the_guest_does_not() -> None:
    made, server = running()
    with made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=False) as source:
        made.cut_reader(server.id)
        with pytest.raises(ReadingBroken):
            whole(only(source))
    assert made.answering(server.id)
    secured(made, server)


def test_tracking_that_the_hypervisor_calls_lost_makes_the_next_backup_read_all() -> None:
    made, server = running()
    secured(made, server)
    made.lose_tracking(server.id)
    with made.driver(A).open_backup(
        server, checkpoint="second", since="first", quiesce=False
    ) as source:
        assert only(source).why is WhyFull.TRACKING_LOST
    with made.driver(A).open_backup(
        server, checkpoint="third", since="second", quiesce=False
    ) as source:
        assert only(source).changed_only


def test_a_host_that_dies_or_falls_silent_ends_the_reading() -> None:
    for fault in (SimulatedWorld.crash, SimulatedWorld.cut_network):
        made, server = running()
        with made.driver(A).open_backup(
            server, checkpoint="one", since=None, quiesce=False
        ) as source:
            fault(made, A.id)
            with pytest.raises(HostUnreachable):
                whole(only(source))


def test_a_stopped_server_whose_reader_is_killed_can_be_started() -> None:
    made, server = world(A, B), spec("server-1")
    prepare(made.driver(A), server)
    with (
        pytest.raises(ControlPlaneKilled),
        made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=False) as source,
    ):
        killed_while_it_reads(made, source)
    made.seen_by_another_process().driver(A).start(server.id)
    assert made.hosts_running(server.id) == (A.id,)


def test_a_running_server_whose_reader_was_killed_is_read_again_by_the_next_process() -> None:
    made, server = running()
    secured(made, server)
    with (
        pytest.raises(ControlPlaneKilled),
        made.driver(A).open_backup(
            server, checkpoint="cut", since="first", quiesce=False
        ) as source,
    ):
        killed_while_it_reads(made, source)
    other = made.seen_by_another_process().driver(A)
    with other.open_backup(server, checkpoint="next", since="first", quiesce=False) as source:
        assert only(source).changed_only


def test_a_stopped_server_read_on_a_host_that_dies_can_be_started_elsewhere() -> None:
    made, server = world(A, B), spec("server-1")
    prepare(made.driver(A), server)
    made.driver(B).define(server)
    with made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=False):
        made.crash(A.id)
        made.driver(B).start(server.id)
    assert made.hosts_running(server.id) == (B.id,)


def test_full_storage_refuses_a_reading_and_does_not_stop_the_guest_for_it() -> None:
    made, server = running()
    made.around.pools[POOL].full = True
    with (
        pytest.raises(StorageFull),
        made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=False),
    ):
        pass
    assert made.answering(server.id)


def test_a_deaf_guest_is_read_as_after_a_power_cut() -> None:
    made, server = running()
    made.make_guest_deaf(server.id)
    with made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=True) as source:
        assert source.consistency is Consistency.CRASH
        assert source.disks[0].name == ROOT_DISK


def test_a_server_that_has_moved_away_and_back_is_read_whole() -> None:
    made, server = running()
    secured(made, server)
    made.driver(A).migrate(server.id, B.endpoint)
    made.driver(B).migrate(server.id, A.endpoint)
    with made.driver(A).open_backup(
        server, checkpoint="second", since="first", quiesce=False
    ) as source:
        assert only(source).why is WhyFull.UNKNOWN_HERE


def test_a_server_on_its_way_to_another_host_is_not_read() -> None:
    made, server = running()
    moving = made.submit(lambda: made.driver(A).migrate(server.id, B.endpoint))
    made.clock.sleep(Seconds(1))
    with (
        pytest.raises(DisksBusy),
        made.driver(A).open_backup(server, checkpoint="one", since=None, quiesce=False),
    ):
        pass
    moving.result()
    with made.driver(B).open_backup(server, checkpoint="two", since=None, quiesce=False) as source:
        whole(only(source))
