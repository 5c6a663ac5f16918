"""What the keeper has under way outside of its own thread, by name, and what failed and waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from backup.keeper.timings import Timings
from control_plane.drivers.world import Lane, World
from control_plane.model.units import Seconds
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease

Thing = TypeVar("Thing")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ended(Generic[Thing, Result]):
    """`error` None: it did what it was for."""

    name: str
    thing: Thing
    result: Result | None
    error: Exception | None


@dataclass(slots=True)
class Errands(Generic[Thing, Result]):
    """What is remembered of failures only saves work: whoever begins anew knows none of it."""

    world: World
    timings: Timings
    lane: Lane
    _under_way: UnderWay[str, Thing, Result] = field(init=False)
    _failed: dict[str, tuple[int, Seconds]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world, self.lane)

    def things(self) -> list[Thing]:
        return list(self._under_way.things().values())

    def busy(self, name: str) -> bool:
        return name in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    def may_begin(self, name: str) -> bool:
        now = self.world.clock.monotonic()
        _, not_before = self._failed.get(name, (0, now))
        return name not in self._under_way and now >= not_before

    def begin(self, name: str, thing: Thing, task: Callable[[], Result], lease: Lease) -> None:
        self._under_way.begin(name, thing, task, lease)

    def settle(self, lease: Lease) -> list[Ended[Thing, Result]]:
        """What has ended since the last look, of what was begun under this lease. Whatever else there was is on
        record as far as it came, and whoever held the lease since has seen to it."""
        ended = []
        for name, thing, pending in self._under_way.ended(lease):
            try:
                result = pending.result()
            except Exception as error:  # one errand's trouble must not be the others' end
                broke: Ended[Thing, Result] = Ended(name, thing, None, error)
                ended.append(broke)
            else:
                self._failed.pop(name, None)
                ended.append(Ended(name, thing, result, None))
        return ended

    def leave_alone(self, name: str) -> Seconds:
        """Until it may be tried again, the longer the more often it failed; how long that is."""
        times = self._failed.get(name, (0, Seconds(0)))[0] + 1
        pause = self.timings.pause_after(times)
        self._failed[name] = (times, Seconds(self.world.clock.monotonic() + pause))
        return pause
