"""What a process has begun beside its tick, and under which lease.

A process that loses its lease goes on with what it had begun, since nothing can call a thread back.
Another control plane leads meanwhile: it repeats the work, switches hosts on, carries out what is asked
for next. When the first one leads again, what it began before tells of a world that has passed. So a
result counts only under the very lease under which it was begun. Until it is there nothing is begun
beside it, whoever leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from control_plane.drivers.world import Lane, Pending, World
from control_plane.store import Lease

Key = TypeVar("Key")
Thing = TypeVar("Thing")
Result = TypeVar("Result")


@dataclass(slots=True)
class UnderWay(Generic[Key, Thing, Result]):
    """`Thing` is what is remembered of each beside its result."""

    world: World
    lane: Lane = Lane.SLOW
    _begun: dict[Key, tuple[Thing, Pending[Result], int]] = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        return key in self._begun

    def __len__(self) -> int:
        return len(self._begun)

    def things(self) -> Mapping[Key, Thing]:
        return {key: thing for key, (thing, _, _) in self._begun.items()}

    def begin(self, key: Key, thing: Thing, task: Callable[[], Result], lease: Lease) -> None:
        """Raises ValueError where one of this key is under way."""
        if key in self._begun:
            raise ValueError(f"{key} has something under way already")
        self._begun[key] = (thing, self.world.submit(task, self.lane), lease.token)

    def take(self, key: Key, lease: Lease) -> tuple[Thing, Pending[Result]] | None:
        """What has ended, taken out; None where nothing has, or where it was begun under another lease."""
        thing, pending, token = self._begun[key]
        if not pending.done():
            return None
        del self._begun[key]
        return (thing, pending) if token == lease.token else None

    def ended(self, lease: Lease) -> Iterator[tuple[Key, Thing, Pending[Result]]]:
        """Each is taken out only as it is given: should dealing with one go wrong, the others are still there."""
        for key in list(self._begun):
            taken = self.take(key, lease)
            if taken is not None:
                yield key, *taken
