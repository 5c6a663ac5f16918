"""Obtains the proof that a host whose death is confirmed can no longer write.

Fences are tried in the order the World gives, again and again, until one holds or a named operator
gives a word. A BMC that hangs keeps only its own attempt waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from control_plane.drivers.world import Clock, FenceFailed, Fencer, Lane, Pending, World
from control_plane.model.fence import FenceEvidence, FenceWord
from control_plane.model.host_health import Confirmed
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease


@dataclass(frozen=True, slots=True)
class Cause:
    """What a host is fenced for: its death as it was confirmed, the word that an operator gave, or both.

    What comes of an attempt proves something for what it was begun for and for nothing later: a host that
    was off when it was first confirmed dead may have been switched on, used and confirmed dead again since.
    So causes are compared as the values that they are, and no clocks are."""

    death: Confirmed | None
    word: FenceWord | None

    def lasts(self, now: Cause) -> bool:
        """Whether at least one of the two is still what it was."""
        same_death = self.death is not None and self.death == now.death
        return same_death or (self.word is not None and self.word == now.word)


@dataclass(frozen=True, slots=True)
class Attempt:
    """`cause` as it was when the attempt began. `evidence` when a fence held; else `failures`, a sentence
    per fence that did not, and `first` is False when the same sentences were reported before."""

    host: HostId
    cause: Cause
    evidence: FenceEvidence | None
    failures: tuple[str, ...] = ()
    first: bool = True


@dataclass(frozen=True, slots=True)
class _Held:
    """`at` by this process's own clock, which nobody sets."""

    evidence: FenceEvidence
    at: Seconds


@dataclass(slots=True)
class Fencing:
    world: World
    timings: Timings
    _under_way: UnderWay[HostId, Cause, _Held] = field(init=False)
    _not_before: dict[HostId, Seconds] = field(default_factory=dict)
    _said: dict[HostId, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world, Lane.FENCE)

    def pursue(
        self, hosts: Sequence[Host], asked: Mapping[HostId, FenceWord], lease: Lease
    ) -> list[Attempt]:
        """Begin a fence for each host that has none under way; returns what has ended by now and still
        answers why they are to be fenced. `asked` are operators' requests to cut a host's power."""
        now = self.world.clock.monotonic()
        wanted = {host.id: _cause(host, asked) for host in hosts}
        ended = self._collect(wanted, lease)
        done = {attempt.host for attempt in ended}
        for host in hosts:
            waits = host.id in self._under_way or now < self._not_before.get(host.id, now)
            if not waits and host.id not in done:
                attempt = _attempt(host, self.world.fencers(host), self.world.clock)
                self._under_way.begin(host.id, wanted[host.id], attempt, lease)
        ended += self._collect(wanted, lease)
        for host_id in self._said.keys() - wanted.keys():
            del self._said[host_id]
        return ended

    def _collect(self, wanted: Mapping[HostId, Cause], lease: Lease) -> list[Attempt]:
        ended = [
            self._end(host, cause, pending)
            for host, cause, pending in self._under_way.ended(lease)
            if host in wanted and cause.lasts(wanted[host])
        ]
        return [attempt for attempt in ended if attempt is not None]

    def _end(self, host: HostId, cause: Cause, pending: Pending[_Held]) -> Attempt | None:
        """None for a fence that held so long ago that the host may have been switched on since."""
        try:
            held = pending.result()
            age = self.world.clock.monotonic() - held.at
            return Attempt(host, cause, held.evidence) if age <= self.timings.fence_lasts else None
        except _AllFailed as error:
            self._not_before[host] = Seconds(
                self.world.clock.monotonic() + self.timings.retry_first
            )
            first = self._said.get(host) != error.kinds
            self._said[host] = error.kinds
            return Attempt(host, cause, None, error.failures, first)


def _cause(host: Host, asked: Mapping[HostId, FenceWord]) -> Cause:
    death = host.health if isinstance(host.health, Confirmed) else None
    return Cause(death, asked.get(host.id))


class _AllFailed(Exception):
    def __init__(self, kinds: tuple[str, ...], failures: tuple[str, ...]) -> None:
        super().__init__("; ".join(failures))
        self.kinds = kinds
        self.failures = failures


def _attempt(host: Host, fencers: Sequence[Fencer], clock: Clock) -> Callable[[], _Held]:
    def try_each_once() -> _Held:
        failures: list[tuple[str, str]] = []
        for fencer in fencers:
            try:
                return _Held(fencer.fence(host), clock.monotonic())
            except FenceFailed as error:
                failures.append((fencer.name, f"{fencer.name}: {error}"))
            except (
                Exception
            ) as error:  # a fence that breaks must not keep the next from being tried
                said = f"{fencer.name}: {type(error).__name__}: {error}"
                failures.append((fencer.name, said))
        # The figures in a sentence change from try to try; people are told once per set of fences.
        raise _AllFailed(tuple(n for n, _ in failures), tuple(text for _, text in failures))

    return try_each_once
