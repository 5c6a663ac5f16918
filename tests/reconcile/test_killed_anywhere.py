"""The control plane is killed (SIGKILL) before every single thing it does, and started again.

The World lives in the test's process, the control plane in a child that kills itself before its Nth
change: a World call that can have an effect, or a commit that wrote something. Between two changes a
process only reads and thinks, so these are all the places that can make a difference to what is left
behind; being killed after change N is being killed before change N+1. A second child then goes on
from what the first one left.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from ortools.sat.python import cp_model  # so that no child has to load it
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, event

from control_plane.drivers.simulated import SimulatedWorld, Timing
from control_plane.model.access import AuditEntry, Role
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId
from control_plane.model.pool import Duty
from control_plane.model.units import Seconds
from control_plane.model.workload import Placed
from control_plane.placement import check
from control_plane.reconcile import Controller, Timings
from control_plane.store import Store
from tests.reconcile.world_elsewhere import WorldElsewhere, serve
from tests.scenarios.joining import MEMBER, TINY, join
from tests.scenarios.setting import Setting, read_setting

HERE = Path(__file__).parent
QUICK = Timing(
    guest_boot=Seconds(4),
    host_boot=Seconds(10),
    migration=Seconds(2),
    lease_renewal=Seconds(2),
    lease_ttl=Seconds(6),
    watchdog=Seconds(6),
    lease_margin=Seconds(2),
)
TICK = Seconds(2)
DEADLINE = Seconds(600)
MOST_CHANGES = 2000
FORK = multiprocessing.get_context("fork")


class Dies:
    """Kills this very process before its `at`th change; never, when `at` is None."""

    def __init__(self, at: int | None) -> None:
        self._at = at
        self.changes = 0
        self._written: dict[int, int] = {}

    def __call__(self, _what: str) -> None:
        if self.changes == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.changes += 1

    def watch_commits(self) -> None:
        """Also count the commits that wrote something (SQLite tells how many rows ever were)."""

        @event.listens_for(Engine, "commit")
        def before_commit(connection: SqlConnection) -> None:
            raw = connection.connection.dbapi_connection
            written = raw.total_changes
            if written != self._written.get(id(raw), 0):
                self._written[id(raw)] = written
                self("commit")


WARM = cp_model.CpModel


@functools.cache
def the_setting() -> Setting:
    return read_setting(HERE / "killed-anywhere.yaml")


def live(state: Path, pipe: Connection, die_at: int | None) -> None:
    """A control plane's whole life, in its own process, until the story is over."""
    dies = Dies(die_at)
    store = Store.open(f"sqlite:///{state}")
    dies.watch_commits()
    world = WorldElsewhere(pipe, dies)
    controller = Controller(store, world, f"process-{os.getpid()}", Timings(lease_ttl=Seconds(5)))
    while not is_over(store):
        controller.tick()
        ask_as_operators_do(store, world)
        world.clock.sleep(TICK)
        if world.clock.monotonic() > DEADLINE:
            world.line.finish(("late", dies.changes))
            break
    else:
        world.line.finish(("over", dies.changes))
    os._exit(0)


def ask_as_operators_do(store: Store, world: WorldElsewhere) -> None:
    """Drain kyoto-2 once the dead host is back, and return it once it is empty, each exactly once."""
    with store.read() as tx:
        asked = {entry.action for entry in tx.audit(after=0, limit=100)}
        hosts = {host.id: host for host in tx.hosts()}
    all_up = all(isinstance(host.health, Up) for host in hosts.values())
    drained = hosts[HostId("kyoto-2")]
    if "drain" not in asked and all_up and world.clock.monotonic() > 60:
        ask(store, world, "drain", Duty.DRAINING)
    elif "drain" in asked and "return" not in asked and drained.duty is Duty.MAINTENANCE:
        ask(store, world, "return", Duty.IN_SERVICE)


def ask(store: Store, world: WorldElsewhere, action: str, duty: Duty) -> None:
    with store.write() as tx:
        tx.save_host(replace(tx.host(HostId("kyoto-2")), duty=duty))
        tx.add_audit(
            AuditEntry(
                world.clock.now(), "sato", Role.OPERATOR, None, action, "host:kyoto-2", "done"
            )
        )


def is_over(store: Store) -> bool:
    with store.read() as tx:
        if not any(entry.action == "return" for entry in tx.audit(after=0, limit=100)):
            return False
        hosts, servers = tx.hosts(), tx.servers()
        all_told = tx.announced().get("people") == tx.last_event()
    return (
        all_told
        and all(isinstance(h.health, Up) and h.duty is Duty.IN_SERVICE for h in hosts)
        and all(isinstance(s.placement, Placed) for s in servers)
        and all(s.seen == "running" for s in servers)
    )


