"""Threads for blocking calls, of which some never return.

The standard library's thread pool loses a worker to each call that hangs, for ever, and waits for all
of them before the process may end. Here a call can be given up: its worker is written off, another
takes its place, and neither keeps the process alive.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

from control_plane.model.units import Seconds

T = TypeVar("T")

_MOST_GIVEN_UP = 512


class Job(Generic[T]):
    """A task that was handed in; a Pending of the World."""

    def __init__(self, task: Callable[[], T]) -> None:
        self._task = task
        self._outcome: Future[T] = Future()
        self._begun = threading.Event()
        self._begun_at = 0.0
        self.given_up = False

    def done(self) -> bool:
        return self._outcome.done()

    def result(self) -> T:
        return self._outcome.result()

    def run(self) -> None:
        self._begun_at = time.monotonic()
        self._begun.set()
        try:
            result = self._task()
        except BaseException as error:
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(result)

    def drop(self) -> None:
        """It will never run."""
        self._outcome.set_exception(CancelledError())
        self._begun.set()

    def wait(self, patience: Seconds, last_begin: float) -> bool:
        """Wait for it until it has run for `patience`, or until `last_begin` if it has not begun by
        then; whether it is done."""
        if not self._begun.wait(max(0.0, last_begin - time.monotonic())):
            return False
        try:
            self._outcome.exception(max(0.0, self._begun_at + patience - time.monotonic()))
        except TimeoutError:
            return self.done()
        return True

    def outcome(self) -> T | BaseException:
        """Of a job that is done."""
        error = self._outcome.exception()
        return self._outcome.result() if error is None else error


class Workers:
    """At most `at_once` tasks run side by side, not counting those given up."""

    def __init__(self, name: str, at_once: int) -> None:
        self._name = name
        self._at_once = at_once
        self._lock = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()
        self._busy = 0
        self._given_up = 0
        self._closed = False

    def begin(self, task: Callable[[], T]) -> Job[T]:
        job = Job(task)
        with self._lock:
            if self._closed:
                job.drop()
                return job
            self._waiting.append(job)
            self._call_in()
        return job

    def run_all(
        self, tasks: Sequence[Callable[[], T]], patience: Seconds
    ) -> Sequence[T | BaseException]:
        """Every task's answer or exception, in order; TimeoutError for one that ran longer than
        `patience` or found no free worker in the time that all of them may take."""
        jobs = [self.begin(task) for task in tasks]
        rounds = math.ceil(len(jobs) / self._at_once)
        last_begin = time.monotonic() + rounds * patience
        answers: list[T | BaseException] = []
        for job in jobs:
            if job.wait(patience, last_begin) or not self._give_up(job):
                answers.append(job.outcome())
            else:
                answers.append(TimeoutError(f"no answer within {patience:g} s"))
        return answers

    def close(self) -> None:
        """Take no more, and drop what has not begun. What runs is left to end by itself."""
        with self._lock:
            self._closed = True
            dropped, self._waiting = self._waiting, deque()
        for job in dropped:
            job.drop()

    def _give_up(self, job: Job[Any]) -> bool:
        """Go on without it; False where it has ended after all."""
        with self._lock:
            if job.done():
                return False
            if job in self._waiting:
                self._waiting.remove(job)
            elif self._given_up < _MOST_GIVEN_UP:
                job.given_up = True
                self._given_up += 1
                self._busy -= 1
                self._call_in()
            return True

    def _call_in(self) -> None:
        """Start workers for what waits. The lock is held."""
        for _ in range(min(len(self._waiting), self._at_once - self._busy)):
            try:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            except RuntimeError:
                return
            self._busy += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                job = self._waiting.popleft()
            job.run()
            with self._lock:
                if job.given_up:
                    # Its place was taken while it hung.
                    self._given_up -= 1
                    return
