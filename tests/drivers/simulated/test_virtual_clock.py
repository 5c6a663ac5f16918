from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from control_plane.drivers.simulated import ControlPlaneKilled, VirtualClock
from control_plane.drivers.simulated.clock import Deadlock
from control_plane.model.units import Seconds

START = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_sleeping_a_year_takes_no_time_and_moves_both_clocks(clock: VirtualClock) -> None:
    year = 365 * 86400.0
    clock.sleep(Seconds(year))
    assert clock.monotonic() == year
    assert clock.now() == START + timedelta(seconds=year)


def test_a_wall_clock_jump_is_not_noticed_by_what_measures_durations(clock: VirtualClock) -> None:
    clock.sleep(Seconds(5))
    clock.jump(timedelta(hours=-1))
    assert clock.monotonic() == 5
    assert clock.now() == START + timedelta(seconds=5, hours=-1)


def test_what_is_scheduled_happens_in_the_order_of_time_while_somebody_sleeps(
    clock: VirtualClock,
) -> None:
    seen: list[tuple[str, float]] = []
    clock.at(Seconds(8), lambda: seen.append(("late", clock.monotonic())))
    clock.at(Seconds(3), lambda: seen.append(("early", clock.monotonic())))
    clock.at(Seconds(20), lambda: seen.append(("never", clock.monotonic())))
    clock.sleep(Seconds(10))
    assert seen == [("early", 3.0), ("late", 8.0)]
    assert clock.monotonic() == 10


def test_a_cancelled_timer_does_not_happen(clock: VirtualClock) -> None:
    seen: list[str] = []
    clock.after(Seconds(1), lambda: seen.append("x")).cancel()
    clock.sleep(Seconds(2))
    assert seen == []


def test_tasks_that_wait_overlap_and_answer_in_the_order_given(clock: VirtualClock) -> None:
    def task(wait: float) -> float:
        clock.sleep(Seconds(wait))
        return clock.monotonic()

    answers = clock.run_all([lambda w=wait: task(w) for wait in (5.0, 1.0, 3.0)])
    assert answers == [5.0, 1.0, 3.0]
    assert clock.monotonic() == 5


def test_more_tasks_than_run_side_by_side_take_turns() -> None:
    clock = VirtualClock(START, side_by_side=2)
    clock.run_all([lambda: clock.sleep(Seconds(10))] * 6)
    assert clock.monotonic() == 30


def test_a_failing_task_leaves_its_error_in_its_place(clock: VirtualClock) -> None:
    def fail() -> str:
        clock.sleep(Seconds(1))
        raise ValueError("no")

    first, second, third = clock.run_all([lambda: "a", fail, lambda: "c"])
    assert (first, third) == ("a", "c")
    assert isinstance(second, ValueError)


def test_tasks_may_run_tasks_of_their_own(clock: VirtualClock) -> None:
    def inner() -> float:
        clock.sleep(Seconds(2))
        return clock.monotonic()

    def outer() -> list[float | BaseException]:
        clock.sleep(Seconds(1))
        return clock.run_all([inner, inner])

    assert clock.run_all([outer, outer]) == [[3.0, 3.0], [3.0, 3.0]]


def test_submitted_work_goes_on_while_its_owner_does_other_things(clock: VirtualClock) -> None:
    def work() -> str:
        clock.sleep(Seconds(10))
        return "done"

    pending = clock.submit(work)
    assert not pending.done()
    clock.sleep(Seconds(4))
    assert not pending.done()
    assert pending.result() == "done"
    assert clock.monotonic() == 10


def test_submitted_work_that_never_waits_is_done_at_once(clock: VirtualClock) -> None:
    pending = clock.submit(lambda: 7)
    assert pending.done()
    assert pending.result() == 7


def test_an_error_of_submitted_work_is_raised_by_its_result(clock: VirtualClock) -> None:
    def fail() -> None:
        clock.sleep(Seconds(1))
        raise KeyError("lost")

    pending = clock.submit(fail)
    with pytest.raises(KeyError, match="lost"):
        pending.result()


def test_two_threads_of_control_interleave_by_time_alone(clock: VirtualClock) -> None:
    seen: list[tuple[float, str]] = []

    def walk(name: str, step: float) -> None:
        for _ in range(3):
            clock.sleep(Seconds(step))
            seen.append((clock.monotonic(), name))

    clock.spawn(lambda: walk("slow", 5.0))
    clock.spawn(lambda: walk("fast", 2.0))
    clock.sleep(Seconds(20))
    assert seen == [
        (2.0, "fast"), (4.0, "fast"), (5.0, "slow"), (6.0, "fast"), (10.0, "slow"), (15.0, "slow"),
    ]  # fmt: skip


def test_a_killed_process_ends_in_the_middle_of_its_tasks(clock: VirtualClock) -> None:
    begun: list[int] = []

    def task(number: int) -> None:
        begun.append(number)
        if number == 2:
            raise ControlPlaneKilled

    with pytest.raises(ControlPlaneKilled):
        clock.run_all([lambda n=number: task(n) for number in range(5)])
    assert begun == [0, 1, 2]


def test_waiting_for_what_can_never_happen_is_an_error_and_not_a_hang(clock: VirtualClock) -> None:
    with pytest.raises(Deadlock):
        clock.wait_for(lambda _: None)


def test_with_a_pace_virtual_time_flows_with_real_time() -> None:
    clock = VirtualClock(START, pace=100.0)
    before = clock.monotonic()
    clock.sleep(Seconds(5))
    assert clock.monotonic() - before >= 5
