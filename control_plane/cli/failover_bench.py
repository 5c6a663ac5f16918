"""How long the control plane itself takes to bring dead hosts' servers back, and with what memory.

Everything is the real thing but the hosts: admission with its certificate, the store, the
reconciler. The hosts are simulated and their time is virtual, so what is measured is the control
plane's own work and not the seconds in which a BMC answers or a guest boots.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from control_plane.admission import NewServer, admit
from control_plane.drivers.simulated import Happening, SimulatedWorld
from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Confirmed, Fenced, Up
from control_plane.model.ids import (
    BlueprintId,
    FlavorId,
    HostId,
    ImageId,
    RegionId,
    ServerId,
    SystemId,
)
from control_plane.model.image import Image, ImageFormat
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, Tenant, check_digit
from control_plane.model.units import GiB, MiB, Seconds
from control_plane.model.workload import Seen, Server, Stranded
from control_plane.placement import check
from control_plane.pool_file import PoolDescription, from_json
from control_plane.reconcile import Controller, TickReport
from control_plane.store import Store, Transaction

_REGION = RegionId("bench")
_FLAVORS = {"small": (1, 2), "medium": (2, 4), "large": (4, 8)}
"""vCPU and GiB of memory."""
_MIX = ("small", "medium", "small", "large", "small", "medium")
_PER_SYSTEM = 20
_FULL = 0.65
"""How much of the pool the servers take before a host dies."""
_LONGEST = Seconds(24 * 3600)
"""Of virtual time, until something that should have happened counts as failed."""

Watch = Callable[[str, int, int], None]
"""Called with what is being done, how much of it, of how much."""


@dataclass(frozen=True, slots=True)
class FailoverResult:
    """`seconds` of the control plane's own work, the simulation's included, from the confirmed
    failure on record to the last start command for a server of the `dying` hosts, by the wall clock;
    `cpu_seconds` the same by this process's processor time, which other programs do not lengthen.
    `pool_seconds` is the virtual time in which that happened, waiting for the fences included.
    `affected` servers were on those hosts, `restarted` of them were started elsewhere, `stranded` of
    them found no room. `slowest_tick` is the longest in which the control plane listened to nobody.
    `peak_memory` is this process's largest resident set."""

    hosts: int
    servers: int
    dying: int
    affected: int
    restarted: int
    stranded: int
    seconds: Seconds
    cpu_seconds: Seconds
    pool_seconds: Seconds
    slowest_tick: Seconds
    slowest_tick_cpu: Seconds
    admission_seconds: Seconds
    certificate_valid: bool
    double_started: int
    peak_memory: MiB


def measure_failover(
    hosts: int, servers: int, state: Path, watch: Watch, *, dying: int = 1
) -> FailoverResult:
    """Build the pool, fill it, kill the `dying` hosts that carry most at one instant, and watch until
    each of their servers was started elsewhere or is known to have no room. `state` is a new file
    for the store. Raises YuiError `no-room` where the servers don't fit."""
    description = _pool(hosts, servers)
    pools = [pool for site in description.sites for pool in site.storage_pools]
    store = Store.open(f"sqlite:///{state}")
    try:
        bench = _Bench(store, SimulatedWorld(storage=pools), watch)
        bench.describe(description)
        bench.until("hosts", hosts, bench.hosts_up)
        admission_seconds = bench.admit(servers)
        bench.until("servers", servers, bench.servers_running)
        return bench.kill(dying, hosts, servers, admission_seconds)
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Instant:
    wall: float
    cpu: float
    pool: Seconds


