"""Obtains the proof that a host whose death is confirmed can no longer write.

Fences are tried in the order the World gives, again and again, until one holds or a named operator
gives a word. A BMC that hangs keeps only its own attempt waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from control_plane.drivers.world import FenceFailed, Fencer, Lane, Pending, World
from control_plane.model.fence import FenceEvidence
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.reconcile.timings import Timings


@dataclass(frozen=True, slots=True)
class Attempt:
    """`evidence` when a fence held; else `failures`, a sentence per fence that did not, and `first`
    is False when the same sentences were reported before."""

    host: HostId
    evidence: FenceEvidence | None
    failures: tuple[str, ...] = ()
    first: bool = True


@dataclass(slots=True)
class Fencing:
    world: World
    timings: Timings
    _under_way: dict[HostId, Pending[FenceEvidence]] = field(default_factory=dict)
    _not_before: dict[HostId, Seconds] = field(default_factory=dict)
    _said: dict[HostId, tuple[str, ...]] = field(default_factory=dict)

    def pursue(self, hosts: Sequence[Host]) -> list[Attempt]:
        """Begin a fence for each host that has none under way; returns what has ended by now."""
        now = self.world.clock.monotonic()
        wanted = {host.id for host in hosts}
        for host in hosts:
            if host.id in self._under_way or now < self._not_before.get(host.id, now):
                continue
            fencers = self.world.fencers(host)
            self._under_way[host.id] = self.world.submit(_attempt(host, fencers), Lane.FENCE)
        ended = [
            self._end(host, pending)
            for host, pending in list(self._under_way.items())
            if pending.done()
        ]
        for host_id in set(self._said) - wanted:
            del self._said[host_id]
        return [attempt for attempt in ended if attempt.host in wanted]

    def _end(self, host: HostId, pending: Pending[FenceEvidence]) -> Attempt:
        del self._under_way[host]
        try:
            return Attempt(host, pending.result())
        except _AllFailed as error:
            self._not_before[host] = Seconds(
                self.world.clock.monotonic() + self.timings.retry_first
            )
            first = self._said.get(host) != error.kinds
            self._said[host] = error.kinds
            return Attempt(host, None, error.failures, first)


class _AllFailed(Exception):
    def __init__(self, kinds: tuple[str, ...], failures: tuple[str, ...]) -> None:
        super().__init__("; ".join(failures))
        self.kinds = kinds
        self.failures = failures


def _attempt(host: Host, fencers: Sequence[Fencer]) -> Callable[[], FenceEvidence]:
    def try_each_once() -> FenceEvidence:
        failures: list[tuple[str, str]] = []
        for fencer in fencers:
            try:
                return fencer.fence(host)
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
