"""What goes over one line between regions, so that all copies together keep to its budget and each has
its fair part of it.

Bytes are asked for before they are sent. A pack goes out in one piece, so that a line faster than its
budget is busy for moments and quiet between them; over a minute the budget holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from control_plane.drivers.world import Clock
from control_plane.model.backup.forecast import budget_of
from control_plane.model.backup.sharing import Link, Stream, share
from control_plane.model.units import Seconds

_LOOK = Seconds(0.25)
_LONGEST = Seconds(2.0)
"""What a quiet line did not send is not made up for."""


@dataclass(eq=False, slots=True)
class LineStream:
    """One copy on the line; `owed` bytes are asked for and not yet granted."""

    line: Line
    id: str
    member: str
    tier: int
    owed: int = 0

    def ask(self, amount: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Come back once so many bytes may be sent. `meanwhile` is called again and again, and may
        raise to give up."""
        self.line.grant(self, amount, meanwhile)


class Line:
    """Safe for several threads. `link` is asked each time, since budgets are changed by people; None: no
    budget."""

    def __init__(self, clock: Clock, link: Callable[[], Link | None]) -> None:
        self._clock = clock
        self._link = link
        self._mutex = threading.Lock()
        self._streams: list[LineStream] = []
        self._settled = clock.monotonic()

    @contextmanager
    def stream(self, id: str, member: str, tier: int) -> Iterator[LineStream]:
        stream = LineStream(self, id, member, tier)
        with self._mutex:
            self._streams.append(stream)
        try:
            yield stream
        finally:
            with self._mutex:
                self._streams.remove(stream)

    def grant(self, stream: LineStream, amount: int, meanwhile: Callable[[], None]) -> None:
        with self._mutex:
            stream.owed += amount
        try:
            while not self._granted(stream):
                meanwhile()
                self._clock.sleep(_LOOK)
        finally:
            stream.owed = 0

    def _granted(self, stream: LineStream) -> bool:
        with self._mutex:
            link = self._link()
            if link is None:
                return True
            now = self._clock.monotonic()
            since = min(Seconds(now - self._settled), _LONGEST)
            budget = budget_of(link, self._clock.now(), since)
            if budget:
                self._settled = now
                waiting = {each.id: each for each in self._streams if each.owed}
                asked = [
                    Stream(each.id, each.member, each.tier, each.owed) for each in waiting.values()
                ]
                for id, granted in share(budget, asked).items():
                    waiting[id].owed -= granted
            return stream.owed <= 0
