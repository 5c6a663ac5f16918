"""Members who join all the time keep nobody from noticing that a host has died."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.drivers.world import Sign
from control_plane.model.fence import FenceMethod, FenceWord
from control_plane.model.host_health import Confirmed, Fenced, Suspect
from control_plane.model.ids import HostId
from control_plane.model.pool import Duty, Host, Zone
from control_plane.model.units import Seconds
from control_plane.reconcile.detection import Hearing
from control_plane.reconcile.host_care import HostCare
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.records import Records
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, Store
from tests.reconcile.small_pool import SmallPool
from tests.scenarios.setting import ServerSetting, SystemSetting

TIMINGS = Timings()
CHANNELS = ("management-network", "storage-heartbeat")
VICTIM = HostId("kyoto-1")


class Watch:
    """A pool whose hosts are up, and the care for them by a process that leads."""

    def __init__(self, store: Store) -> None:
        self.pool = SmallPool(store)
        self.pool.until(self.pool.all_up)
        self.pool.controller._leadership.give_up()
        leadership = Leadership(store, self.pool.world.clock, "watch", TIMINGS)
        held = leadership.hold()
        assert held is not None
        self.lease: Lease = held
        self.care = HostCare(store, self.pool.world, Records(store), TIMINGS)
        self._joined = 0

    def hosts(self) -> list[Host]:
        with self.pool.store.read() as tx:
            return list(tx.hosts())

    def hearing(self, victim: Sign) -> Hearing:
        return Hearing(
            self.pool.world.clock.now(),
            CHANNELS[0],
            {
                host.id: dict.fromkeys(CHANNELS, victim if host.id == VICTIM else Sign.ALIVE)
                for host in self.hosts()
            },
        )

    def members_join_everywhere(self) -> None:
        """Two servers that are kept apart, on three hosts: the third is the refuge of both."""
        self._joined += 1
        name = f"joined-{self._joined}"
        servers = tuple(
            ServerSetting(f"{name}-{n}", f"app-{n}", "small", group=name) for n in range(2)
        )
        before = {host.id: host.generation for host in self.hosts()}
        self.pool.admit(SystemSetting(name, 1, Zone.LGWAN, servers))
        assert all(host.generation > before[host.id] for host in self.hosts())

    def one_joins_upon(self, host: HostId) -> list[Host]:
        """Hosts as they were read right before somebody else's change moved that one's generation."""
        hosts = self.hosts()
        with self.pool.store.write() as tx:
            tx.guard_hosts({host: tx.host(host).generation})
        return hosts


@pytest.fixture
def watch(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    yield Watch(store)
    store.close()


def test_a_host_is_suspected_while_members_join_between_every_look_and_its_record(watch):
    watch.care.listen(watch.hosts())
    for _ in range(4):
        hosts = watch.hosts()
        watch.members_join_everywhere()
        watch.care.judge(hosts, watch.hearing(Sign.SILENT), watch.lease)
        watch.pool.world.clock.sleep(Seconds(1))
    assert isinstance(watch.pool.host(1).health, Suspect)


def test_a_hosts_death_is_confirmed_while_its_generation_moves_on_all_the_time(watch):
    watch.care.listen(watch.hosts())
    for _ in range(8):
        hosts = watch.one_joins_upon(VICTIM)
        watch.care.judge(hosts, watch.hearing(Sign.SILENT), watch.lease)
        watch.pool.world.clock.sleep(Seconds(1))
    assert isinstance(watch.pool.host(1).health, Confirmed)


def test_a_health_that_somebody_else_changed_meanwhile_is_left_to_the_next_look(watch):
    watch.care.listen(watch.hosts())
    for _ in range(4):
        watch.care.judge(watch.hosts(), watch.hearing(Sign.SILENT), watch.lease)
        watch.pool.world.clock.sleep(Seconds(1))
    suspected = watch.hosts()
    assert isinstance(suspected[0].health, Suspect)
    watch.care.judge(suspected, watch.hearing(Sign.ALIVE), watch.lease)
    later = watch.pool.host(1).health
    assert watch.care.judge(suspected, watch.hearing(Sign.SILENT), watch.lease) == 0
    assert watch.pool.host(1).health == later


def test_a_fence_is_recorded_though_the_hosts_generation_moved_on(watch):
    word = FenceWord(
        VICTIM, "sato", "I cut its power.", FenceMethod.POWER_OFF, watch.pool.world.clock.now()
    )
    with watch.pool.store.write() as tx:
        tx.add_fence_word(word)
    watch.care.listen(watch.hosts())
    for _ in range(60):
        hosts = watch.one_joins_upon(VICTIM)
        watch.care.fence(hosts, watch.hearing(Sign.SILENT), watch.lease)
        if isinstance(watch.pool.host(1).health, Fenced):
            break
        watch.pool.world.clock.sleep(Seconds(1))
    host = watch.pool.host(1)
    assert isinstance(host.health, Fenced)
    assert host.duty is Duty.MAINTENANCE
