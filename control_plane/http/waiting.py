"""Lets many clients wait for something to change while one reader looks.

However many requests wait, the store is read once per interval, in one transaction for all of them.
Nobody waits for ever, and when too many wait the next is answered at once with what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio.to_thread

from control_plane.model.units import Seconds
from control_plane.store import Snapshot, Store

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Waiter:
    condition: Callable[[Snapshot], Any]
    answer: asyncio.Future[Any]


@dataclass(eq=False, slots=True)
class Watch:
    """Belongs to one event loop."""

    store: Store
    interval: Seconds = Seconds(0.5)
    most_waiting: int = 500
    _waiters: set[_Waiter] = field(default_factory=set)
    _looking: asyncio.Task[None] | None = None
    _stopped: bool = False

    async def until(self, condition: Callable[[Snapshot], T | None], timeout: Seconds) -> T | None:
        """What `condition` first gives that is not None; None after `timeout`, when the server
        stops, or when too many wait. What `condition` raises is raised here."""

        def look_once() -> T | None:
            with self.store.read() as tx:
                return condition(tx)

        now: T | None = await anyio.to_thread.run_sync(look_once)
        if now is not None or timeout <= 0 or self._stopped:
            return now
        if len(self._waiters) >= self.most_waiting:
            return None
        waiter = _Waiter(condition, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            answer: T | None = await asyncio.wait_for(waiter.answer, timeout)
        except TimeoutError:
            return None
        else:
            return answer
        finally:
            self._waiters.discard(waiter)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiters)

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Answer everybody who waits, and let nobody wait from now on."""
        self._stopped = True
        for waiter in self._waiters:
            _settle(waiter, None)

    async def _look(self) -> None:
        while self._waiters and not self._stopped:
            await asyncio.sleep(self.interval)
            waiters = list(self._waiters)
            try:
                answers = await anyio.to_thread.run_sync(self._evaluate, waiters)
            except Exception as error:
                answers = [(waiter, error) for waiter in waiters]
            for waiter, answer in answers:
                _settle(waiter, answer)

    def _evaluate(self, waiters: list[_Waiter]) -> list[tuple[_Waiter, Any]]:
        settled: list[tuple[_Waiter, Any]] = []
        with self.store.read() as tx:
            for waiter in waiters:
                try:
                    answer = waiter.condition(tx)
                except Exception as error:
                    settled.append((waiter, error))
                else:
                    if answer is not None:
                        settled.append((waiter, answer))
        return settled


def _settle(waiter: _Waiter, answer: Any) -> None:
    if waiter.answer.done():
        return
    if isinstance(answer, Exception):
        waiter.answer.set_exception(answer)
    else:
        waiter.answer.set_result(answer)
