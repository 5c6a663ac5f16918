"""What the simulated driver promises beyond what every driver does: locks, races, lost answers."""

from __future__ import annotations

import pytest

from control_plane.drivers.protocol import (
    DiskLocked,
    DriverError,
    HostUnreachable,
    ImageCorrupt,
    NoSuchServer,
    RunState,
    StorageFull,
    StorageUnavailable,
)
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.ids import ServerId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from tests.drivers.simulated.samples import IMAGE, POOL, A, B, bring_up, spec, world

WEB = ServerId("web")


def states(where: SimulatedWorld, host: Host) -> dict[str, tuple[int, RunState]]:
    return {s.id: (s.generation, s.state) for s in where.driver(host).list_servers()}


def test_a_guest_answers_once_it_has_booted_and_writes_from_then_on() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(19))
    assert not where.answering(WEB)
    where.clock.sleep(Seconds(1))
    assert where.answering(WEB)
    where.clock.sleep(Seconds(60))
    assert where.records(WEB) == 60


def test_looking_at_a_guest_does_not_change_what_it_writes() -> None:
    looked, alone = world(), world()
    for where in (looked, alone):
        bring_up(where, A, spec())
    for _ in range(100):
        looked.clock.sleep(Seconds(0.7))
        looked.records(WEB)
    alone.clock.sleep(Seconds(70))
    assert looked.records(WEB) == alone.records(WEB) == 50


def test_a_power_cut_loses_only_what_was_not_flushed() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(20 + 13))
    where.cut_power(A.id)
    assert where.records(WEB) == 10
    bring_up(where, B, spec(generation=2))
    where.clock.sleep(Seconds(20 + 5))
    assert where.records(WEB) == 15
    assert where.records_intact(WEB)


def test_a_graceful_stop_loses_nothing() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(20 + 13))
    assert where.driver(A).shut_down(WEB, Seconds(60), spec().generation)
    assert where.records(WEB) == 16


def test_a_note_written_through_the_server_survives_its_host() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(20))
    where.write_note(WEB, "住民票 1")
    where.cut_power(A.id)
    with pytest.raises(DriverError, match="does not answer"):
        where.write_note(WEB, "住民票 2")
    bring_up(where, B, spec())
    assert where.notes(WEB) == ("住民票 1",)


def test_a_partitioned_host_keeps_its_disk_locks() -> None:
    where = world()
    bring_up(where, A, spec())
    where.cut_network(A.id)
    where.cut_storage(A.id)
    with pytest.raises(DiskLocked, match="locked by a"):
        bring_up(where, B, spec(generation=2))
    assert where.violations == []


def test_locks_go_with_the_host_that_lost_power() -> None:
    where = world()
    bring_up(where, A, spec())
    where.cut_power(A.id)
    bring_up(where, B, spec(generation=2))
    assert where.hosts_running(WEB) == ("b",)


def test_two_writers_are_recorded_when_even_the_locks_fail() -> None:
    where = world()
    bring_up(where, A, spec())
    where.ignore_disk_locks()
    where.clock.sleep(Seconds(7))
    bring_up(where, B, spec(generation=2))
    assert [str(v) for v in where.violations] == [
        "7.0s b writes to the disk of web while a does too"
    ]
    assert where.double_started == 1
    assert not where.records_intact(WEB)


def test_a_disk_made_anew_in_place_of_a_written_one_is_a_violation() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(60))
    where.driver(A).destroy(WEB, spec().generation)
    where.driver(A).remove_volume(WEB, spec().volume)
    bring_up(where, B, spec())
    assert "had 40 records" in str(where.violations[0])


def test_an_answer_that_is_lost_leaves_the_effect() -> None:
    where = world()
    where.lose_answers("start", host=A.id)
    with pytest.raises(HostUnreachable):
        bring_up(where, A, spec())
    assert where.hosts_running(WEB) == ("a",)
    where.driver(A).start(WEB)


def test_a_failing_call_has_no_effect_and_fails_as_often_as_arranged() -> None:
    where = world()
    where.fail_calls("start", server=WEB, times=2)
    for _ in range(2):
        with pytest.raises(DriverError, match="failed to start"):
            bring_up(where, A, spec())
        assert where.hosts_running(WEB) == ()
    bring_up(where, A, spec())


def test_an_image_corrupted_on_the_way_is_not_kept() -> None:
    where = world()
    where.corrupt_image(IMAGE.id, times=2)
    with pytest.raises(ImageCorrupt):
        where.driver(A).ensure_image(IMAGE)
    with pytest.raises(ImageCorrupt):
        where.driver(A).ensure_volume(spec())
    assert where.volume(spec().id) is None
    where.driver(A).ensure_volume(spec())
    assert where.volume(spec().id) is not None


def test_a_volume_that_stands_needs_no_image() -> None:
    where = world()
    where.driver(A).ensure_volume(spec())
    where.corrupt_image(IMAGE.id)
    where.driver(B).ensure_volume(spec())


def test_a_pool_without_room_takes_no_volume_and_keeps_nothing() -> None:
    where = world(capacity=15)
    bring_up(where, A, spec("web"))
    with pytest.raises(StorageFull):
        bring_up(where, A, spec("db"))
    assert where.volume(ServerId("db")) is None


def test_guests_pause_on_a_full_disk_and_go_on_when_started() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(30))
    where.fill_storage(POOL)
    assert states(where, A) == {"web": (1, RunState.SUSPENDED)}
    where.driver(A).start(WEB)
    assert states(where, A) == {"web": (1, RunState.SUSPENDED)}
    where.empty_storage(POOL)
    where.driver(A).start(WEB)
    assert states(where, A) == {"web": (1, RunState.RUNNING)}