@dataclass(slots=True)
class _Bench:
    store: Store
    world: SimulatedWorld
    watch: Watch
    controller: Controller | None = None
    longest: _Instant = field(default_factory=lambda: _Instant(0.0, 0.0, Seconds(0)))

    def describe(self, description: PoolDescription) -> None:
        now = self.world.clock.now()
        with self.store.write() as tx:
            for region in description.regions:
                tx.put_region(region)
            for site in description.sites:
                tx.put_site(site)
            for flavor in description.flavors:
                tx.put_flavor(flavor)
            tx.put_image(_image(now))
            for described in description.hosts:
                host = described.as_host(now)
                self.world.machine(host)
                tx.put_host_description(host)
        self.controller = Controller(self.store, self.world, "bench")

    def admit(self, servers: int) -> Seconds:
        began = time.perf_counter()
        for number, first in enumerate(range(0, servers, _PER_SYSTEM)):
            self.watch("admit", first, servers)
            _admit_system(
                self.store, number, range(first, min(first + _PER_SYSTEM, servers)), self.world
            )
        return Seconds(time.perf_counter() - began)

    def kill(
        self, dying: int, hosts: int, servers: int, admission_seconds: Seconds
    ) -> FailoverResult:
        victims, affected = self._fullest(dying)
        started: dict[ServerId, _Instant] = {}
        self.world.listen(lambda happening: self._note_start(happening, affected, started))
        for victim in victims:
            self.world.crash(victim)
        confirmed: list[_Instant] = []
        self.world.gate.before_call = lambda *_: self._note_confirmed(victims[0], confirmed)
        give_up = self.world.clock.monotonic() + _LONGEST
        stranded = 0
        self.longest = _Instant(0.0, 0.0, Seconds(0))
        while len(started) < len(affected) and self.world.clock.monotonic() < give_up:
            report = self._tick()
            self.watch("failover", len(started), len(affected))
            if started and not report.changes and not report.busy:
                stranded = self._stranded()
                if len(started) + stranded >= len(affected):
                    break
        if not confirmed or not started:
            raise YuiError(
                "bench-failed",
                en=f"The death of {victims[0]} was never acted upon, so there is nothing to measure.",
                ja=f"{victims[0]} の停止に対する処理が行われなかったため、測定できません。",
                status=500,
            )
        (began,), ended = confirmed, max(started.values(), key=lambda instant: instant.wall)
        slowest = self.longest
        if dying == 1:
            self.until("certificate", 1, lambda: int(self._certificate_valid()))
        return FailoverResult(
            hosts=hosts,
            servers=servers,
            dying=dying,
            affected=len(affected),
            restarted=len(started),
            stranded=stranded,
            seconds=Seconds(ended.wall - began.wall),
            cpu_seconds=Seconds(ended.cpu - began.cpu),
            pool_seconds=Seconds(ended.pool - began.pool),
            slowest_tick=Seconds(slowest.wall),
            slowest_tick_cpu=Seconds(slowest.cpu),
            admission_seconds=admission_seconds,
            certificate_valid=self._certificate_valid(),
            double_started=self.world.double_started,
            peak_memory=peak_memory(),
        )

    def until(self, what: str, total: int, count: Callable[[], int]) -> None:
        """Tick until `count` reaches `total`, or for as long as anything can be hoped for."""
        give_up = self.world.clock.monotonic() + _LONGEST
        while (done := count()) < total and self.world.clock.monotonic() < give_up:
            self.watch(what, done, total)
            self._tick()

    def hosts_up(self) -> int:
        with self.store.read() as tx:
            return sum(isinstance(host.health, Up) for host in tx.hosts())

    def servers_running(self) -> int:
        with self.store.read() as tx:
            return sum(server.seen is Seen.RUNNING for server in tx.servers())

    def _tick(self) -> TickReport:
        if self.controller is None:
            raise RuntimeError("the pool was not described yet")
        began = self._now()
        report = self.controller.tick()
        ended = self._now()
        self.longest = max(
            self.longest,
            _Instant(ended.wall - began.wall, ended.cpu - began.cpu, Seconds(0)),
            key=lambda instant: instant.wall,
        )
        timings = self.controller.timings
        idle = not report.busy and not report.changes
        self.world.clock.sleep(timings.tick if idle else timings.tick_when_busy)
        return report

    def _fullest(self, count: int) -> tuple[tuple[HostId, ...], frozenset[ServerId]]:
        with self.store.read() as tx:
            on = {host.id: [s.id for s in tx.servers(host=host.id)] for host in tx.hosts()}
        victims = sorted(on, key=lambda host: (len(on[host]), host), reverse=True)[:count]
        return tuple(victims), frozenset(server for host in victims for server in on[host])

    def _stranded(self) -> int:
        with self.store.read() as tx:
            return sum(isinstance(server.placement, Stranded) for server in tx.servers())

    def _note_confirmed(self, victim: HostId, confirmed: list[_Instant]) -> None:
        """The first call that the control plane makes once the failure is on record. Looking for it
        costs time only before it is there."""
        if confirmed:
            return
        with self.store.read() as tx:
            known = isinstance(tx.host(victim).health, Confirmed | Fenced)
        if known:
            confirmed.append(self._now())

    def _note_start(
        self,
        happening: Happening,
        affected: frozenset[ServerId],
        started: dict[ServerId, _Instant],
    ) -> None:
        words = happening.text.split()
        if words[0] == "start" and "refused:" not in words and words[1] in affected:
            started[ServerId(words[1])] = self._now()

    def _now(self) -> _Instant:
        return _Instant(time.perf_counter(), time.process_time(), self.world.clock.monotonic())

    def _certificate_valid(self) -> bool:
        """Every server has its refuge again, and the independent check finds nothing wrong."""
        with self.store.read() as tx:
            ledger = tx.ledger(_REGION)
        protected = {server for _, server in ledger.certificate.refuges}
        return protected >= ledger.workloads.keys() and not check(ledger)


