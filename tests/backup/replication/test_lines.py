"""Copies keep to their line's budget together, and each gets on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from backup.replication import Line
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.backup.ids import LinkId
from control_plane.model.backup.sharing import Link
from control_plane.model.ids import RegionId

BYTES = 10**6 // 8


def link(mbit_per_s: int) -> Link:
    regions = frozenset({RegionId("kyoto"), RegionId("saga")})
    return Link(LinkId("kyoto-saga"), regions, mbit_per_s)


def test_a_copy_takes_as_long_as_the_budget_says() -> None:
    clock = SimulatedWorld().clock
    line = Line(clock, lambda: link(10))
    began = clock.monotonic()
    with line.stream("a", "012220", 0) as stream:
        for _ in range(10):
            stream.ask(25 * 10 * BYTES)
    assert clock.monotonic() - began == pytest.approx(250, rel=0.02)


def test_a_line_without_a_budget_waits_for_nothing() -> None:
    clock = SimulatedWorld().clock
    began = clock.monotonic()
    with Line(clock, lambda: None).stream("a", "012220", 0) as stream:
        stream.ask(10**12)
    assert clock.monotonic() == began


def test_a_budget_that_is_raised_holds_at_once() -> None:
    clock = SimulatedWorld().clock
    budget = [1]
    line = Line(clock, lambda: link(budget[0]))
    began = clock.monotonic()

    def raise_it() -> None:
        budget[0] = 100

    with line.stream("a", "012220", 0) as stream:
        stream.ask(100 * BYTES, raise_it)
    assert clock.monotonic() - began < 5


def test_whoever_gives_up_owes_nothing() -> None:
    clock = SimulatedWorld().clock
    line = Line(clock, lambda: link(1))

    def give_up() -> None:
        raise InterruptedError

    with line.stream("a", "012220", 0) as stream:
        with pytest.raises(InterruptedError):
            stream.ask(10**9, give_up)
        began = clock.monotonic()
        stream.ask(BYTES)
        assert clock.monotonic() - began <= 2


def test_several_at_once_all_get_on() -> None:
    line = Line(SystemClock(), lambda: link(800))

    def copy(number: int) -> int:
        with line.stream(str(number), f"{number}", number) as stream:
            for _ in range(4):
                stream.ask(BYTES)
        return number

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(copy, range(4))) == [0, 1, 2, 3]
