"""What the keeper has under way outside of its own thread, by name, and what failed and waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from backup.keeper.timings import Timings
from control_plane.drivers.world import Lane, Pending, World
from control_plane.model.units import Seconds

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
    _under_way: dict[str, tuple[Thing, Pending[Result]]] = field(default_factory=dict)
    _failed: dict[str, tuple[int, Seconds]] = field(default_factory=dict)

    def things(self) -> list[Thing]:
        return [thing for thing, _ in self._under_way.values()]

    def busy(self, name: str) -> bool:
        return name in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    def may_begin(self, name: str) -> bool:
        now = self.world.clock.monotonic()
        _, not_before = self._failed.get(name, (0, now))
        return name not in self._under_way and now >= not_before

    def begin(self, name: str, thing: Thing, task: Callable[[], Result]) -> None:
        self._under_way[name] = (thing, self.world.submit(task, self.lane))

    def settle(self) -> list[Ended[Thing, Result]]:
        """What has ended since the last look."""
        ended = []
        for name, (thing, pending) in list(self._under_way.items()):
            if not pending.done():
                continue
            del self._under_way[name]
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
