"""As long as a server's disks are being copied, nothing parts them from the copying, and what has to wait says for what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backup.keeper.sources import readable
from control_plane.admission import move, resize
from control_plane.drivers.protocol import DisksBusy
from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.backup.work import (
    Failed,
    Restored,
    RestorePhase,
    RestoreTarget,
    RestoreTo,
    Waiting,
)
from control_plane.model.errors import YuiError
from control_plane.model.export import ExportedDisk
from control_plane.model.ids import FlavorId, OperationId
from control_plane.model.pool import Duty
from control_plane.model.units import GiB, Seconds
from control_plane.model.volume import Unattached, Volume
from control_plane.model.workload import Flavor, Placed, Power, Seen, Server
from control_plane.store import Transaction
from tenants import lifecycle, shelving
from tenants.asking import Asker
from tenants.leaving.disks import DiskErrand
from tenants.leaving.export_directory import ExportDirectory
from tenants.volumes import growing, snapshots, volumes
from tests.backup.keeper.stand import RESIDENTS
from tests.backup.restore.restoring import DB, HOUR, IN_PLACE, asleep, with_a_group
from tests.backup.restore.restoring import Restoring as Stand
from tests.backup.restore.test_at_once import leaning, second, until_phase

NOW = RestoreTarget(RestoreTo.NEW, name="again", at_once=True)
LARGE = FlavorId("large")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    yield stand
    stand.close()


def slowly(stand: Stand) -> None:
    around = stand.world.around
    around.timing = replace(around.timing, bytes_read_a_second=8 * 2**20)


def asker(stand: Stand) -> Asker:
    who = Principal("token-1", "Sato", Role.OPERATOR, None)
    return Asker(who, stand.world.clock.now())


def volume_of(stand: Stand, server: Server) -> Volume:
    with stand.store.read() as tx:
        (found,) = tx.volumes(server=server.id)
    return found


def changes(stand: Stand, id: Server) -> dict[str, Callable[[], object]]:
    """All that would part a disk of the server from its copying."""
    by, store = asker(stand), stand.store

    def written(change: Callable[[Transaction], object]) -> Callable[[], object]:
        def make() -> None:
            with store.write() as tx:
                change(tx)

        return make

    def keep(*_: object) -> None:
        """Nobody asks again."""

    volume = volume_of(stand, id)
    return {
        "detach": written(lambda tx: volumes.detach(tx, volume, by, keep)),
        "grow": lambda: growing.grow(store, volume.id, GiB(volume.size + 1), by, keep),
        "snapshot": lambda: snapshots.create(store, id.id, "before-noon", by, keep),
        "rebuild": written(lambda tx: lifecycle.rebuild(tx, tx.server(id.id), id.image, by, keep)),
        "shelve": written(lambda tx: shelving.shelve(tx, tx.server(id.id), by, keep)),
        "resize": lambda: resize(store, id.id, LARGE, keep, keep),
        "move": lambda: move(store, id.id, None, None),
    }


def exported(stand: Stand, folder: Path) -> DiskErrand:
    server, operation = stand.server(DB), OperationId("op-leaving")
    disk = ExportedDisk(operation, "db.qcow2", server.tenant, DB, build=server.disk_build)
    lease = stand.store.acquire_lease("leaving", "one", Seconds(60), stand.world.clock.now())
    assert lease is not None
    export = ExportDirectory(folder / "leaving").of(server.tenant, operation)
    return DiskErrand(stand.store, stand.world, export, disk, lease, 2**20)


def test_nothing_parts_a_disk_from_its_copying_until_it_is_whole(
    stand: Stand, tmp_path: Path
) -> None:
    with stand.store.write() as tx:
        small = tx.server(DB)
        tx.put_flavor(Flavor(LARGE, small.size, GiB(small.disk + 1)))
    point = stand.until_copied(HOUR)
    slowly(stand)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    id = stand.want(point, asleep(replace(IN_PLACE, at_once=True)))
    until_phase(stand, id, RestorePhase.COPYING)
    assert len(leaning(stand)) == 3
    for change in changes(stand, stand.server(DB)).values():
        with pytest.raises(YuiError) as refused:
            change()
        assert refused.value.type == "server-disks-busy"
        assert refused.value.status == 409
        assert "recovery point" in refused.value.en
        assert "復元ポイント" in refused.value.ja
    with stand.store.read() as tx:
        waits = readable(tx, RESIDENTS).waits
    assert waits is not None
    assert "have been copied" in waits.en
    export = exported(stand, tmp_path)
    with pytest.raises(DisksBusy, match="recovery point"):
        export.run()
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert leaning(stand) == []
    changes(stand, stand.server(DB))["detach"]()
    stand.until(lambda: all(isinstance(v.attachment, Unattached) for v in all_volumes(stand)))


def all_volumes(stand: Stand) -> tuple[Volume, ...]:
    with stand.store.read() as tx:
        return tx.volumes()


def test_a_volume_that_was_left_in_part_goes_to_no_other_server(stand: Stand) -> None:
    point = stand.until_copied(HOUR)
    slowly(stand)
    id = stand.want(point, NOW)
    until_phase(stand, id, RestorePhase.COPYING)
    made = stand.made(id)["db"]
    left = volume_of(stand, made)
    with stand.store.write() as tx:
        lifecycle.delete(tx, tx.server(made.id), asker(stand), lambda _: None)
    stand.until(lambda: made.id not in stand.servers())
    with stand.store.write() as tx:
        part, other, by = tx.volume(left.id), tx.server(DB), asker(stand)
        with pytest.raises(YuiError) as refused:
            volumes.attach(tx, part, other, by, lambda _: None)
    assert refused.value.type == "volume-in-part"
    assert "recovery point" in refused.value.en
    with pytest.raises(YuiError) as refused:
        growing.grow(stand.store, part.id, GiB(part.size + 1), by, lambda *_: None)
    assert refused.value.type == "volume-in-part"
    with stand.store.write() as tx:
        volumes.delete(tx, tx.volume(left.id), asker(stand), lambda _: None)
    stand.until(lambda: left.id not in {each.id for each in all_volumes(stand)})
    assert isinstance(stand.until_ended(id).standing, Restored)


def test_a_volume_that_is_taken_off_before_it_leans_is_left_alone(stand: Stand) -> None:
    point = stand.until_copied(HOUR)
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    with stand.store.write() as tx:
        (ledger,) = tx.volumes(server=DB)
        volumes.detach(tx, ledger, asker(stand), lambda _: None)
    id = stand.want(point, replace(IN_PLACE, at_once=True))
    ended = stand.until_ended(id)
    assert not isinstance(ended.standing, Restored | Waiting)
    assert leaning(stand) == []


def test_a_drain_waits_for_disks_that_are_copied_and_says_so_once(stand: Stand) -> None:
    with stand.store.write() as tx:
        tx.put_region(replace(tx.regions()[0], promised=frozenset()))
    point = stand.until_copied(HOUR)
    slowly(stand)
    id = stand.want(point, NOW)
    until_phase(stand, id, RestorePhase.COPYING)
    made = stand.made(id)["db"]
    stand.until(lambda: stand.world.answering(made.id))
    home = stand.server(made.id).placement
    assert isinstance(home, Placed)
    with stand.store.write() as tx:
        tx.save_host(replace(tx.host(home.host), duty=Duty.DRAINING))
    for _ in range(60):
        second(stand)
    assert leaning(stand)
    stuck = [each for each in stand.events("host.drain-stuck") if made.id in each.en]
    assert len(stuck) == 1
    assert "recovery point" in stuck[0].en
    assert "復元ポイント" in stuck[0].ja
    assert stand.events("server.move-given-up") == []
    assert isinstance(stand.until_ended(id).standing, Restored)

    def emptied() -> bool:
        with stand.store.read() as tx:
            return tx.host(home.host).duty is Duty.MAINTENANCE

    stand.until(emptied)
    assert stand.world.answering(made.id)


@pytest.mark.long
def test_a_long_copying_keeps_no_other_restore_waiting(stand: Stand) -> None:
    point = stand.until_copied(HOUR)
    slowly(stand)
    stand.restores.at_once = 1
    long = stand.want(point, NOW)
    until_phase(stand, long, RestorePhase.COPYING)
    file = stand.want(point, RestoreTarget(RestoreTo.FILE))
    new = stand.want(point, RestoreTarget(RestoreTo.NEW, name="beside"))
    for _ in range(40):
        second(stand)
    assert isinstance(stand.job(file).standing, Restored)
    assert isinstance(stand.job(new).standing, Restored)
    assert leaning(stand)
    stand.restores.leaning_at_once = 1
    waits = stand.want(point, replace(NOW, name="later"))
    for _ in range(10):
        second(stand)
    assert isinstance(stand.job(waits).standing, Waiting)
    assert isinstance(stand.until_ended(long).standing, Restored)
    assert isinstance(stand.until_ended(waits).standing, Restored)


def test_groups_volumes_are_put_back_once_and_only_where_servers_may_be(stand: Stand) -> None:
    group = with_a_group(stand)
    point = stand.until_copied(HOUR)
    group.volumes["data"].put(b"list", b"spoiled")
    group.running = False
    refused = stand.until_ended(stand.want(point, replace(IN_PLACE, at_once=True)))
    assert isinstance(refused.standing, Failed)
    assert group.volumes["data"].files[b"list"].content == b"spoiled"
    stand.set_all_power(Power.STOPPED, Seen.STOPPED)
    slowly(stand)
    id = stand.want(point, replace(IN_PLACE, at_once=True))
    until_phase(stand, id, RestorePhase.COPYING)
    assert group.volumes["data"].files[b"list"].content == b"one"
    # The group works again when somebody else goes on with the servers.
    group.volumes["data"].put(b"list", b"one and two")
    group.running = True
    stand.process.gate.kill()
    stand.another_one_takes_over()
    assert isinstance(stand.until_ended(id).standing, Restored)
    assert group.volumes["data"].files[b"list"].content == b"one and two"