def peak_memory() -> MiB:
    """Linux counts ru_maxrss in KiB (getrusage(2))."""
    return MiB(-(-resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def _admit_system(store: Store, number: int, servers: Sequence[int], world: SimulatedWorld) -> None:
    code = f"{number % 47 + 1:02}{100 + number // 47:03}"
    member = MunicipalityCode(code + str(check_digit(code)))
    system = SystemId(f"system-{number}")
    now = world.clock.now()

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_tenant(Tenant(member, f"Member {number}", "-", "京都府", 50_000))
        tx.add_system(
            System(system, member, _REGION, BlueprintId("bench"), 1, number % 3, Zone.LGWAN, now)
        )
        return [
            NewServer(
                id=ServerId(f"server-{index}"),
                system=system,
                name=f"server-{index}",
                role="bench",
                flavor=FlavorId(_MIX[index % len(_MIX)]),
                image=ImageId("bench"),
                start_order=index % 2,
            )
            for index in servers
        ]

    def finish(tx: Transaction, placed: Sequence[Server]) -> None:
        """Nothing more is kept."""

    admit(store, _REGION, prepare, finish)


def _image(now: datetime) -> Image:
    return Image(
        id=ImageId("bench"),
        name="bench",
        version="1",
        format=ImageFormat.QCOW2,
        sha256="0" * 64,
        size_bytes=1 << 20,
        virtual_size=GiB(1),
        location="/nowhere",
        provenance="a simulated pool reads no image",
        added_at=now,
    )


def _pool(hosts: int, servers: int) -> PoolDescription:
    """Hosts of one size, so large that the servers take `_FULL` of them all."""
    asked = sum(_FLAVORS[_MIX[index % len(_MIX)]][0] for index in range(servers))
    vcpus = max(8, math.ceil(asked / hosts / _FULL))
    return from_json(
        {
            "regions": [{"id": _REGION, "name": "Bench", "promised": ["host"]}],
            "sites": [
                {
                    "id": "bench-dc",
                    "region": _REGION,
                    "name": "Bench",
                    "guest_network": "10.0.0.0/12",
                    "storage_pools": [
                        {"id": "bench-pool", "capacity": "1000 TiB", "path": "/srv/yui/bench"}
                    ],
                }
            ],
            "hosts": [
                {
                    "id": f"host-{number}",
                    "site": "bench-dc",
                    "vcpus": vcpus,
                    "memory": f"{2 * vcpus} GiB",
                    "storage": ["bench-pool"],
                    "connection": {"driver": "simulated", "uri": f"simulated://host-{number}"},
                }
                for number in range(hosts)
            ],
            "flavors": [
                {"id": name, "vcpus": vcpus, "memory": f"{memory} GiB", "disk": "20 GiB"}
                for name, (vcpus, memory) in _FLAVORS.items()
            ],
        }
    )
