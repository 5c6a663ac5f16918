"""What several threads wait for is done once for all of them, and nobody pays for another's mistake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from control_plane.model.units import Seconds
from control_plane.store import Turns

LONG, NO_TIME = Seconds(60), Seconds(0)


class Wrong(Exception):
    pass


class Work:
    """Doubles numbers, and refuses odd ones."""

    def __init__(self) -> None:
        self.done: list[tuple[int, ...]] = []

    def many(self, numbers: Sequence[int]) -> list[int]:
        self.done.append(tuple(numbers))
        if any(number % 2 for number in numbers):
            raise Wrong
        return [number * 2 for number in numbers]

    def alone(self, number: int) -> int:
        return self.many([number])[0]


def asked_meanwhile(turns: Turns, work: Work, numbers: Sequence[int]) -> list[Future[int]]:
    """All of them wait while somebody else has the turn, in that order."""
    with ThreadPoolExecutor(len(numbers)) as threads:
        with turns.one_by_one(LONG):
            asked: list[Future[int]] = []
            for number in numbers:
                asked.append(threads.submit(turns.together, number, work.many, work.alone, LONG))
                until(lambda: turns.waiting == len(asked))
        return asked


def until(so: Callable[[], bool]) -> None:
    while not so():
        time.sleep(0.001)


def test_those_who_wait_are_done_together_and_each_gets_its_own() -> None:
    turns, work = Turns(), Work()
    asked = asked_meanwhile(turns, work, [2, 4, 6, 8])
    assert [each.result() for each in asked] == [4, 8, 12, 16]
    (together,) = work.done
    assert sorted(together) == [2, 4, 6, 8]


def test_what_is_wrong_with_one_is_heard_by_that_one_alone() -> None:
    turns, work = Turns(), Work()
    asked = asked_meanwhile(turns, work, [2, 3, 4])
    assert [asked[0].result(), asked[2].result()] == [4, 8]
    with pytest.raises(Wrong):
        asked[1].result()
    assert sorted(work.done[1:]) == [(2,), (3,), (4,)]


def test_only_so_many_are_done_at_once() -> None:
    turns, work = Turns(), Work()
    numbers = list(range(0, 80, 2))
    assert [each.result() for each in asked_meanwhile(turns, work, numbers)] == [
        number * 2 for number in numbers
    ]
    assert max(map(len, work.done)) == 16
    assert sorted(number for some in work.done for number in some) == numbers


def test_who_has_waited_for_long_goes_on_alone() -> None:
    turns, work = Turns(), Work()
    with turns.one_by_one(LONG):
        assert turns.together(2, work.many, work.alone, NO_TIME) == 4
    assert work.done == [(2,)]


def test_nobody_s_work_is_done_twice() -> None:
    turns, work = Turns(), Work()
    start = threading.Barrier(8)

    def some(first: int) -> list[int]:
        start.wait()
        return [
            turns.together(number, work.many, work.alone, NO_TIME)
            for number in range(first, first + 100, 2)
        ]

    with ThreadPoolExecutor(8) as threads:
        found = [n for some_of_it in threads.map(some, range(0, 800, 100)) for n in some_of_it]
    assert found == [number * 2 for number in range(0, 800, 2)]
    assert sorted(number for some in work.done for number in some) == list(range(0, 800, 2))