def test_a_host_never_takes_more_memory_than_it_has() -> None:
    where = world()
    bring_up(where, A, spec("web", memory=6000))
    with pytest.raises(DriverError, match="lacks 808 MiB"):
        bring_up(where, A, spec("db", memory=3000))


def test_a_running_server_is_relabelled_in_place() -> None:
    where = world()
    bring_up(where, A, spec())
    where.driver(A).define(spec(generation=4))
    assert states(where, A) == {"web": (4, RunState.RUNNING)}


def test_migration_hands_the_server_over_with_everything_it_wrote() -> None:
    where = world()
    bring_up(where, A, spec())
    where.clock.sleep(Seconds(20 + 8))
    where.driver(A).migrate(WEB, B.endpoint)
    assert where.clock.monotonic() == 32
    assert states(where, A) == {}
    assert states(where, B) == {"web": (1, RunState.RUNNING)}
    assert where.answering(WEB)
    assert where.records(WEB) == 12
    where.driver(A).migrate(WEB, B.endpoint)


def test_while_it_migrates_the_server_runs_at_the_source_and_is_paused_at_the_target() -> None:
    where = world()
    bring_up(where, A, spec())
    pending = where.submit(lambda: where.driver(A).migrate(WEB, B.endpoint))
    assert not pending.done()
    assert states(where, A) == {"web": (1, RunState.RUNNING)}
    assert states(where, B) == {"web": (1, RunState.PAUSED)}
    again = where.submit(lambda: where.driver(A).migrate(WEB, B.endpoint))
    again.result()
    assert pending.done()
    assert where.hosts_running(WEB) == ("b",)


def test_a_target_that_dies_leaves_the_server_at_the_source() -> None:
    where = world()
    bring_up(where, A, spec())
    where.at(Seconds(2), lambda: where.cut_power(B.id))
    with pytest.raises(DriverError, match="stays on a") as failure:
        where.driver(A).migrate(WEB, B.endpoint)
    assert not isinstance(failure.value, HostUnreachable)
    assert where.hosts_running(WEB) == ("a",)
    where.restore_power(B.id)
    where.clock.sleep(Seconds(100))
    assert states(where, B) == {}


def test_a_source_that_dies_takes_the_incoming_copy_with_it() -> None:
    where = world()
    bring_up(where, A, spec())
    where.at(Seconds(2), lambda: where.cut_power(A.id))
    with pytest.raises(HostUnreachable):
        where.driver(A).migrate(WEB, B.endpoint)
    assert where.hosts_running(WEB) == ()
    assert states(where, B) == {}


def test_destroying_the_incoming_copy_breaks_the_migration_off() -> None:
    where = world()
    bring_up(where, A, spec())
    pending = where.submit(lambda: where.driver(A).migrate(WEB, B.endpoint))
    where.driver(B).destroy(WEB, spec().generation)
    with pytest.raises(DriverError, match="destroyed"):
        pending.result()
    assert where.hosts_running(WEB) == ("a",)


def test_a_server_on_its_way_leaves_no_room_at_the_target_for_others() -> None:
    where = world()
    bring_up(where, A, spec("web", memory=6000))
    where.submit(lambda: where.driver(A).migrate(WEB, B.endpoint))
    with pytest.raises(DriverError, match="lacks"):
        bring_up(where, B, spec("db", memory=4000))


def test_a_deaf_guest_is_still_there_after_its_grace() -> None:
    where = world()
    bring_up(where, A, spec())
    where.make_guest_deaf(WEB)
    assert not where.driver(A).shut_down(WEB, Seconds(30), spec().generation)
    assert where.clock.monotonic() == 30
    where.driver(A).destroy(WEB, spec().generation)
    where.driver(A).undefine(WEB, spec().generation)
    assert states(where, A) == {}


def test_a_running_server_is_not_undefined_and_its_volume_not_removed() -> None:
    where = world()
    bring_up(where, A, spec())
    with pytest.raises(DriverError, match="still runs"):
        where.driver(A).undefine(WEB, spec().generation)
    with pytest.raises(DiskLocked):
        where.driver(B).remove_volume(WEB, spec().volume)


def test_a_host_without_storage_starts_nothing() -> None:
    where = world()
    bring_up(where, A, spec())
    where.driver(A).destroy(WEB, spec().generation)
    where.cut_storage(A.id)
    with pytest.raises(StorageUnavailable):
        where.driver(A).start(WEB)


def test_a_server_that_nobody_defined_cannot_be_started() -> None:
    with pytest.raises(NoSuchServer):
        world().driver(A).start(WEB)


def test_machines_of_others_are_facts_and_not_servers() -> None:
    where = world()
    where.add_foreign_machine(A.id, "printer")
    assert where.driver(A).facts().foreign == ("printer",)
    assert where.driver(A).list_servers() == []


def test_a_stale_copy_started_by_hand_fails_on_the_lock() -> None:
    where = world()
    bring_up(where, A, spec())
    where.copy_definition_by_hand(A.id, B.id, WEB)
    assert not where.start_by_hand(B.id, WEB)
    where.destroy_by_hand(WEB)
    assert where.start_by_hand(B.id, WEB)
    assert where.violations == []


def test_the_same_calls_make_the_same_history() -> None:
    def play() -> list[str]:
        where = world()
        heard: list[str] = []
        where.listen(lambda h: heard.append(f"{h.at} {h.text}"))
        for number in range(5):
            bring_up(where, A, spec(f"s{number}", generation=number + 1))
        where.at(Seconds(2), lambda: where.freeze(B.id))
        where.run_all(
            [
                lambda s=f"s{number}": where.driver(A).migrate(ServerId(s), B.endpoint)
                for number in range(5)
            ]
        )
        where.clock.sleep(Seconds(200))
        return heard

    assert play() == play()
