"""Several disks of one restore at once: each waits for its repository and its host, and seldom for the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from backup.restore.progress import GivenUp, Progress
from control_plane.drivers.world import Lane, World

T = TypeVar("T")

AT_ONCE = 3


def side_by_side(
    world: World, progress: Progress, tasks: Sequence[Callable[[], T]], most: int = AT_ONCE
) -> list[T]:
    """What they return, in their order. Where one fails no other begins, those under way give up at the next
    piece, and the first failure is raised once none is at work any more."""
    waiting = deque(enumerate(tasks))
    results: dict[int, T] = {}
    failures: list[Exception] = []

    def work() -> None:
        while waiting and not failures:
            place, task = waiting.popleft()
            try:
                results[place] = task()
            except GivenUp:
                return
            except Exception as error:
                failures.append(error)
                progress.give_up()

    if min(most, len(tasks)) <= 1:
        work()
    else:
        under_way = [world.submit(work, Lane.FILL) for _ in range(min(most, len(tasks)))]
        for each in under_way:
            each.result()
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(tasks))]
