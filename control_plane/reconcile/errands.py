"""Carries out actions on hosts without holding up the tick, and remembers how that went.

At most one errand per server is under way. What is remembered here (what is under way, when a failed
one may be tried again) only saves work: a new control plane that knows none of it repeats calls
which the drivers promise may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from control_plane.drivers.protocol import DriverError, HostDriver, MovedOn, ServerSpec
from control_plane.drivers.world import World
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, HostId, ServerId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Server
from control_plane.reconcile.convergence import (
    BringUp,
    Delete,
    Migrate,
    Relabel,
    RemoveStale,
    Stop,
    Undefine,
)
from control_plane.reconcile.disk_errands import (
    NOTHING_DONE,
    DisksDone,
    StillOpen,
    carry_out,
)
from control_plane.reconcile.disks import DiskAction
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease

HostAction = BringUp | Relabel | Stop | RemoveStale | Migrate | Delete | Undefine | DiskAction


class NoLongerWanted(Exception):
    """The decision behind an errand was overtaken while it ran, or nobody can say whether it was; it
    stopped before doing harm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is None when the errand did what it was for, else a sentence; `first` is False when the
    same error was reported for this server before. `done` is what an errand about disks can tell."""

    action: HostAction
    error: str | None
    first: bool
    done: DisksDone = NOTHING_DONE


@dataclass(slots=True)
class _Setback:
    generation: Generation
    times: int
    text: str
    not_before: Seconds
    of_disks: bool = False


@dataclass(slots=True)
class Errands:
    """`still_wanted` asks the store, just before a server is started, whether the lease under which
    that was decided still holds and the server's generation is still the one that was decided on."""

    world: World
    timings: Timings
    still_wanted: Callable[[Server, Lease], bool]
    _under_way: UnderWay[ServerId, HostAction, DisksDone] = field(init=False)
    _setbacks: dict[ServerId, _Setback] = field(default_factory=dict)
    _brought_up: dict[ServerId, _Setback] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world)

    @property
    def busy(self) -> Mapping[ServerId, HostAction]:
        return self._under_way.things()

    def may_try(self, server: ServerId) -> bool:
        now = self.world.clock.monotonic()
        waits = (self._setbacks.get(server), self._brought_up.get(server))
        return server not in self._under_way and all(
            wait is None or now >= wait.not_before for wait in waits
        )

    @property
    def hopeless(self) -> frozenset[ServerId]:
        """Those that failed so often that others should stop waiting for them."""
        most = self.timings.attempts
        return frozenset(s for s, setback in self._setbacks.items() if setback.times >= most)

    def failures(self, server: Server) -> int:
        """How often in a row, as it stands: not under another generation."""
        setback = self._setbacks.get(server.id)
        return setback.times if setback and setback.generation == server.generation else 0

    def forget_older(self, server: Server) -> None:
        """What went wrong under another generation, such as on another host, says nothing now."""
        for memory in (self._setbacks, self._brought_up):
            known = memory.get(server.id)
            if known is not None and known.generation != server.generation:
                del memory[server.id]

    def make_way(self, action: HostAction) -> None:
        """A server's volumes that can't be given or taken keep nothing else about it waiting."""
        known = self._setbacks.get(action.server.id)
        if known is not None and known.of_disks and not isinstance(action, DiskAction):
            del self._setbacks[action.server.id]

    def forget_failures(self, server: ServerId) -> None:
        self._setbacks.pop(server, None)

    def begin(
        self,
        action: HostAction,
        hosts: Mapping[HostId, Host],
        spec: ServerSpec | None,
        lease: Lease,
    ) -> None:
        """`spec` is needed by the actions that define a server."""
        insist = partial(self._insist, lease)

        def task() -> DisksDone:
            if spec is not None and isinstance(action, DiskAction):
                insist(action.server)
                driver = self.world.driver(hosts[action.host])
                return carry_out(action, driver, spec, self.world.clock, insist)
            self._carry_out(action, hosts, spec, insist)
            return NOTHING_DONE

        self._under_way.begin(action.server.id, action, task, lease)

    def settle(self, lease: Lease) -> Iterator[Outcome]:
        """What has finished since the last call, each forgotten here as it is given. Of what was begun
        under another lease nothing is told: since then another may have done and undone the same."""
        for server, action, pending in self._under_way.ended(lease):
            try:
                done = pending.result()
            except (NoLongerWanted, MovedOn):
                continue
            except StillOpen as error:
                yield replace(self._set_back(action, str(error)), done=error.done)
            except (DriverError, TimeoutError) as error:
                yield self._set_back(action, str(error) or "it took too long")
            except Exception as error:  # one server's trouble must not stop the care for the others
                yield self._set_back(action, f"{type(error).__name__}: {error}")
            else:
                self._setbacks.pop(server, None)
                if isinstance(action, BringUp):
                    self._note_start(action.server)
                yield Outcome(action, None, first=True, done=done)

    def _note_start(self, server: Server) -> None:
        """One that stops again and again right after its start is started ever more slowly."""
        now = self.world.clock.monotonic()
        before = self._brought_up.get(server.id)
        if before is None or now > before.not_before + self.timings.retry_most:
            self._brought_up[server.id] = _Setback(server.generation, 0, "", now)
        else:
            times = before.times + 1
            wait = min(self.timings.retry_first * 2 ** (times - 1), self.timings.retry_most)
            not_before = Seconds(now + wait)
            self._brought_up[server.id] = _Setback(server.generation, times, "", not_before)

    def _set_back(self, action: HostAction, error: str) -> Outcome:
        server = action.server.id
        before = self._setbacks.get(server)
        times = 1 if before is None else before.times + 1
        wait = min(self.timings.retry_first * 2 ** (times - 1), self.timings.retry_most)
        not_before = Seconds(self.world.clock.monotonic() + wait)
        of_disks = isinstance(action, DiskAction)
        self._setbacks[server] = _Setback(
            action.server.generation, times, error, not_before, of_disks
        )
        return Outcome(action, error, first=before is None or before.text != error)

    def _carry_out(
        self,
        action: HostAction,
        hosts: Mapping[HostId, Host],
        spec: ServerSpec | None,
        insist: Callable[[Server], None],
    ) -> None:
        server = action.server
        match action:
            case BringUp(host=host) if spec is not None:
                _bring_up(self.world.driver(hosts[host]), server, spec, insist)
            case Relabel(host=host) if spec is not None:
                insist(server)
                driver = self.world.driver(hosts[host])
                driver.resize(server.id, spec.size)
                if server.copy_generation < server.sized_since:
                    driver.grow_volume(spec)
                driver.define(spec)
            case Stop(host=host, listed=listed, hard=True):
                insist(server)
                self.world.driver(hosts[host]).destroy(server.id, listed)
            case Stop(host=host, listed=listed):
                insist(server)
                self._stop(self.world.driver(hosts[host]), server, listed, insist)
            case RemoveStale(host=host, running=running, listed=listed):
                driver = self.world.driver(hosts[host])
                insist(server)
                if running:
                    driver.destroy(server.id, listed)
                driver.undefine(server.id, listed)
            case Undefine(host=host, listed=listed):
                insist(server)
                self.world.driver(hosts[host]).undefine(server.id, listed)
            case Migrate(source=source, target=target) if spec is not None:
                insist(server)
                self.world.driver(hosts[source]).migrate(server.id, hosts[target].endpoint)
            case Delete(host=host, listed=listed) if spec is not None:
                driver = self.world.driver(hosts[host])
                insist(server)
                if listed is not None:
                    self._stop(driver, server, listed, insist)
                    driver.undefine(server.id, listed)
                driver.remove_volume(server.id, spec.volume)
            case _:
                raise ValueError(f"{action} needs a server spec")

    def _stop(
        self,
        driver: HostDriver,
        server: Server,
        listed: Generation,
        insist: Callable[[Server], None],
    ) -> None:
        if not driver.shut_down(server.id, self.timings.stop_grace, listed):
            insist(server)
            driver.destroy(server.id, listed)

    def _insist(self, lease: Lease, server: Server) -> None:
        try:
            wanted = self.still_wanted(server, lease)
        except YuiError as error:
            # The state does not answer: what can't be asked is not gone on with.
            raise NoLongerWanted(server.id) from error
        if not wanted:
            raise NoLongerWanted(server.id)


def _bring_up(
    driver: HostDriver, server: Server, spec: ServerSpec, insist: Callable[[Server], None]
) -> None:
    insist(server)
    driver.ensure_volume(spec)
    driver.define(spec)
    insist(server)
    driver.start(server.id)
