"""Tokens as the state has them, without asking it for each request.

What is remembered of a token counts until this process changes anything, and for a second at most. So
a token that is revoked through this process is refused from the next request on, and one that another
process revokes a second later at the latest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from anyio import to_thread

from control_plane.model.access import Token
from control_plane.model.units import Seconds
from control_plane.store import Store


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: Token
    moment: object
    until: Seconds


@dataclass(slots=True)
class TokenMemory:
    """Belongs to one event loop. `monotonic` is a clock that only moves forward."""

    store: Store
    monotonic: Callable[[], Seconds]
    remember: Seconds = Seconds(1)
    most: int = 4096
    _tokens: OrderedDict[str, _Remembered] = field(default_factory=OrderedDict)

    async def find(self, token_id: str) -> Token | None:
        """None for one that never was or was revoked; whether it has expired is the caller's to see."""
        moment = self.store.moment
        known = self._tokens.get(token_id)
        if known is not None and known.moment is moment and self.monotonic() < known.until:
            return known.token
        token = await to_thread.run_sync(self._read, token_id)
        if token is None:
            self._tokens.pop(token_id, None)
            return None
        until = Seconds(self.monotonic() + self.remember)
        self._tokens[token_id] = _Remembered(token, moment, until)
        while len(self._tokens) > self.most:
            self._tokens.popitem(last=False)
        return token

    def _read(self, token_id: str) -> Token | None:
        with self.store.read() as tx:
            return tx.token_by_id(token_id)
