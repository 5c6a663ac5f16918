"""How servers are read: stopped or running, held together, and never in the way of what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from control_plane.model.backup.points import RecoveryPointRecord, ServerPoint
from control_plane.model.backup.work import Requested, Running
from control_plane.model.ids import HostId, ServerId, VolumeId
from control_plane.model.units import GiB, Seconds
from control_plane.model.volume import Attached, Volume
from control_plane.model.workload import Placed, Power, Seen
from tests.backup.keeper.stand import RARELY, RESIDENTS, Stand

DB, APP = ServerId("residents-db"), ServerId("residents-app")
MINUTE = timedelta(minutes=1)
LAST_QUARTER = 900 << 20
NOISE = Random(1).randbytes(1 << 20)  # noqa: S311 — what does not compress


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def of(point: RecoveryPointRecord, server: ServerId) -> ServerPoint:
    return next(each for each in point.servers if each.server == server)


def stop(stand: Stand, server: ServerId) -> None:
    stand.set_power(server, Power.STOPPED)
    stand.until(lambda: not stand.world.hosts_running(server))
    stand.until(lambda: _seen(stand, server) is Seen.STOPPED)


def _plugged(stand: Stand, volume: VolumeId) -> bool:
    with stand.store.read() as tx:
        return tx.volume(volume).plugged


def _placed(stand: Stand, server: ServerId) -> bool:
    with stand.store.read() as tx:
        return isinstance(tx.server(server).placement, Placed)


def _seen(stand: Stand, server: ServerId) -> Seen:
    with stand.store.read() as tx:
        return tx.server(server).seen


def test_a_stopped_server_is_read_too_and_nothing_again_while_it_rests(stand: Stand) -> None:
    stand.keep(MINUTE, Seconds(20))
    stop(stand, DB)
    for _ in range(2):
        stand.ask()
        stand.keep(2 * MINUTE, Seconds(20))
    first, second, third = stand.points()
    assert [of(p, DB).consistency for p in (first, second, third)] == [
        "quiesced",
        "stopped",
        "stopped",
    ]
    # It had written until it stopped, and not since.
    assert of(second, DB).disks[0].how == "changed"
    assert of(third, DB).disks[0].changed_bytes == 0
    assert of(third, APP).consistency == "quiesced"
    assert stand.insist_on_bytes([first, second, third]) == 6
    stand.set_power(DB, Power.RUNNING)
    stand.until(lambda: stand.world.answering(DB))
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.insist_on_bytes(stand.points()[-1:]) == 2


def test_blocks_that_servers_of_a_system_have_in_common_are_stored_once(stand: Stand) -> None:
    stand.keep(MINUTE, Seconds(20))
    for server in (DB, APP):
        stand.world.write_bytes(server, LAST_QUARTER, NOISE)
    stand.ask()
    stand.keep(MINUTE, Seconds(20))
    point = stand.points()[-1]
    assert sum(each.disks[0].changed_bytes for each in point.servers) >= 2 << 20
    assert point.stored_bytes < 1.2 * (1 << 20)


def test_a_guest_without_an_agent_is_told_of_once(stand: Stand) -> None:
    stand.world.make_guest_deaf(DB)
    for _ in range(2):
        stand.ask()
        stand.keep(2 * MINUTE, Seconds(20))
    assert {of(point, DB).consistency for point in stand.points()} == {"crash"}
    told = stand.events("backup.not-quiesced")
    assert len(told) == 1
    assert "residents-db" in told[0].en
    assert "residents-app" not in told[0].en


def test_a_server_that_moves_is_waited_for(stand: Stand) -> None:
    with stand.store.write() as tx:
        server = tx.server(DB)
        assert isinstance(server.placement, Placed)
        at = server.placement.host
        other = next(host.id for host in tx.hosts() if host.id != at)
        tx.save_server(replace(server, placement=server.placement.move_to(HostId(other))))
    asked = stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.points() == []
    with stand.store.read() as tx:
        standing = tx.backup_run(asked).standing
    assert isinstance(standing, Requested)
    assert standing.trouble is not None
    assert "residents-db" in standing.trouble.en
    stand.until(lambda: _placed(stand, DB) and _seen(stand, DB) is Seen.RUNNING)
    assert stand.world.hosts_running(DB) == (other,)
    stand.keep(2 * MINUTE, Seconds(20))
    assert len(stand.points()) == 1


def test_a_server_that_is_wanted_again_is_not_kept_waiting_by_its_backup(tmp_path: Path) -> None:
    stand = Stand(tmp_path, timing=replace(RARELY, bytes_read_a_second=2**16))
    for piece in range(8):
        stand.world.write_bytes(DB, LAST_QUARTER + piece * len(NOISE), NOISE)
    stop(stand, DB)
    asked = stand.ask()
    stand.keep(timedelta(seconds=30), Seconds(5))
    with stand.store.read() as tx:
        assert isinstance(tx.backup_run(asked).standing, Running)
    stand.set_power(DB, Power.RUNNING)
    for _ in range(60):
        stand.controller.tick()
        stand.keep(timedelta(seconds=1), Seconds(1))
    assert stand.world.answering(DB)
    with stand.store.read() as tx:
        run = tx.backup_run(asked)
        assert isinstance(run.standing, Requested)
        assert all(not point.whole for point in tx.recovery_points(system=RESIDENTS))
    # That is nobody's fault, and no event.
    assert stand.events("backup.failed") == []
    stand.close()


def test_volumes_are_part_of_their_server_from_the_first_backup_after_they_came(
    stand: Stand,
) -> None:
    stand.keep(MINUTE, Seconds(20))
    with stand.store.write() as tx:
        server = tx.server(DB)
        volume = tx.add_volume(
            Volume(
                VolumeId("vol-files"),
                server.tenant,
                tx.region_of(DB),
                "files",
                GiB(2),
                server.storage,
                stand.world.clock.now(),
                Attached(DB, 0),
            )
        )
    stand.until(lambda: _plugged(stand, volume.id))
    stand.world.write_bytes(DB, 1700 << 20, NOISE, volume=volume.id)
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    stand.world.write_bytes(DB, 1701 << 20, NOISE[:100], volume=volume.id)
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    first, second, third = stand.points()
    assert [disk.name for disk in of(first, DB).disks] == ["root"]
    root, came = of(second, DB).disks
    assert (root.name, root.how) == ("root", "changed")
    assert (came.name, came.how, came.why) == ("vol-files", "full", "new-disk")
    _, stayed = of(third, DB).disks
    assert (stayed.how, stayed.changed_bytes) == ("changed", 65536)
    # That a disk is new is no news.
    assert stand.events("backup.read-whole") == []
    assert stand.insist_on_bytes([first, second, third]) == 8
    with stand.vault() as vault:
        details = vault.details(vault.point(of(third, DB).point))
    assert details["volumes"] == [{"id": "vol-files", "name": "files", "size_gib": 2, "order": 0}]


def test_a_server_whose_reader_stands_still_is_let_go_by_whoever_takes_over(stand: Stand) -> None:
    stop(stand, DB)
    stand.ask()
    stand.live_until_paused(14)
    stand.set_power(DB, Power.RUNNING)
    for _ in range(30):
        stand.controller.tick()
        stand.world.clock.sleep(Seconds(1))
    # Its disk is held for a backup that nobody goes on with.
    assert not stand.world.hosts_running(DB)
    old = stand.vantage.gate
    stand.begin_anew()
    for _ in range(90):
        stand.controller.tick()
        stand.keep(timedelta(seconds=1), Seconds(1))
    assert stand.world.answering(DB)
    old.kill()
