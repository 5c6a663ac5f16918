"""Calls that may hang for ever, each given up after a while.

Python cannot stop a thread, so a call that hangs keeps its thread. At most one per key is ever under
way, which bounds how many threads a dead storage or a mute BMC can hold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from control_plane.model.units import Seconds

T = TypeVar("T")


class BoundedCalls:
    """Safe to use from several threads; two calls with one key exclude each other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._under_way: set[str] = set()

    def call(self, key: str, work: Callable[[], T], patience: Seconds) -> T:
        """What `work` returns or raises. Raises TimeoutError when it takes longer than `patience`,
        or at once while an earlier call with this key still hangs."""
        with self._lock:
            if key in self._under_way:
                raise TimeoutError("an earlier call still hangs")
            self._under_way.add(key)
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:
                self._ended(key)
                outcome.set_exception(error)
            else:
                self._ended(key)
                outcome.set_result(result)

        try:
            threading.Thread(target=run, name=f"{self._name}-{key}", daemon=True).start()
        except RuntimeError:
            self._ended(key)
            raise TimeoutError("this machine can't begin another call") from None
        try:
            return outcome.result(patience)
        except TimeoutError:
            if outcome.done():
                return outcome.result()
            raise TimeoutError(f"no answer within {patience:g} s") from None

    def _ended(self, key: str) -> None:
        with self._lock:
            self._under_way.discard(key)
