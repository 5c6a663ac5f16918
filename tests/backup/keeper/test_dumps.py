"""What guests run around their backup: before it is frozen, without which there may be no point, and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.simulated.programs import Program
from control_plane.model.backup.dumps import Dump, HookEnd
from control_plane.model.backup.work import BackupRun
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import NIGHTLY, RESIDENTS, Stand

DB, APP = ServerId("residents-db"), ServerId("residents-app")
DUMPED = Dump("db", "dump-residents", "clean-up")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path, replace(NIGHTLY, dumps=(DUMPED,)))
    yield stand
    stand.close()


def runs(stand: Stand) -> list[BackupRun]:
    with stand.store.read() as tx:
        return list(tx.backup_runs(system=RESIDENTS))


def happened(stand: Stand) -> list[str]:
    """From here on."""
    told: list[str] = []
    stand.world.listen(lambda happening: told.append(happening.text))
    return told


def until(stand: Stand, most: int = 2000) -> BackupRun:
    """Until the run that somebody asked for has ended."""
    id = stand.ask()
    for _ in range(most):
        assert all("DumpFailed" in type(e).__name__ for e in stand.keeper.tick())
        stand.world.clock.sleep(Seconds(20))
        run = next(run for run in runs(stand) if run.id == id)
        if not run.open:
            return run
    raise AssertionError("the run never ended")


def test_a_dump_is_written_before_disks_are_held_and_cleared_up_after(stand: Stand) -> None:
    stand.world.programs[DB, "dump-residents"] = Program(Seconds(30), b"14 tables\n")
    stand.world.programs[DB, "clean-up"] = Program(Seconds(5))
    told = happened(stand)
    until(stand)
    order = [text for text in told if "hook" in text or text.startswith("begin to read")]
    assert order[0] == "run hook dump-residents in residents-db"
    assert order[-1] == "run hook clean-up in residents-db"
    assert sorted(order[1:-1]) == [
        "begin to read the disks of residents-app",
        "begin to read the disks of residents-db",
    ]
    (point,) = stand.points()
    ran = {each.server: each.hooks for each in point.servers}
    assert ran[APP] == ()
    assert [(hook.hook, hook.end, hook.said) for hook in ran[DB]] == [
        ("dump-residents", HookEnd.DONE, "14 tables"),
        ("clean-up", HookEnd.DONE, ""),
    ]
    assert [hook.seconds >= at_least for hook, at_least in zip(ran[DB], (30, 5), strict=True)]
    assert not any(each.lacks_dump for each in point.servers)
    assert stand.events("backup.dump-failed") == []


@pytest.mark.long
def test_without_a_dump_that_is_required_no_point_is_taken_and_somebody_hears_why(
    stand: Stand,
) -> None:
    broken = Program(Seconds(2), b"pg_dump: connected\nno space left on device\n", 3)
    stand.world.programs[DB, "dump-residents"] = broken
    stand.world.programs[DB, "clean-up"] = Program()
    told = happened(stand)
    run = until(stand, most=2000)
    assert stand.points() == []
    assert not any(text.startswith("begin to read") for text in told)
    assert "run hook clean-up in residents-db" in told
    said = run.standing.trouble
    assert said.en == (
        "The hook 'dump-residents' of server residents-db failed with exit status 3; "
        "its last line is “no space left on device”."
    )
    assert "終了コード 3" in said.ja
    (set_back, given_up) = stand.events("backup.failed")
    assert said.en in set_back.en
    assert said.en in given_up.en


def test_a_point_that_lacks_a_dump_that_it_may_lack_says_so_once(stand: Stand) -> None:
    stand.set_policy(replace(NIGHTLY, dumps=(replace(DUMPED, required=False),)))
    stand.world.make_guest_deaf(DB)
    until(stand)
    until(stand)
    first, second = stand.points()
    for point in (first, second):
        (db,) = (each for each in point.servers if each.server == DB)
        assert db.lacks_dump
        assert [hook.end for hook in db.hooks] == [HookEnd.NO_AGENT]
    (event,) = stand.events("backup.dump-failed")
    assert "guest agent does not answer" in event.en
    assert "dump failed" in event.en


def test_a_control_plane_that_dies_while_a_guest_dumps_is_followed_by_one_that_begins_anew(
    stand: Stand,
) -> None:
    stand.world.programs[DB, "dump-residents"] = Program(Seconds(300))
    stand.world.programs[DB, "clean-up"] = Program()
    told = happened(stand)
    stand.ask()
    keeper, clock, gate = stand.keeper, stand.vantage.clock, stand.vantage.gate

    def live() -> None:
        while True:
            keeper.tick()
            clock.sleep(Seconds(1))

    stand.world.virtual_clock.spawn(live)
    stand.world.clock.sleep(Seconds(60))
    gate.kill()
    assert "run hook dump-residents in residents-db" in told
    assert not any(text.startswith("begin to read") for text in told)
    stand.begin_anew()
    for _ in range(3000):
        assert stand.keeper.tick() == []
        stand.world.clock.sleep(Seconds(1))
        if stand.points():
            break
    (point,) = stand.points()
    assert told.count("run hook dump-residents in residents-db") == 2
    stand.insist_on_bytes([point])