def prepare(state: Path) -> SimulatedWorld:
    """A pool that is up, with its servers running, at 30 s; then a host dies, and comes back."""
    setting = the_setting()
    pools = [pool for site in setting.pool.sites for pool in site.storage_pools]
    world = SimulatedWorld(storage=pools, timing=QUICK)
    store = Store.open(f"sqlite:///{state}")
    now = datetime(2026, 4, 1, tzinfo=UTC)
    with store.write() as tx:
        for region in setting.pool.regions:
            tx.put_region(region)
        for site in setting.pool.sites:
            tx.put_site(site)
        for flavor in setting.pool.flavors:
            tx.put_flavor(flavor)
        tx.put_image(TINY)
        tx.add_tenant(MEMBER)
        for described in setting.pool.hosts:
            tx.put_host_description(setting.host(described.id, now))
    first = Controller(store, world, "builder", Timings(lease_ttl=Seconds(1)))
    settle(first, world, lambda: all(isinstance(h.health, Up) for h in hosts_of(store)))
    for system in setting.systems:
        join(store, setting.pool.regions[0].id, system, now)
    settle(first, world, lambda: all(world.answering(s.id) for s in servers_of(store)))
    world.clock.sleep(Seconds(60 - world.clock.monotonic()))
    victim = HostId("kyoto-1")
    world.at(Seconds(61), lambda: world.crash(victim))
    for presses in range(85, 400, 20):  # a late fence may switch it off once more
        world.at(Seconds(presses), lambda: world.power_on(victim))
    store.close()
    return world


def settle(controller: Controller, world: SimulatedWorld, done: Callable[[], bool]) -> None:
    while not done():
        controller.tick()
        world.clock.sleep(Seconds(1))
        assert world.clock.monotonic() < 50


def hosts_of(store: Store):
    with store.read() as tx:
        return tx.hosts()


def servers_of(store: Store):
    with store.read() as tx:
        return tx.servers()


def run_child(state: Path, world: SimulatedWorld, die_at: int | None) -> tuple[str, int] | None:
    """What the child said when it ended, None when it was killed."""
    ours, theirs = FORK.Pipe()
    child = os.fork()
    if child == 0:
        ours.close()
        try:
            live(state, theirs, die_at)
        finally:
            os._exit(1)
    theirs.close()
    said = serve(world, ours)
    ours.close()
    _, status = os.waitpid(child, 0)
    if said is None:
        assert os.WIFSIGNALED(status), "the control plane ended by an error of its own"
        assert os.WTERMSIG(status) == signal.SIGKILL
    return said


@dataclass(frozen=True)
class Beginning:
    """What every run starts from: a state file to copy, and a World that forks with the process."""

    state: Path
    world: SimulatedWorld


BEGINNING: list[Beginning] = []


def killed_before_change(number: int) -> bool:
    """Play the story with a kill before that change; False when the story has fewer changes.

    Runs in a process of its own, since it uses up the World."""
    (beginning,) = BEGINNING
    place = beginning.state.parent / f"killed-{number}"
    place.mkdir()
    state = Path(shutil.copy(beginning.state, place))
    world = beginning.world
    said = run_child(state, world, number)
    killed = said is None
    if killed:
        said = run_child(state, world, None)
    assert said is not None
    assert said[0] == "over", f"killed before change {number}, it never came to rest"
    examine(state, world, number)
    shutil.rmtree(place)
    return killed


def examine(state: Path, world: SimulatedWorld, number: int) -> None:
    where = f"killed before change {number}"
    assert world.violations == [], where
    assert world.double_started == 0, where
    world.clock.sleep(Seconds(30))
    store = Store.open(f"sqlite:///{state}")
    try:
        with store.read() as tx:
            servers, ledger = tx.servers(), tx.ledger(the_setting().pool.regions[0].id)
            events, announced = tx.events(after=0, limit=10_000), tx.announced()
    finally:
        store.close()
    assert len(servers) == sum(len(system.servers) for system in the_setting().systems), where
    assert check(ledger) == (), where
    told = {event.sequence for event in world.told}
    assert all(event.sequence in told for event in events), where
    assert announced == {"people": events[-1].sequence}, where
    for server in servers:
        assert isinstance(server.placement, Placed), where
        home = server.placement.host
        assert world.hosts_running(server.id) == (home,), where
        assert world.answering(server.id), where
        assert world.records(server.id) > 0, where
        assert world.records_intact(server.id), where
        defined = [m.host.id for m in world.machines.values() if server.id in m.definitions]
        assert defined == [home], where


def test_a_control_plane_killed_before_anything_it_does_leaves_nothing_lost_or_doubled(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state.db"
    BEGINNING[:] = [Beginning(state, prepare(state))]
    workers = min(4, os.cpu_count() or 1)
    killed = 0
    # Or every child would look through, and so copy, all that its parent ever loaded.
    gc.collect()
    gc.freeze()
    with FORK.Pool(workers, maxtasksperchild=1) as pool:
        for was_killed in pool.imap(killed_before_change, range(MOST_CHANGES)):
            if not was_killed:
                break
            killed += 1
    assert 50 < killed < MOST_CHANGES
