"""Threads of one process that would undo each other's work take turns, or have it done together.

Nothing is held here that others than these threads could wait for, and nobody waits for longer than
its patience: whoever has waited so long goes on all the same, and the store's own guards decide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from control_plane.model.units import Seconds

W = TypeVar("W")
R = TypeVar("R")

_AT_ONCE = 16


@dataclass(eq=False, slots=True)
class _Waiting:
    """One who waits. `settled` once its work was done with others', or has been found to be one that it
    has to do alone."""

    work: Any
    settled: threading.Event = field(default_factory=threading.Event)
    result: tuple[Any] | None = None


class Turns:
    """The turns of one name."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many wait to have their work done together."""
        with self._list:
            return len(self._waiting)

    @contextmanager
    def one_by_one(self, patience: Seconds) -> Iterator[None]:
        """Those who are inside go one after the other."""
        had = self._turn.acquire(timeout=patience)
        try:
            yield
        finally:
            if had:
                self._turn.release()

    def together(
        self,
        mine: W,
        many: Callable[[Sequence[W]], Sequence[R]],
        alone: Callable[[W], R],
        patience: Seconds,
    ) -> R:
        """Have `mine` done, with what others wait for to have done, or alone.

        `many` does several or, when it raises, none: then each does its own alone, so that nobody
        hears of what was wrong with another's. It answers in the order of what it was given. Each
        piece of work is done by one thread, not always by the one that brought it.
        """
        waiting = _Waiting(mine)
        with self._list:
            self._waiting.append(waiting)
        with self.one_by_one(patience):
            others = self._taken(waiting)
            if others is not None:
                return self._done(waiting, others, many, alone)
        # Somebody else has taken it along, and tells when that has ended.
        waiting.settled.wait()
        if waiting.result is not None:
            result: R = waiting.result[0]
            return result
        with self.one_by_one(patience):
            return alone(mine)

    def _taken(self, waiting: _Waiting) -> list[_Waiting] | None:
        """The others that are to be done with this one; None where another has taken it already."""
        with self._list:
            if waiting not in self._waiting:
                return None
            self._waiting.remove(waiting)
            others, self._waiting = self._waiting[: _AT_ONCE - 1], self._waiting[_AT_ONCE - 1 :]
            return others

    @staticmethod
    def _done(
        waiting: _Waiting,
        others: Sequence[_Waiting],
        many: Callable[[Sequence[W]], Sequence[R]],
        alone: Callable[[W], R],
    ) -> R:
        if not others:
            return alone(waiting.work)
        try:
            results = many([waiting.work, *(other.work for other in others)])
            for other, result in zip(others, results[1:], strict=True):
                other.result = (result,)
        except Exception:
            # Whose fault it was is found out by doing each alone.
            results = []
        finally:
            for other in others:
                other.settled.set()
        return results[0] if results else alone(waiting.work)
