"""The loop that holds the parts together: listen, judge, fence, evacuate, look, repair, prove."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from control_plane.drivers.world import World
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, RegionId
from control_plane.model.pool import Host
from control_plane.reconcile.announcements import Announcements
from control_plane.reconcile.certification import Certification
from control_plane.reconcile.drain import Draining
from control_plane.reconcile.evacuation import Evacuation
from control_plane.reconcile.host_care import HostCare
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.reclaiming import Reclaiming
from control_plane.reconcile.records import Records
from control_plane.reconcile.rehoming import Rehoming
from control_plane.reconcile.repair import Repair
from control_plane.reconcile.revival import Revival
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LeaseLost, LostRace, Store


class StopSignal(Protocol):
    """A `threading.Event`, or anything that can say whether to stop."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class TickReport:
    """`changes` counts what this tick decided or began; `busy` errands are still under way."""

    leading: bool
    changes: int
    busy: int


class Controller:
    """One control-plane process's reconciler. `tick` is synchronous and may be killed anywhere.

    `holder` names this process among others, such as `host.example:1234`.
    """

    def __init__(
        self, store: Store, world: World, holder: str, timings: Timings | None = None
    ) -> None:
        self.timings = timings or Timings()
        self._world = world
        self._leadership = Leadership(store, world.clock, holder, self.timings)
        self._records = Records(store)
        self._care = HostCare(store, world, self._records, self.timings)
        self._repair = Repair(store, world, self._records, self.timings)
        self._revival = Revival(store, world)
        self._reclaiming = Reclaiming(store, self._records)
        self._announcements = Announcements(store, world, self._records, self.timings)
        self._store = store
        self._led_by: int | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget what was seen to and said while this process led before: others may have led since, and
        what it had proved was proved of another pool."""
        store, clock = self._store, self._world.clock
        self._evacuation = Evacuation(store, clock, self.timings)
        self._rehoming = Rehoming(store, clock, self.timings)
        self._draining = Draining(store, clock, self.timings)
        self._certification = Certification(store)
        self._announcements.forget()

    def run(self, stopping: StopSignal) -> None:
        """Tick until told to stop, then let another control plane lead. What goes wrong in one tick
        is logged, and the next one begins from the records."""
        log = structlog.get_logger("yui.reconcile")
        refused = ""
        while not stopping.is_set():
            pause = self.timings.tick
            try:
                report = self.tick()
                if report.busy or report.changes:
                    pause = self.timings.tick_when_busy
                refused = ""
            except YuiError as error:
                # The state is away, such as on a full disk: said once, and tried until it is back.
                if error.en != refused:
                    log.warning("tick refused", reason=error.en)
                refused = error.en
            except Exception:
                log.exception("tick failed")
            self._world.clock.sleep(pause)
        self._leadership.give_up()

    def tick(self) -> TickReport:
        """Look once and act once. What another process overtook is left to the next tick."""
        lease = self._leadership.hold()
        if lease is None:
            self._announcements.forget()
            return TickReport(leading=False, changes=0, busy=self._repair.busy)
        if lease.token != self._led_by:
            self._begin_anew()
            self._led_by = lease.token
        try:
            self._announcements.tell(lease)
            changes = self._act(lease)
            self._announcements.tell(lease)
        except LeaseLost:
            return TickReport(leading=False, changes=0, busy=self._repair.busy)
        except LostRace:
            changes = 1
        return TickReport(leading=True, changes=changes, busy=self._repair.busy)

    def _act(self, lease: Lease) -> int:
        hosts: Sequence[Host] = self._records.hosts()
        hearing = self._care.listen(hosts)
        steps: tuple[Callable[[Sequence[Host]], int], ...] = (
            lambda hosts: self._care.judge(hosts, hearing, lease),
            lambda hosts: self._care.fence(hosts, hearing, lease),
            lambda hosts: self._disturbed(self._evacuation.advance(hosts, lease)),
            lambda hosts: self._care.receive_returned(hosts, hearing, lease),
            lambda hosts: self._care.clean(hosts, hearing, lease),
        )
        changes = 0
        for step in steps:
            if not self._keep_leading():
                return changes
            changed = step(hosts)
            if changed:
                hosts = self._records.hosts()
            changes += changed
        if not self._keep_leading():
            return changes
        answering = [host for host in hosts if hearing.answers(host.id)]
        changes += self._repair.advance(hosts, answering, lease)
        changes += self._make_room(hosts, {host.id for host in answering}, lease)
        if self._repair.take_disturbed():
            self._certification.disturb_all()
            self._rehoming.look_again()
        # A proof would not outlast the rest of an evacuation.
        settled = [h for h in self._records.hosts() if h.region not in self._evacuation.unfinished]
        changes += len(self._certification.renew(settled, lease, self._world.clock.now()))
        return changes

    def _keep_leading(self) -> bool:
        """Renew the lease in a tick that takes long, before somebody else takes it."""
        return self._leadership.is_fresh or self._leadership.hold() is not None

    def _make_room(self, hosts: Sequence[Host], answering: Collection[HostId], lease: Lease) -> int:
        """Empty the hosts that are to be drained, and place the servers that had found no room."""
        servers = self._records.servers()
        put_off, at = self._repair.moves_put_off, self._world.clock.now()
        changes = self._draining.advance(hosts, servers, put_off, lease, at, answering=answering)
        changes += self._disturbed(self._rehoming.advance(hosts, servers, lease))
        changes += self._reclaiming.advance(lease, at)
        return changes + self._revival.advance(hosts, servers, lease)

    def _disturbed(self, moved: Mapping[RegionId, int]) -> int:
        """Regions in which servers were placed have to be proved again; how many servers."""
        for region in moved:
            self._certification.disturb(region)
        return sum(moved.values())
