"""Virtual time: it moves only when everybody waits, straight to the next thing that is due.

Whoever calls `sleep` hands control to whatever is due first: a scheduled happening (a fault, a boot
that ends) or another thread of control. Exactly one thread of control runs at a time, in an order
that depends on nothing but the calls themselves, so that every run of a story is the same. Tasks of
`run_all` overlap in virtual time as they would in real time, and cost no thread unless they sleep.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from control_plane.model.units import Seconds

T = TypeVar("T")


class ControlPlaneKilled(BaseException):
    """The simulated process was killed: nothing of it runs on, not even its error handling."""


class Deadlock(RuntimeError):
    """Everybody waits, and nothing is scheduled that could ever wake anyone."""


@dataclass(slots=True)
class _Group:
    """Tasks of one `run_all`: those not begun, and how many threads of control work on them."""

    pending: deque[Callable[[], None]]
    owner: _Strand
    helpers: int = 0
    owner_waits: bool = False


@dataclass(slots=True, eq=False)
class _Strand:
    """One thread of control."""

    body: Callable[[], None] | None = None
    group: _Group | None = None
    baton: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    started: bool = True


@dataclass(slots=True, eq=False)
class _Thread:
    """A real thread that lives one strand after another."""

    begin: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    strand: _Strand | None = None


@dataclass(slots=True, eq=False)
class Timer:
    """Something scheduled; `cancel` takes it back while it has not happened."""

    at: Seconds
    _do: Callable[[], None] | None = None
    _strand: _Strand | None = None
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Begun(Generic[T]):
    """A submitted task: see `Pending`."""

    def __init__(self, clock: VirtualClock, task: Callable[[], T]) -> None:
        self._clock = clock
        self._task = task
        self._answers: list[T] = []
        self._error: Exception | None = None
        self._wake: list[Callable[[], None]] = []

    def live(self) -> None:
        try:
            self._answers.append(self._task())
        except Exception as error:
            self._error = error
        for wake in self._wake:
            wake()

    def done(self) -> bool:
        return bool(self._answers) or self._error is not None

    def result(self) -> T:
        if not self.done():
            self._clock.wait_for(self._wake.append)
        if self._error is not None:
            raise self._error
        return self._answers[0]


class VirtualClock:
    """`pace` None: time jumps. Otherwise virtual seconds per real second, for a simulated World
    that people watch; the waiting is then real."""

    def __init__(
        self, started_at: datetime, *, pace: float | None = None, side_by_side: int = 16
    ) -> None:
        self._started_at = started_at
        self._time = 0.0
        self._jumped = timedelta(0)
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._mutex = threading.Lock()
        self._local = threading.local()
        self._idle: list[_Thread] = []
        self._side_by_side = side_by_side
        self._pace = pace
        self._real_start = time.monotonic()

    def now(self) -> datetime:
        return self.steady() + self._jumped

    def steady(self) -> datetime:
        """Wall time as it is where nobody sets the clock."""
        return self._started_at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> Seconds:
        if self._pace is None:
            return Seconds(self._time)
        flowed = (time.monotonic() - self._real_start) * self._pace
        return Seconds(max(self._time, flowed))

    def jump(self, by: timedelta) -> None:
        """Set wall time forward or back; `monotonic` does not notice."""
        self._jumped += by

    def at(self, when: Seconds, do: Callable[[], None]) -> Timer:
        """Let `do` happen at `when`, or at once when that has passed and somebody next waits."""
        return self._push(when, Timer(when, _do=do))

    def after(self, delay: Seconds, do: Callable[[], None]) -> Timer:
        return self.at(Seconds(self.monotonic() + delay), do)

    def spawn(self, body: Callable[[], None]) -> None:
        """A new thread of control that begins now, when the caller next waits."""
        self._push_strand(self.monotonic(), _Strand(body=body, started=False))

    def submit(self, task: Callable[[], T]) -> Begun[T]:
        """Begin `task` and come back when it first waits, or has ended."""
        begun: Begun[T] = Begun(self, task)
        self.spawn(begun.live)
        self._push_strand(self.monotonic(), self._me())
        self._hand_over(self._me())
        return begun

    def sleep(self, duration: Seconds) -> None:
        if duration <= 0:
            return
        me = self._me()
        self._let_others_begin(me)
        self._push_strand(Seconds(self.monotonic() + duration), me)
        self._hand_over(me)

    def wait_for(self, register: Callable[[Callable[[], None]], None]) -> None:
        """Wait without a time-out: `register` is given the function that wakes the caller."""
        me = self._me()
        woken = False

        def wake() -> None:
            nonlocal woken
            if not woken:
                woken = True
                self._push_strand(self.monotonic(), me)

        register(wake)
        self._let_others_begin(me)
        self._hand_over(me)

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """See `World.run_all`. A killed process's tasks end with it: ControlPlaneKilled is raised."""
        answers: list[T | BaseException] = [ControlPlaneKilled()] * len(tasks)
        killed: list[ControlPlaneKilled] = []
        me = self._me()

        def attempt(index: int, task: Callable[[], T]) -> None:
            try:
                answers[index] = task()
            except ControlPlaneKilled as end:
                killed.append(end)
                group.pending.clear()
            except Exception as error:
                answers[index] = error

        def prepared(index: int, task: Callable[[], T]) -> Callable[[], None]:
            return lambda: attempt(index, task)

        group = _Group(deque(prepared(i, task) for i, task in enumerate(tasks)), me)
        outer, me.group = me.group, group
        self._work_off(group)
        me.group = outer
        if group.helpers:
            group.owner_waits = True
            self._let_others_begin(me)
            self._hand_over(me)
        if killed:
            raise killed[0]
        return answers

    def _me(self) -> _Strand:
        strand: _Strand | None = getattr(self._local, "strand", None)
        if strand is None:
            strand = self._local.strand = _Strand()
        return strand

    def _push(self, when: float, timer: Timer) -> Timer:
        with self._mutex:
            heapq.heappush(self._due, (when, next(self._order), timer))
        return timer

    def _push_strand(self, when: Seconds, strand: _Strand) -> None:
        self._push(when, Timer(when, _strand=strand))

    def _let_others_begin(self, me: _Strand) -> None:
        group = me.group
        if group is not None and group.pending and group.helpers < self._side_by_side - 1:
            group.helpers += 1
            helper = _Strand(group=group, started=False)
            helper.body = lambda: self._help(helper, group)
            self._push_strand(self.monotonic(), helper)

    @staticmethod
    def _work_off(group: _Group) -> None:
        while group.pending:
            group.pending.popleft()()

    def _help(self, helper: _Strand, group: _Group) -> None:
        self._work_off(group)
        helper.group = None
        group.helpers -= 1
        if not group.helpers and group.owner_waits:
            self._push_strand(self.monotonic(), group.owner)

    def _next(self) -> Timer:
        """The next thing due, with time moved on to it."""
        while True:
            with self._mutex:
                while self._due and self._due[0][2].cancelled:
                    heapq.heappop(self._due)
                if not self._due:
                    raise Deadlock(
                        "everybody waits and nothing is due: nothing can happen any more"
                    )
                when, _, timer = self._due[0]
                early = 0.0 if self._pace is None else (when - self.monotonic()) / self._pace
                if early <= 0:
                    heapq.heappop(self._due)
                    self._time = max(self._time, when)
                    return timer
            time.sleep(min(early, 0.2))

    def _hand_over(self, me: _Strand | None) -> None:
        """Let what is due happen until it is `me`'s turn again; None when the caller has ended."""
        while True:
            timer = self._next()
            if timer._do is not None:
                timer._do()
                continue
            strand = timer._strand
            if strand is None or strand is me:
                return
            if strand.started:
                strand.baton.release()
            else:
                strand.started = True
                self._begin(strand)
            if me is not None:
                me.baton.acquire()
            return

    def _begin(self, strand: _Strand) -> None:
        """On a thread that has nothing to do, else on a new one."""
        with self._mutex:
            idle = self._idle.pop() if self._idle else None
        if idle is None:
            idle = _Thread()
            threading.Thread(target=self._live, args=(idle,), daemon=True).start()
        idle.strand = strand
        idle.begin.release()

    def _live(self, thread: _Thread) -> None:
        while True:
            thread.begin.acquire()
            strand = self._local.strand = thread.strand
            try:
                if strand is not None and strand.body is not None:
                    strand.body()
            except ControlPlaneKilled:
                pass
            except BaseException:
                self._hand_over(None)
                raise
            with self._mutex:
                self._idle.append(thread)
            self._hand_over(None)
