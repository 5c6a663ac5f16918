"""A World that lives in another process, so that it outlives a control plane that is killed.

`serve` plays the World to whoever holds the other end of the pipe; `WorldElsewhere` is what a
control plane sees, over a `Line` to that process or, where nobody is killed any more, `InTheSameProcess`.
`before_change` is called before every call that can change something out there, which is where a test
can kill its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.world import Lane, Sign
from control_plane.model.fence import FenceEvidence
from control_plane.model.operation import Event
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

T = TypeVar("T")

_READ_ONLY = frozenset({"facts", "list_servers", "console", "close"})


def serve(world: SimulatedWorld, pipe: Connection, on_word: Callable[[Any], None]) -> Any:
    """Answer calls until the other process ends or says `finish(result)`; returns that result, or
    None when it ended without a word. Each process starts with nothing observed. What it
    says by `tell` goes to `on_word` while it waits.

    Every answer tells the time as well: it is virtual and only moves while the World is asked for
    something, so it never has to be asked for."""
    seen = world.seen_by_another_process()
    while True:
        try:
            what, host, name, args = pipe.recv()
        except (EOFError, ConnectionError):
            return None
        if what == "finish":
            return args[0]
        if what == "tell":
            on_word(args[0])
            pipe.send(None)
            continue
        try:
            good, answer = True, _carry_out(seen, what, host, name, args)
        except Exception as error:
            good, answer = False, error
        try:
            pipe.send((good, answer, seen.clock.now(), seen.clock.monotonic()))
        except (BrokenPipeError, ConnectionError):
            return None


def tell(pipe: Connection, word: Any) -> None:
    """Comes back once `on_word` has done about it what it does."""
    pipe.send(("tell", None, "", (word,)))
    pipe.recv()


def _carry_out(seen: Any, what: str, host: Host | None, name: str, args: tuple[Any, ...]) -> Any:
    match what:
        case "clock":
            return seen.clock.sleep(*args)
        case "notifier":
            (notifier,) = seen.notifiers()
            return notifier.notify(*args)
        case "channels":
            return [channel.name for channel in seen.channels()]
        case "fencers":
            return [fencer.name for fencer in seen.fencers(host)]
        case "channel":
            return next(c for c in seen.channels() if c.name == name).listen(host)
        case "fencer":
            return next(f for f in seen.fencers(host) if f.name == name).fence(host)
        case "driver":
            return getattr(seen.driver(host), name)(*args)
        case _:
            raise ValueError(what)


class Line(Protocol):
    """`ask` changes nothing out there."""

    @property
    def now(self) -> datetime: ...

    @property
    def monotonic(self) -> Seconds: ...

    def ask(self, what: str, host: Host | None, name: str, *args: Any) -> Any: ...

    def change(self, what: str, host: Host | None, name: str, *args: Any) -> Any: ...


class InTheSameProcess:
    """A `Line`."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._seen = world.seen_by_another_process()

    @property
    def now(self) -> datetime:
        return self._seen.clock.now()

    @property
    def monotonic(self) -> Seconds:
        return self._seen.clock.monotonic()

    def ask(self, what: str, host: Host | None, name: str, *args: Any) -> Any:
        return _carry_out(self._seen, what, host, name, args)

    change = ask


class OverPipe:
    """A `Line`."""

    def __init__(self, pipe: Connection, before_change: Callable[[str], None]) -> None:
        self.now: datetime
        self.monotonic: Seconds
        self._pipe = pipe
        self._before_change = before_change

    def ask(self, what: str, host: Host | None, name: str, *args: Any) -> Any:
        self._pipe.send((what, host, name, args))
        good, answer, self.now, self.monotonic = self._pipe.recv()
        if not good:
            raise answer
        return answer

    def change(self, what: str, host: Host | None, name: str, *args: Any) -> Any:
        self._before_change(f"{what} {name}")
        return self.ask(what, host, name, *args)

    def finish(self, result: Any) -> None:
        self._pipe.send(("finish", None, "", (result,)))


class _Clock:
    def __init__(self, line: Line) -> None:
        self._line = line

    def now(self) -> datetime:
        return self._line.now

    def monotonic(self) -> Seconds:
        return self._line.monotonic

    def sleep(self, duration: Seconds) -> None:
        self._line.change("clock", None, "sleep", duration)


class _Notifier:
    name = "people"

    def __init__(self, line: Line) -> None:
        self._line = line

    def notify(self, event: Event) -> None:
        self._line.change("notifier", None, "notify", event)


@dataclass(frozen=True)
class _Channel:
    line: Line
    name: str

    def listen(self, host: Host) -> Sign:
        return self.line.ask("channel", host, self.name)


@dataclass(frozen=True)
class _Fencer:
    line: Line
    name: str

    def fence(self, host: Host) -> FenceEvidence:
        return self.line.change("fencer", host, self.name)


class _Driver:
    def __init__(self, line: Line, host: Host) -> None:
        self._line = line
        self._host = host

    def __getattr__(self, name: str) -> Callable[..., Any]:
        send = self._line.ask if name in _READ_ONLY else self._line.change
        return lambda *args: send("driver", self._host, name, *args)


@dataclass(frozen=True)
class _Done:
    """What `submit` gives where there are no threads: it has ended already."""

    value: Any
    error: Exception | None

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class WorldElsewhere:
    """A World (drivers/world.py)."""

    def __init__(self, line: Line) -> None:
        self.clock = _Clock(line)
        self._line = line
        self._notifier = _Notifier(line)
        self._channels = [_Channel(line, name) for name in line.ask("channels", None, "")]

    def driver(self, host: Host) -> Any:
        return _Driver(self._line, host)

    def notifiers(self) -> Sequence[_Notifier]:
        return [self._notifier]

    def channels(self) -> Sequence[_Channel]:
        return self._channels

    def fencers(self, host: Host) -> Sequence[_Fencer]:
        return [_Fencer(self._line, name) for name in self._line.ask("fencers", host, "")]

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        answers: list[T | BaseException] = []
        for task in tasks:
            try:
                answers.append(task())
            except Exception as error:
                answers.append(error)
        return answers

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> _Done:  # noqa: ARG002
        try:
            return _Done(task(), None)
        except Exception as error:
            return _Done(None, error)
