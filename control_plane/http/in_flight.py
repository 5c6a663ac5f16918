"""Which requests this process is working on, by their idempotency keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from control_plane.model.errors import YuiError


@dataclass(slots=True)
class InFlight:
    """Safe to use from several threads."""

    _keys: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def alone(self, principal: str, key: str) -> Iterator[None]:
        """Nobody else works under this key meanwhile. Raises `idempotency-key-in-flight`."""
        entry = (principal, key)
        with self._lock:
            if entry in self._keys:
                raise YuiError(
                    "idempotency-key-in-flight",
                    en="A request with this Idempotency-Key is still being worked on: wait for its answer, or ask again in a moment.",
                    ja="同じ Idempotency-Key のリクエストを処理中です。応答を待つか、少し待って再度送ってください。",
                    status=409,
                )
            self._keys.add(entry)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(entry)
