"""A process that loses its lease and leads again takes nothing of then for what is asked now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.drivers.world import Sign
from control_plane.model.fence import FenceMethod, FenceWord
from control_plane.model.host_health import Confirmed, Fenced
from control_plane.model.ids import ServerId
from control_plane.model.pool import Duty, Host, Zone
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed, Power, Seen, Server
from control_plane.placement import check
from control_plane.reconcile.convergence import Stop
from control_plane.reconcile.detection import Hearing
from control_plane.reconcile.disk_care import DiskCare
from control_plane.reconcile.disk_errands import NOTHING_DONE
from control_plane.reconcile.disks import RestoreSnapshot
from control_plane.reconcile.errands import Errands
from control_plane.reconcile.host_care import HostCare
from control_plane.reconcile.leadership import LEASE_NAME
from control_plane.reconcile.records import Records
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, Store
from control_plane.store.failures import state_unreachable
from tests.reconcile.small_pool import REGION, SmallPool
from tests.scenarios.disks import Owner
from tests.scenarios.setting import ServerSetting, SystemSetting

TIMINGS = Timings()
CHANNELS = ("management-network", "storage-heartbeat")
OFFICE = SystemSetting(
    "office",
    1,
    Zone.LGWAN,
    (ServerSetting("office-db", "db", "small"), ServerSetting("office-app", "app", "small")),
)


@pytest.fixture
def pool(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    yield SmallPool(store)
    store.close()


def lease_for(pool: SmallPool, holder: str) -> Lease:
    """Once whoever has it has not renewed it for long enough."""
    pool.world.clock.sleep(Seconds(TIMINGS.lease_ttl + 1))
    lease = pool.store.acquire_lease(LEASE_NAME, holder, TIMINGS.lease_ttl, pool.world.clock.now())
    assert lease is not None
    return lease


def test_what_ended_under_an_earlier_lease_is_nobodys_and_nothing_is_begun_beside_it(pool):
    earlier, now = lease_for(pool, "a"), lease_for(pool, "a")
    under_way: UnderWay[str, str, str] = UnderWay(pool.world)
    clock = pool.world.virtual_clock

    def slow() -> str:
        clock.sleep(Seconds(10))
        return "done"

    under_way.begin("tax-db", "restore", slow, earlier)
    assert list(under_way.ended(now)) == []
    assert "tax-db" in under_way
    with pytest.raises(ValueError, match="under way"):
        under_way.begin("tax-db", "restore", slow, now)
    clock.sleep(Seconds(11))
    assert list(under_way.ended(now)) == []
    under_way.begin("tax-db", "restore", slow, now)
    clock.sleep(Seconds(11))
    ((key, thing, pending),) = under_way.ended(now)
    assert (key, thing, pending.result()) == ("tax-db", "restore", "done")


def test_a_result_that_cannot_be_dealt_with_leaves_the_others_where_they_are(pool):
    lease = lease_for(pool, "a")
    under_way: UnderWay[str, None, str] = UnderWay(pool.world)
    for key in ("tax-db", "library-web"):
        under_way.begin(key, None, lambda: "done", lease)
    for _ in under_way.ended(lease):
        break  # as an exception would
    assert [key for key, _, _ in under_way.ended(lease)] == ["library-web"]


def at_work(pool: SmallPool) -> ServerId:
    """A pool that is up and proved, and its database server, which answers."""
    pool.until(pool.all_up)
    pool.admit(OFFICE)
    pool.until(lambda: all(pool.world.answering(each.id) for each in servers(pool)))
    pool.until(lambda: not uncovered(pool))
    return ServerId("office-db")


def servers(pool: SmallPool) -> tuple[Server, ...]:
    with pool.store.read() as tx:
        return tx.servers()


def uncovered(pool: SmallPool) -> bool:
    with pool.store.read() as tx:
        return bool(check(tx.ledger(REGION)))


def test_what_hung_since_an_earlier_lease_does_nothing_more_when_the_same_process_leads_again(pool):
    database = at_work(pool)
    pool.world.make_guest_deaf(database)
    with pool.store.write() as tx:
        tx.save_server(replace(tx.server(database), power=Power.STOPPED))
    pool.controller.tick()  # It asks the guest to stop, and would cut its power after a minute.
    pool.store.release_lease(lease_for(pool, "another"))
    pool.controller.tick()
    pool.world.clock.sleep(TIMINGS.stop_grace)
    assert pool.world.answering(database)
    pool.until(lambda: not pool.world.answering(database))


def test_an_errand_that_cannot_ask_whether_it_is_wanted_stops_and_is_no_failure(pool):
    database = at_work(pool)
    lease = lease_for(pool, "another")

    def nobody_answers(*_: object) -> bool:
        raise state_unreachable("db.example")

    errands = Errands(pool.world, TIMINGS, nobody_answers)
    server = next(each for each in servers(pool) if each.id == database)
    assert isinstance(server.placement, Placed)
    hosts = {host.id: host for host in map(pool.host, (1, 2, 3))}
    stop = Stop(server, server.placement.host, server.generation, hard=True)
    errands.begin(stop, hosts, None, lease)
    assert list(errands.settle(lease)) == []
    assert errands.may_try(database)
    assert pool.world.answering(database)


def test_a_process_that_leads_again_proves_anew_what_it_had_proved(pool):
    at_work(pool)
    between = lease_for(pool, "another")
    with pool.store.write(between) as tx:
        refuges = tx.ledger(REGION).certificate.refuges
        tx.set_refuges(REGION, dict.fromkeys(refuges))
    pool.store.release_lease(between)
    assert uncovered(pool)
    pool.controller.tick()
    assert not uncovered(pool)


def test_a_restore_that_was_asked_for_before_the_last_one_ends_nothing(pool):
    database = at_work(pool)
    owner = Owner(pool.store, pool.world.clock.now)
    owner.take(database, "monday")
    pool.until(lambda: owner.snapshot("monday").taken_at is not None)
    with pool.store.write() as tx:
        tx.save_server(replace(tx.server(database), power=Power.STOPPED))
    pool.until(lambda: servers(pool)[1].seen is Seen.STOPPED)
    with pool.store.read() as tx:
        before = tx.server(database)
    owner.restore("monday")
    assert isinstance(before.placement, Placed)
    asked_before = RestoreSnapshot(before, before.placement.host, owner.snapshot("monday"))
    lease = lease_for(pool, "another")
    care = DiskCare(pool.store, pool.world, TIMINGS)
    care.record(asked_before, NOTHING_DONE, None, lease)
    assert owner.snapshot("monday").restoring


class Watch:
    """The care for the hosts of a pool by a process that leads, and the death of one that carries servers."""

    def __init__(self, pool: SmallPool) -> None:
        at_work(pool)
        self.pool = pool
        self.victim = next(h for h in map(pool.host, (1, 2, 3)) if self._carries(h)).id
        self.lease = lease_for(pool, "watch")
        self.care = HostCare(pool.store, pool.world, Records(pool.store), TIMINGS)

    def _carries(self, host: Host) -> bool:
        return any(server.placement == Placed(host.id) for server in servers(self.pool))

    def host(self) -> Host:
        return self.pool.host(int(self.victim[-1]))

    def dies(self) -> Confirmed:
        """As it is found out, once more."""
        death = Confirmed(self.pool.world.clock.now(), CHANNELS)
        with self.pool.store.write() as tx:
            tx.save_host(replace(tx.host(self.victim), health=death))
        return death

    def looks(self) -> None:
        with self.pool.store.read() as tx:
            hosts = tx.hosts()
        signs = {host.id: dict.fromkeys(CHANNELS, Sign.ALIVE) for host in hosts}
        signs[self.victim] = dict.fromkeys(CHANNELS, Sign.SILENT)
        now = self.pool.world.clock.now()
        self.care.fence(hosts, Hearing(now, CHANNELS[0], signs), self.lease)

    def words(self) -> tuple[FenceWord, ...]:
        with self.pool.store.read() as tx:
            return tx.fence_words()


@pytest.fixture
def watch(pool: SmallPool) -> Watch:
    return Watch(pool)


def test_a_fence_proves_the_death_that_it_was_begun_for_and_no_later_one(watch):
    clock = watch.pool.world.virtual_clock
    watch.dies()
    watch.looks()
    clock.sleep(
        Seconds(5)
    )  # The fence has held by now. The host is switched on, and dies once more.
    death = watch.dies()
    watch.looks()
    assert watch.host().health == death
    clock.sleep(Seconds(5))
    watch.looks()
    fenced = watch.host().health
    assert isinstance(fenced, Fenced)
    assert fenced.evidence.at > death.since


def test_a_fence_that_held_long_before_anybody_looked_is_made_again(watch):
    clock = watch.pool.world.virtual_clock
    watch.dies()
    watch.looks()
    clock.sleep(Seconds(TIMINGS.fence_lasts + 5))
    back = clock.now()
    watch.looks()
    assert isinstance(watch.host().health, Confirmed)
    clock.sleep(Seconds(5))
    watch.looks()
    fenced = watch.host().health
    assert isinstance(fenced, Fenced)
    assert fenced.evidence.at > back


def test_what_an_operator_asks_for_is_not_answered_by_a_fence_that_failed_before_it(watch):
    clock = watch.pool.world.virtual_clock
    watch.pool.world.kill_bmc(watch.victim)
    watch.dies()
    watch.looks()
    word = FenceWord(watch.victim, "Sato", "Now, please.", FenceMethod.POWER_OFF, clock.now())
    with watch.pool.store.write() as tx:
        tx.add_fence_word(word)
    clock.sleep(Seconds(20))
    watch.looks()
    assert watch.words() == (word,)
    watch.pool.world.repair_bmc(watch.victim)
    for _ in range(6):
        clock.sleep(Seconds(5))
        watch.looks()
    assert isinstance(watch.host().health, Fenced)
    assert watch.host().duty is Duty.MAINTENANCE
    assert watch.words() == ()
