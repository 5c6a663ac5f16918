"""Container groups' volumes are in the points of their system, night after night, and come back in their
place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backup.containers.tar_reading import files
from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.container_volumes import VolumeClaim
from control_plane.drivers.simulated.container_volumes import (
    SimulatedGroup,
    SimulatedPlatform,
    SimulatedVolume,
)
from control_plane.model.backup.ids import RestoreId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import (
    Restored,
    RestoreJob,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.ids import ContainerGroupId, RegionId, ServerId
from control_plane.model.pool import Zone
from control_plane.model.units import MiB, Seconds, VCpu
from tests.backup.keeper.stand import PLACE, RESIDENTS, SLOWLY, Stand
from tests.scenarios.joining import MEMBER

DAY = timedelta(days=1)
GROUP = ContainerGroupId("cg-0011223344556677")
KYOTO = RegionId("kyoto")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    with stand.store.write() as tx:
        tx.add_container_group(
            ContainerGroup(
                GROUP,
                MEMBER.code,
                RESIDENTS,
                KYOTO,
                "papers",
                Zone.LGWAN,
                0,
                1,
                (Container("web", "registry.example/web@sha256:" + "0" * 64, VCpu(1), MiB(256)),),
                stand.world.clock.now(),
            )
        )
    yield stand
    stand.close()


@pytest.fixture
def group(stand: Stand) -> SimulatedGroup:
    platform = stand.world.platforms[KYOTO] = SimulatedPlatform()
    group = platform.group(MEMBER.code, GROUP)
    group.volumes["data"] = SimulatedVolume(VolumeClaim("data", 1 << 30))
    group.volumes["data"].put(b"scans", bytes(range(256)) * 4096)
    group.volumes["data"].put(b"list", b"one")
    return group


def held(stand: Stand, point: RecoveryPointRecord) -> dict[bytes, bytes]:
    """The files that the group's volume has in it."""
    part = next(each for each in point.servers if each.container_group)
    with stand.vault() as vault:
        reader = vault.read(vault.point(part.point), "data")
        return {
            found.entry.path: reader.read(found.data_at, found.entry.size)
            for found in files(reader.read)
        }


def test_a_group_that_runs_nowhere_holds_nothing_up(stand: Stand) -> None:
    stand.keep(DAY, SLOWLY)
    assert len(stand.points()) == 2
    assert all(len(point.servers) == 2 for point in stand.points())


def test_each_night_holds_the_groups_volume_as_it_was_and_stores_what_changed(
    stand: Stand, group: SimulatedGroup
) -> None:
    stand.keep(timedelta(hours=1))
    (first,) = stand.points()
    group.volumes["data"].put(b"list", b"one and two")
    stand.keep(DAY, SLOWLY)
    second = stand.points()[-1]
    assert held(stand, first) == {b"": b"", b"list": b"one", b"scans": bytes(range(256)) * 4096}
    assert held(stand, second)[b"list"] == b"one and two"
    part = next(each for each in second.servers if each.container_group)
    assert (part.name, part.consistency) == ("papers", "crash")
    with stand.vault() as vault:
        details = vault.details(vault.point(part.point))
        was = vault.point(next(s for s in first.servers if s.container_group).point)
        assert vault.point(part.point).stored_bytes < 20_000 < was.disk("data").size
    assert details["container_group"]["name"] == "papers"  # type: ignore[index]
    # It is told of servers alone that their agents do not answer.
    assert not any("papers" in each.en for each in stand.events("backup.not-quiesced"))


@pytest.mark.usefixtures("group")
def test_a_platform_that_is_silent_makes_no_point_that_lacks_the_volume(stand: Stand) -> None:
    stand.world.platforms[KYOTO].silent = True
    stand.keep(timedelta(hours=2))
    assert stand.points() == []
    stand.world.platforms[KYOTO].silent = False
    stand.keep(timedelta(hours=4))
    assert held(stand, stand.points()[0])[b"list"] == b"one"


def test_a_group_that_wants_to_be_stopped_runs_again_and_one_whose_command_fails_is_not_read(
    stand: Stand, group: SimulatedGroup
) -> None:
    group.wants = Consistency.STOPPED
    stand.keep(timedelta(hours=1))
    (point,) = stand.points()
    assert [each.consistency for each in point.servers if each.container_group] == ["stopped"]
    assert group.running
    group.wants, group.hook_fails = Consistency.QUIESCED, True
    stand.keep(DAY, SLOWLY)
    assert stand.points() == [point]


@pytest.mark.long
def test_a_volume_comes_back_in_its_place_once_nothing_uses_it(
    stand: Stand, group: SimulatedGroup
) -> None:
    stand.keep(timedelta(hours=1))
    (point,) = stand.points()
    group.volumes["data"].put(b"list", b"spoiled")
    group.volumes["data"].put(b"left over", b"")
    job = wanted(stand, point)
    stand.keep(timedelta(minutes=20), Seconds(60))
    # It runs, and nobody writes under it.
    assert group.volumes["data"].files[b"list"].content == b"spoiled"
    group.running = False
    stand.keep(timedelta(hours=2), Seconds(60))
    with stand.store.read() as tx:
        assert isinstance(tx.restore(job).standing, Restored), tx.restore(job).standing
    files_now = {path: file.content for path, file in group.volumes["data"].files.items()}
    assert files_now == {b"": b"", b"list": b"one", b"scans": bytes(range(256)) * 4096}


def wanted(stand: Stand, point: RecoveryPointRecord) -> RestoreId:
    now, id = stand.world.clock.now(), RestoreId("rs-000000000001")
    target = RestoreTarget(RestoreTo.IN_PLACE, (ServerId(GROUP),))
    with stand.store.write() as tx:
        tx.add_restore(
            RestoreJob(id, MEMBER.code, point.id, RESIDENTS, target, "Sato", now, Waiting(now))
        )
    return id


@pytest.mark.long
def test_a_group_that_a_dead_control_plane_had_stopped_runs_again_before_anything_can_be_read(
    stand: Stand, group: SimulatedGroup
) -> None:
    group.wants = Consistency.STOPPED
    gate, keeper, clock = stand.vantage.gate, stand.keeper, stand.vantage.clock

    def called(_: str) -> None:
        if not group.running:
            gate.kill()

    def live() -> None:
        while True:
            keeper.tick()
            clock.sleep(Seconds(1))

    gate.before_call = called
    stand.world.virtual_clock.spawn(live)
    for _ in range(60):
        stand.world.virtual_clock.sleep(Seconds(1))
    assert gate.killed
    assert not group.running
    stand.world.bucket(PLACE).cut_link()
    stand.begin_anew()
    stand.keep(timedelta(minutes=5), Seconds(30))
    assert stand.points() == []
    assert group.running
    stand.world.bucket(PLACE).restore_link()
    stand.keep(timedelta(hours=2), Seconds(60))
    assert [each.consistency for each in stand.points()[0].servers if each.container_group] == [
        "stopped"
    ]
    assert group.running
