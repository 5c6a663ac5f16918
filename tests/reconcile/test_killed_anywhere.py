"""The control plane is killed (SIGKILL) before every single thing it does, and another one goes on.

The World lives in one process, the control plane in a child of it, which is killed before each change
it makes: a World call that can have an effect, or a commit that wrote something. Between two changes a
process only reads and thinks, so these are all the places that can make a difference to what is left
behind; being killed after change N is being killed before change N+1.

What happens before change N+1 begins with all that happened before change N, so it is not played
again: before it is killed the child leaves a twin, a fork of itself, that does what it was about to do,
to be killed before the next change in turn. For each death the World forks as well, with a copy of the
files that are there after it, and another control plane goes on from those until all is well.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import multiprocessing
import os
import shutil
import signal
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
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
from tests.reconcile.world_elsewhere import (
    InTheSameProcess,
    Line,
    OverPipe,
    WorldElsewhere,
    serve,
    tell,
)
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
STATE = "state.db"
WORKERS = min(4, os.cpu_count() or 1)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
FORK = multiprocessing.get_context("fork")


class Dies:
    """Kills this very process before each change, once there is a twin of it to make the change."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.changes = 0
        self._written: dict[int, int] = {}

    def __call__(self, _what: str) -> None:
        dies = os.getpid()
        if os.fork() != 0:
            os.kill(dies, signal.SIGKILL)
        tell(self._pipe, Death(dies, os.getpid(), self.changes))
        self.changes += 1

    def watch_commits(self) -> None:
        """Also die before the commits that write something (SQLite tells how many rows ever were)."""

        @event.listens_for(Engine, "commit")
        def before_commit(connection: SqlConnection) -> None:
            raw = connection.connection.dbapi_connection
            written = raw.total_changes
            if written != self._written.get(id(raw), 0):
                self._written[id(raw)] = written
                self("commit")


@dataclass(frozen=True)
class Death:
    """Of the process `dead`, before change `number`; its `twin` lives on."""

    dead: int
    twin: int
    number: int


WARM = cp_model.CpModel


@functools.cache
def the_setting() -> Setting:
    return read_setting(HERE / "killed-anywhere.yaml")


def live(state: Path, line: Line) -> str:
    """A control plane's whole life, until the story is over; "late" where it never is."""
    with closing(Store.open(f"sqlite:///{state}")) as store:
        world = WorldElsewhere(line)
        timings = Timings(lease_ttl=Seconds(5))
        controller = Controller(store, world, f"process-{os.getpid()}", timings)
        while not is_over(store):
            controller.tick()
            ask_as_operators_do(store, world)
            world.clock.sleep(TICK)
            if world.clock.monotonic() > DEADLINE:
                return "late"
    return "over"


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


def rehearse(folder: Path) -> None:
    """A life in which nobody dies: what is worked out once by a process, such as what statements read
    like, needs not be worked out again by every child."""
    folder.mkdir()
    world = prepare(folder / STATE)
    assert live(folder / STATE, InTheSameProcess(world)) == "over"


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


class Deaths:
    """Lets another control plane go on after each death, some at a time."""

    def __init__(self, state: Path, world: SimulatedWorld) -> None:
        self._state = state
        self._world = world
        self._going_on: deque[tuple[int, int]] = deque()
        self.twin = 0

    def after(self, death: Death) -> None:
        """Keeps what is left now; the twin waits meanwhile."""
        _, status = os.waitpid(death.dead, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL
        self.twin = death.twin
        place = self._state.parent / f"killed-{death.number}"
        place.mkdir()
        for left in self._state.parent.glob(f"{self._state.name}*"):
            shutil.copy(left, place)
        while len(self._going_on) >= WORKERS:
            self._await_one()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                go_on(place, self._world, death.number)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        self._going_on.append((death.number, child))

    def await_all(self) -> None:
        while self._going_on:
            self._await_one()

    def _await_one(self) -> None:
        number, child = self._going_on.popleft()
        assert os.waitpid(child, 0)[1] == 0, f"killed before change {number}: see what is printed"


def go_on(place: Path, world: SimulatedWorld, number: int) -> None:
    state = place / STATE
    ended = live(state, InTheSameProcess(world))
    assert ended == "over", f"killed before change {number}, it never came to rest"
    examine(state, world, number)
    shutil.rmtree(place)


def die_before_each_change(state: Path) -> int:
    """How many changes there were. In a process of its own, since it uses up the World, and since
    twins, whose parents are dead, become its children."""
    (world,) = BEGINNING
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    deaths = Deaths(state, world)
    ours, theirs = FORK.Pipe()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            dies = Dies(theirs)
            dies.watch_commits()
            line = OverPipe(theirs, dies)
            line.finish((live(state, line), dies.changes))
        finally:
            os._exit(1)
    theirs.close()
    said = serve(world, ours, deaths.after)
    deaths.await_all()
    os.waitpid(deaths.twin, 0)
    assert said is not None, "the control plane ended by an error of its own"
    ended, changes = said
    assert ended == "over"
    return changes


BEGINNING: list[SimulatedWorld] = []
"""Forks with the process."""


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


@pytest.mark.long
def test_a_control_plane_killed_before_anything_it_does_leaves_nothing_lost_or_doubled(
    tmp_path: Path,
) -> None:
    state = tmp_path / STATE
    BEGINNING[:] = [prepare(state)]
    rehearse(tmp_path / "rehearsal")
    # Or every child would look through, and so copy, all that its parent ever loaded.
    gc.collect()
    gc.freeze()
    with FORK.Pool(1) as pool:
        changes = pool.apply(die_before_each_change, (state,))
    assert changes > 50
    assert list(tmp_path.glob("killed-*")) == []
