"""What was lost comes back: in place, as a new system, in another region, as files; and nothing else is lost by it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.records.agenda import points_to_expire
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.backup.places import LocationRule
from control_plane.model.backup.work import (
    Failed,
    Restored,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.operation import OperationState
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Power, Seen
from tests.backup.keeper.stand import FAR, MEMBER, PLACE, RESIDENTS, NoBlueprints
from tests.backup.keeper.test_copies_and_damage import NEAR, NEAR_PLACE, OSAKA
from tests.backup.restore.restoring import (
    APP,
    DB,
    HOUR,
    IN_PLACE,
    LEDGER,
    TO_OSAKA,
    Restoring,
    asleep,
    same,
)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Restoring]:
    stand = Restoring(tmp_path)
    yield stand
    stand.close()


def test_servers_start_again_from_what_they_had_and_what_came_later_is_gone(
    stand: Restoring,
) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    stand.world.write_note(DB, "encrypted by a stranger")
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(point, asleep(IN_PLACE))
    assert isinstance(stand.until_ended(id).standing, Restored)
    for server in (DB, APP):
        assert same(stand.on_disk(server), stand.as_frozen(point, server))
    (event,) = stand.events("restore.done")
    assert event.fields["repositories"] == [NEAR]
    # Nothing of what was there before takes room any more.
    db = stand.server(DB)
    assert stand.world.around.pools[db.storage].builds(DB) == {db.disk_build}

    again = stand.want(point, IN_PLACE)
    assert isinstance(stand.until_ended(again).standing, Restored)
    stand.until(lambda: all(map(stand.world.answering, (DB, APP))))
    assert stand.world.notes(DB) == ("moved in: Tanaka",)
    assert stand.world.around.monitor.violations == []
    with stand.store.read() as tx:
        operation = tx.operation(stand.job(again).operation)
    assert operation.state is OperationState.DONE


def test_a_server_that_is_started_meanwhile_keeps_its_disks(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    stand.world.write_note(DB, "paid: Suzuki")
    id = stand.want(point, IN_PLACE)
    ended = stand.until_ended(id).standing
    assert isinstance(ended, Failed)
    assert "not stopped" in ended.trouble.en
    assert stand.world.notes(DB) == ("paid: Suzuki",)
    assert stand.server(DB).disk_build == 0


def test_one_disk_comes_back_and_the_others_stay(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    stand.world.write_note(DB, "later")
    volume = stand.world.data_volume(LEDGER)
    assert volume is not None
    volume.notes.append("a wrong entry")
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    before = stand.on_disk(DB)["root"]
    id = stand.want(point, asleep(replace(IN_PLACE, disks=(LEDGER,))))
    assert isinstance(stand.until_ended(id).standing, Restored)
    found = stand.on_disk(DB)
    assert found["ledger"].notes == ("deposits of March",)
    assert same({"root": found["root"]}, {"root": before})


def test_a_new_system_has_the_disks_of_the_old_one_and_starts_in_its_order(
    stand: Restoring,
) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    id = stand.want(point, asleep(RestoreTarget(RestoreTo.NEW, name="as of March")))
    assert isinstance(stand.until_ended(id).standing, Restored)
    made = stand.made(id)
    # The volume's own name is still taken.
    found = {name.partition("-")[0]: disk for name, disk in stand.on_disk(made["db"].id).items()}
    assert same(found, stand.as_frozen(point, DB))
    assert stand.world.answering(DB)
    for server in made.values():
        stand.set_power(server.id, Power.RUNNING)
    stand.until(lambda: all(stand.world.answering(server.id) for server in made.values()))
    assert stand.world.notes(made["db"].id) == ("moved in: Tanaka",)
    assert made["db"].address != stand.server(DB).address


def test_after_the_loss_of_a_region_its_systems_run_in_another_from_the_copy_there(
    stand: Restoring,
) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    stand.world.bucket(NEAR_PLACE).burn_down()
    for host in ("kyoto-1", "kyoto-2"):
        stand.world.cut_power(host)
    id = stand.want(point, TO_OSAKA)
    assert isinstance(stand.until_ended(id).standing, Restored)
    made = stand.made(id)
    stand.until(lambda: all(stand.world.answering(server.id) for server in made.values()))
    assert stand.world.notes(made["db"].id) == ("moved in: Tanaka",)
    assert {_host(server)[:5] for server in made.values()} == {"osaka"}
    with stand.store.read() as tx:
        system = tx.system(made["db"].system)
        volumes = [v for v in tx.volumes() if v.server == made["db"].id]
    assert system.region == OSAKA
    assert [stand.world.data_volume(v.id).notes for v in volumes] == [["deposits of March"]]
    (event,) = stand.events("restore.done")
    assert event.fields["repositories"] == [FAR]


def _host(server: object) -> str:
    placement = getattr(server, "placement", None)
    assert isinstance(placement, Placed)
    return placement.host


@pytest.mark.parametrize("both", [False, True])
def test_what_is_damaged_in_one_repository_is_read_from_the_other(
    stand: Restoring, *, both: bool
) -> None:
    """Where both have lost something, what one has lost the other still has."""
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    near, far = stand.world.bucket(NEAR_PLACE), stand.world.bucket(PLACE)
    packs = near.keys("tenants/012220/packs/")
    largest = sorted(packs, key=lambda key: -len(near.bytes_of(key)))
    near.flip(largest[0], 100)
    if both:
        far.lose(largest[-1])
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(point, asleep(IN_PLACE))
    ended = stand.until_ended(id)
    assert isinstance(ended.standing, Restored), ended
    for server in (DB, APP):
        assert same(stand.on_disk(server), stand.as_frozen(point, server))
    (event,) = stand.events("restore.done")
    assert FAR in event.fields["repositories"]
    with stand.store.read() as tx:
        assert {finding.key for finding in tx.scrub_findings()} & set(largest)


def test_what_is_whole_nowhere_is_said_and_nothing_is_replaced(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    for bucket in (stand.world.bucket(NEAR_PLACE), stand.world.bucket(PLACE)):
        for key in bucket.keys("tenants/012220/packs/"):
            bucket.flip(key, 100)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    before = {server: stand.on_disk(server) for server in (DB, APP)}
    id = stand.want(point, IN_PLACE)
    new = stand.want(point, RestoreTarget(RestoreTo.NEW))
    assert isinstance(stand.until_ended(id).standing, Failed)
    assert isinstance(stand.until_ended(new).standing, Failed)
    for server in (DB, APP):
        assert same(stand.on_disk(server), before[server])
    stand.until(lambda: len(stand.servers()) == 2)
    with stand.store.read() as tx:
        assert [system.id for system in tx.systems()] == [RESIDENTS]
    assert len(stand.events("restore.failed")) == 2


def test_a_restore_that_was_killed_anywhere_ends_as_if_it_had_not_been(
    stand: Restoring,
) -> None:
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    frozen = {server: stand.as_frozen(point, server) for server in (DB, APP)}
    killed = 0
    for calls in range(1, 200, 4):
        id = stand.want(point, asleep(IN_PLACE))
        before = stand.on_disk(DB)
        was_killed = stand.live_until_killed(lambda made, calls=calls: made == calls)
        # Whatever it had come to: the server has one whole set of disks, the old or the new.
        assert same(stand.on_disk(DB), before) or same(stand.on_disk(DB), frozen[DB])
        stand.another_one_takes_over()
        assert isinstance(stand.until_ended(id).standing, Restored)
        for server in (DB, APP):
            assert same(stand.on_disk(server), frozen[server])
        if not was_killed:
            break
        killed += 1
    assert not was_killed
    assert killed > 5
    assert stand.world.around.monitor.violations == []


def test_a_new_system_whose_maker_was_killed_anywhere_is_made_once_and_whole(
    stand: Restoring,
) -> None:
    point = stand.until_copied(HOUR)
    frozen = stand.as_frozen(point, APP)
    target = asleep(RestoreTarget(RestoreTo.NEW, servers=(APP,)))
    for calls in range(1, 200, 5):
        id = stand.want(point, target)
        was_killed = stand.live_until_killed(lambda made, calls=calls: made == calls)
        stand.another_one_takes_over()
        assert isinstance(stand.until_ended(id).standing, Restored)
        (server,) = stand.made(id).values()
        assert same(stand.on_disk(server.id), frozen)
        if not was_killed:
            break
    assert not was_killed
    assert calls > 10


def test_disks_as_files_hold_what_the_disks_held(stand: Restoring, tmp_path: Path) -> None:
    stand.world.write_note(DB, "moved in: Tanaka")
    point = stand.until_copied(HOUR)
    for format in ("qcow2", "raw"):
        target = RestoreTarget(RestoreTo.FILE, servers=(DB,), format=format)
        id = stand.want(point, target)
        assert isinstance(stand.until_ended(id).standing, Restored)
        folder = stand.folder / "exports" / "012220" / "restores" / id / "residents-db"
        assert {path.name for path in folder.iterdir()} == {f"root.{format}", f"{LEDGER}.{format}"}
        raw = folder / "root.raw"
        if format == "qcow2":
            raw = tmp_path / "root.raw"
            subprocess.run(
                ["qemu-img", "convert", "-O", "raw", folder / "root.qcow2", raw], check=True
            )
        content = stand.as_frozen(point, DB)["root"]
        assert raw.stat().st_size == content.size
        assert raw.stat().st_blocks * 512 < 4 * 2**20
        with raw.open("rb") as file:
            for extent in content.extents():
                if extent.data:
                    file.seek(extent.offset)
                    assert file.read(extent.length) == content.read(extent.offset, extent.length)


def test_a_host_that_falls_silent_or_a_store_that_is_down_only_costs_time(
    stand: Restoring,
) -> None:
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(point, asleep(IN_PLACE))
    for place in (NEAR_PLACE, PLACE):
        stand.world.bucket(place).cut_link()
    for _ in range(3):
        stand.tick()
        stand.world.clock.sleep(Seconds(1))
    standing = stand.job(id).standing
    assert isinstance(standing, Waiting)
    assert standing.trouble is not None
    assert "could be read" in standing.trouble.en
    for place in (NEAR_PLACE, PLACE):
        stand.world.bucket(place).restore_link()
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert same(stand.on_disk(DB), stand.as_frozen(point, DB))


def test_nothing_is_restored_where_the_members_data_must_not_lie(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    now = stand.world.clock.now()
    places = frozenset({"京都府", "大阪府"})
    rule = LocationRule(
        MEMBER.code, places, frozenset({OSAKA}), "条例第5条", now.date(), "Sato", now
    )
    with stand.store.write() as tx:
        tx.put_location_rule(rule)
    id = stand.want(point, TO_OSAKA)
    assert isinstance(stand.until_ended(id).standing, Restored)
    with stand.store.write() as tx:
        tx.put_location_rule(replace(rule, regions=frozenset()))
    id = stand.want(point, TO_OSAKA)
    ended = stand.until_ended(id).standing
    assert isinstance(ended, Failed)
    assert "条例第5条" in ended.trouble.ja
    assert stand.job(id).made is None


def test_where_there_is_no_room_nothing_is_begun(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    with stand.store.write() as tx:
        region = stand.pool.regions[0].id
        tx.put_allotment(Allotment(MEMBER.code, region, Capacity(), Capacity()))
    id = stand.want(point, RestoreTarget(RestoreTo.NEW))
    ended = stand.until_ended(id).standing
    assert isinstance(ended, Failed)
    assert len(stand.servers()) == 2


def test_an_isolated_copy_is_on_no_network_and_is_not_backed_up_itself(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    id = stand.want(point, RestoreTarget(RestoreTo.ISOLATED))
    assert isinstance(stand.until_ended(id).standing, Restored)
    made = stand.made(id)
    stand.until(lambda: all(stand.world.answering(server.id) for server in made.values()))
    for server in made.values():
        assert isinstance(server.placement, Placed)
        definitions = stand.world.machines[server.placement.host].definitions
        assert definitions[server.id].isolated
    stand.keep(timedelta(hours=2))
    assert {each.system for each in stand.points()} == {RESIDENTS}


def test_a_point_stays_as_long_as_a_restore_needs_it(stand: Restoring) -> None:
    point = stand.until_copied(HOUR)
    with stand.store.write() as tx:
        tx.begin_removing_system(RESIDENTS)
        for server in (DB, APP):
            tx.remove_server(server)
        tx.remove_emptied_system(RESIDENTS)
    long_after = stand.world.clock.now() + timedelta(days=100)
    id = stand.want(point, RestoreTarget(RestoreTo.NEW))

    def going() -> list[str]:
        with stand.store.read() as tx:
            return [each.point.id for each in points_to_expire(tx, NoBlueprints(), long_after)]

    assert going() == []
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert going() == [point.id]


def test_what_is_read_over_a_line_keeps_to_its_budget(stand: Restoring) -> None:
    incompressible = random.Random(1).randbytes(2**20)  # noqa: S311 — no secret
    stand.world.write_bytes(DB, 3 * 2**28, incompressible)
    point = stand.until_copied(HOUR)
    with stand.store.write() as tx:
        tx.save_repository(replace(tx.repository(NEAR), region=TO_OSAKA.region))
    stand.narrow(1)
    clock = stand.world.clock
    begun = clock.monotonic()
    job = stand.until_ended(stand.want(point, asleep(RestoreTarget(RestoreTo.NEW))))
    assert isinstance(job.standing, Restored)
    assert clock.monotonic() - begun > len(incompressible) * 8 / 10**6
