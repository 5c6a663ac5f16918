"""Where a story is played: the pool, the simulated World, control planes, and the log of it all.

Every control plane runs the real Controller on the real store, as a thread of control in virtual
time, and can be killed or paused at any call it makes. A story begins at 0 s with a pool that is up
and certified and with all its servers answering; what it took to get there is not logged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import cast

from control_plane.drivers.simulated import Happening, SimulatedWorld, Timing, Vantage
from control_plane.model.fence import FenceMethod, FenceWord
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.operation import Event
from control_plane.model.pool import Duty
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Power, Server, Shelved, Stranded
from control_plane.placement import check
from control_plane.reconcile import Controller, Timings
from control_plane.store import Store
from tests.scenarios.database import Database
from tests.scenarios.departure import Departure
from tests.scenarios.disks import Owner
from tests.scenarios.joining import MEMBER, OTHER, TINY, join
from tests.scenarios.lending import Lending
from tests.scenarios.script import Command
from tests.scenarios.setting import Setting

LONGEST_SETUP = Seconds(300)
BRISK = Timing(
    guest_boot=Seconds(10),
    host_boot=Seconds(30),
    lease_renewal=Seconds(2),
    lease_ttl=Seconds(10),
    watchdog=Seconds(10),
    lease_margin=Seconds(5),
)


@dataclass(slots=True)
class ControlPlane:
    """One process: a controller with its own view of the World, and its own way to the state."""

    name: str
    vantage: Vantage
    database: Database
    failures: list[Exception] = field(default_factory=list)

    def kill(self) -> None:
        self.vantage.gate.kill()

    def pause(self) -> None:
        self.vantage.gate.pause()

    def resume(self) -> None:
        self.vantage.gate.resume()

    def set_network(self, *, up: bool) -> None:
        self.vantage.gate.uplink = up

    def set_database(self, *, up: bool) -> None:
        """What it has begun goes on meanwhile, as its threads do."""
        self.database.up = up

    @property
    def store(self) -> Store:
        return cast(Store, self.database)


class Stage:
    def __init__(self, setting: Setting, state: Path) -> None:
        pools = [pool for site in setting.pool.sites for pool in site.storage_pools]
        self.setting = setting
        self.world = SimulatedWorld(storage=pools, timing=BRISK)
        self.store = Store.open(f"sqlite:///{state}")
        self.control_planes: dict[str, ControlPlane] = {}
        self.log: list[str] = []
        self.departure = Departure(self, state.parent / "exports")
        self.lending = Lending(self.store, self._region(), self._now)
        self._began: Seconds | None = None
        self._last_event = 0
        self._looked_at: object = None
        self._right_after: list[tuple[str, Callable[[], None]]] = []
        self.world.listen(self._happened)
        self._describe_pool()

    def close(self) -> None:
        for control_plane in self.control_planes.values():
            control_plane.kill()
        self.store.close()

    def play(self, commands: tuple[Command, ...], end: Seconds) -> None:
        from tests.scenarios.phrases import perform

        self.set_up()
        for command in commands:
            self.run_until(command.at)
            self.note(command.what)
            perform(self, command.what)
        self.run_until(end)
        self.note("end")
        self._show_end()

    # What stories ask for

    def host(self, words: str) -> HostId:
        """A host by its name, or as `the host of <server>`."""
        if not words.startswith("the host of "):
            if words not in self.world.machines:
                raise ValueError(f"there is no host '{words}'")
            return HostId(words)
        with self.store.read() as tx:
            placement = tx.server(ServerId(words.removeprefix("the host of "))).placement
        if not isinstance(placement, Placed):
            raise ValueError(f"{words.removeprefix('the host of ')} is on no single host")
        return placement.host

    def set_duty(self, host: HostId, duty: Duty) -> None:
        with self.store.write() as tx:
            tx.save_host(replace(tx.host(host), duty=duty))

    def set_power(self, server: ServerId, power: Power) -> None:
        with self.store.write() as tx:
            tx.save_server(replace(tx.server(server), power=power))

    def delete(self, server: ServerId) -> None:
        with self.store.write() as tx:
            tx.save_server(replace(tx.server(server), deleting=True))

    def operator_says(self, host: HostId, statement: str, method: FenceMethod) -> None:
        with self.store.write() as tx:
            tx.add_fence_word(FenceWord(host, "Sato", statement, method, self._now()))

    @property
    def owner(self) -> Owner:
        return Owner(self.store, self._now)

    def asks(self, deed: Callable[[], object]) -> None:
        """What the owner is told at once, where that is no."""
        told = self.owner.tries(deed)
        if told != "done":
            self._say("told", told)

    def show_disks(self) -> None:
        for line in self.owner.shown():
            self._say("told", line)

    def admit(self, system: str) -> None:
        join(self.store, self._region(), self.setting.later_systems[system], self._now())

    def add_host(self, host: HostId) -> None:
        described = self.setting.host(host, self._now())
        self.world.machine(described)
        with self.store.write() as tx:
            tx.put_host_description(described)

    def start_control_plane(self, name: str) -> None:
        vantage = self.world.seen_by_another_process()
        plane = self.control_planes[name] = ControlPlane(name, vantage, Database(self.store))
        controller = Controller(plane.store, vantage, name, Timings())
        self.world.virtual_clock.spawn(lambda: self._live(plane, controller))
        self.departure.follow(plane)

    def right_after(self, text: str, do: Callable[[], None]) -> None:
        """`do` as soon as a line with `text` is logged: in the middle of whatever is being done."""
        self._right_after.append((text, do))
        for plane in self.control_planes.values():
            plane.vantage.gate.before_call = lambda _: self._note_events()

    def right_before(self, plane: ControlPlane, call: str, do: Callable[[], None]) -> None:
        """`do` when that process next calls so: what it decided before is decided, and waits."""

        def begins(name: str) -> None:
            if name == call:
                plane.vantage.gate.before_call = lambda _: None
                self.log.append(f"{'':8} story now, right before {call}")
                do()

        plane.vantage.gate.before_call = begins

    def note(self, what: str) -> None:
        self._note_events()
        self._say("story", what)

    def rests(self) -> bool:
        """Every host is well and in service, every server runs where it is placed and answers, none
        is still to be deleted, and the certificate is complete."""
        with self.store.read() as tx:
            hosts, servers = tx.hosts(), tx.servers()
            ledgers = [tx.ledger(region.id) for region in tx.regions()]
        return (
            all(isinstance(h.health, Up) and h.duty is Duty.IN_SERVICE for h in hosts)
            and all(self._at_home(server) and not server.deleting for server in servers)
            and not any(check(ledger) for ledger in ledgers)
        )

    def _at_home(self, server: Server) -> bool:
        return (
            isinstance(server.placement, Placed)
            and self.world.hosts_running(server.id) == (server.placement.host,)
            and self.world.answering(server.id)
        )

    # Setting up

    def _describe_pool(self) -> None:
        with self.store.write() as tx:
            for region in self.setting.pool.regions:
                tx.put_region(region)
            for site in self.setting.pool.sites:
                tx.put_site(site)
            for flavor in self.setting.pool.flavors:
                tx.put_flavor(flavor)
            tx.put_image(TINY)
            tx.add_tenant(MEMBER)
            tx.add_tenant(OTHER)
        for described in self.setting.pool.hosts:
            if described.id not in self.setting.later:
                self.add_host(described.id)

    def set_up(self) -> None:
        """Bring the pool and its servers up; from here on everything is logged, from 0 s."""
        clock = self.world.virtual_clock
        if not self.control_planes:
            self.start_control_plane("a")
        self._wait_for(self._hosts_are_up, "every host is up")
        for system in self.setting.systems:
            join(self.store, self._region(), system, self._now())
        self._wait_for(self._all_answer, "every server answers")
        clock.sleep(Seconds(math.ceil(clock.monotonic() / 10 + 1) * 10 - clock.monotonic()))
        with self.store.read() as tx:
            self._last_event = tx.last_event()
        self._began = clock.monotonic()
        self._show_servers()

    def _wait_for(self, condition: Callable[[], bool], what: str) -> None:
        clock = self.world.virtual_clock
        while not condition():
            if clock.monotonic() > LONGEST_SETUP:
                raise AssertionError(f"the pool of the story was never ready: {what}")
            clock.sleep(Seconds(1))
            self._raise_failures()

    def _hosts_are_up(self) -> bool:
        with self.store.read() as tx:
            return all(isinstance(host.health, Up) for host in tx.hosts())

    def _all_answer(self) -> bool:
        with self.store.read() as tx:
            return all(self.world.answering(server.id) for server in tx.servers())

    # Time

    def _live(self, plane: ControlPlane, controller: Controller) -> None:
        timings = controller.timings
        while True:
            pause = timings.tick
            try:
                report = controller.tick()
                if report.busy or report.changes:
                    pause = timings.tick_when_busy
            except Exception as error:
                if not plane.database.explains(error):
                    plane.failures.append(error)
                    self._say("failed", f"{plane.name}: {type(error).__name__}: {error}")
            self._note_events()
            plane.vantage.clock.sleep(pause)

    def run_until(self, at: Seconds) -> None:
        clock = self.world.virtual_clock
        assert self._began is not None
        clock.sleep(Seconds(self._began + at - clock.monotonic()))
        self._raise_failures()

    def _raise_failures(self) -> None:
        for plane in self.control_planes.values():
            if plane.failures:
                raise plane.failures[0]

    def _now(self) -> datetime:
        return self.world.virtual_clock.now()

    def _region(self) -> RegionId:
        return self.setting.pool.regions[0].id

    # The log

    def _happened(self, happening: Happening) -> None:
        if self._began is not None:
            self._note_events()
            self._say("world", happening.text)

    def _note_events(self) -> None:
        """Log the events recorded since the last look."""
        if self._began is None or self._looked_at is self.store.moment:
            return
        self._looked_at = self.store.moment
        with self.store.read() as tx:
            events = tx.events(after=self._last_event, limit=1000)
        for event in events:
            self._last_event = event.sequence
            self._say("event", _told(event))

    def _say(self, source: str, text: str) -> None:
        began = self._began or Seconds(0)
        self.log.append(f"{self.world.virtual_clock.monotonic() - began:7.1f}s {source:<5} {text}")
        for trigger in list(self._right_after):
            if source in ("world", "event") and trigger[0] in text:
                self._right_after.remove(trigger)
                self.log.append(f"{'':8} story now, right after that")
                trigger[1]()

    def _show_servers(self) -> None:
        with self.store.read() as tx:
            servers = tx.servers()
        for server in servers:
            self._say("state", f"{server.id} on {_place(server)}")

    def _show_end(self) -> None:
        with self.store.read() as tx:
            hosts, servers = tx.hosts(), tx.servers()
            ledgers = [tx.ledger(region.id) for region in tx.regions()]
        self.log.append("")
        for host in hosts:
            self.log.append(f"{host.id}: {type(host.health).__name__.lower()}, {host.duty}")
        self.log.append("")
        rows = [("server", "placed", "runs on", "gen", "seen", "answers", "records")]
        for server in servers:
            rows.append(
                (
                    server.id,
                    _place(server),
                    ", ".join(self.world.hosts_running(server.id)) or "-",
                    str(server.generation),
                    str(server.seen),
                    "yes" if self.world.answering(server.id) else "no",
                    "intact" if self.world.records_intact(server.id) else "LOST",
                )
            )
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.log.append(line.rstrip())
        self.log.append("")
        disks = self.owner.shown()
        if disks:
            self.log += [*disks, ""]
        for ledger in ledgers:
            found = check(ledger)
            self.log.append(
                f"certificate of {ledger.region}: {'valid' if not found else ''}".rstrip()
            )
            self.log.extend(f"  {violation.explain_en()}" for violation in found)
        self.log.append("violations: " + ("; ".join(map(str, self.world.violations)) or "none"))


def _place(server: Server) -> str:
    match server.placement:
        case Placed(host=host):
            return host
        case Moving(source=source, target=target):
            return f"{source} > {target}"
        case Stranded():
            return "stranded"
        case Shelved():
            return "shelved"


def _told(event: Event) -> str:
    return f"{event.kind}: {' '.join(event.en.split())}"
