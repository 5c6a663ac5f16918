"""Tokens as the state has them, without asking it for each request.

What is remembered of a token counts until this process changes anything, and for a second at most. So
a token that is revoked through this process is refused from the next request on, and one that another
process revokes a second later at the latest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from anyio import to_thread

from control_plane.model.units import Seconds
from control_plane.store import Snapshot, Store

T = TypeVar("T")


@dataclass(frozen=True)
class _Remembered(Generic[T]):
    what: T
    moment: object
    until: Seconds


@dataclass
class TokenMemory(Generic[T]):
    """Belongs to one event loop. `read` finds a token, or what stands for one, by its id; `monotonic` is
    a clock that only moves forward."""

    store: Store
    monotonic: Callable[[], Seconds]
    read: Callable[[Snapshot, str], T | None]
    remember: Seconds = Seconds(1)
    most: int = 4096
    _known: OrderedDict[str, _Remembered[T]] = field(default_factory=OrderedDict)

    async def find(self, id: str) -> T | None:
        """None for one that never was or was revoked; whether it has expired is the caller's to see."""
        moment = self.store.moment
        known = self._known.get(id)
        if known is not None and known.moment is moment and self.monotonic() < known.until:
            return known.what
        what = await to_thread.run_sync(self._read, id)
        if what is None:
            self._known.pop(id, None)
            return None
        until = Seconds(self.monotonic() + self.remember)
        self._known[id] = _Remembered(what, moment, until)
        while len(self._known) > self.most:
            self._known.popitem(last=False)
        return what

    def _read(self, id: str) -> T | None:
        with self.store.read() as tx:
            return self.read(tx, id)
