"""Tasks that hang, and everything else going on around them."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest

from control_plane.drivers.real import RealWorld, Settings
from control_plane.drivers.real.workers import Workers
from control_plane.model.units import Seconds

PATIENT = Seconds(60.0)
SHORT = Seconds(0.2)


@pytest.fixture
def thaw():
    """What hangs until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_answers_come_in_the_order_of_the_tasks():
    assert Workers("t", 4).run_all([lambda n=n: n * n for n in range(50)], PATIENT) == [
        n * n for n in range(50)
    ]


def test_tasks_run_side_by_side():
    meeting = threading.Barrier(4)
    assert sorted(Workers("t", 4).run_all([lambda: meeting.wait(30)] * 4, PATIENT)) == [0, 1, 2, 3]


def test_no_more_run_at_once_than_allowed():
    running, most, lock = 0, 0, threading.Lock()
    pause = threading.Event()

    def task():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pause.wait(0.01)
        with lock:
            running -= 1

    Workers("t", 3).run_all([task] * 30, PATIENT)
    assert most <= 3


def test_an_exception_stands_in_its_tasks_place():
    answers = Workers("t", 2).run_all([lambda: 1, lambda: 1 // 0, lambda: 3], PATIENT)
    assert answers[0] == 1
    assert isinstance(answers[1], ZeroDivisionError)
    assert answers[2] == 3


def test_a_task_that_hangs_is_a_time_out_and_the_others_have_their_answers(thaw):
    answers = Workers("t", 2).run_all([thaw.wait, lambda: 2, lambda: 3], SHORT)
    assert isinstance(answers[0], TimeoutError)
    assert answers[1:] == [2, 3]


def test_more_hanging_tasks_than_workers_still_leave_room_for_the_rest(thaw):
    answers = Workers("t", 2).run_all([thaw.wait] * 5 + [lambda: "here"], SHORT)
    assert all(isinstance(answer, TimeoutError) for answer in answers[:5])
    assert answers[5] == "here"


def test_hanging_tasks_exhaust_nothing_however_often_they_come(thaw):
    workers = Workers("t", 2)
    for _ in range(10):
        answers = workers.run_all([thaw.wait, thaw.wait, lambda: "here"], Seconds(0.05))
        assert answers[2] == "here"


def test_workers_that_were_given_up_come_home_when_their_task_ends_after_all(thaw):
    workers = Workers("t", 1)
    workers.run_all([thaw.wait], Seconds(0.05))
    thaw.set()
    for _ in range(20):
        assert workers.run_all([lambda: 1], PATIENT) == [1]


def test_a_task_may_itself_run_out_of_time():
    def late():
        raise TimeoutError("the host did not answer")

    (answer,) = Workers("t", 1).run_all([late], PATIENT)
    assert str(answer) == "the host did not answer"


def test_submitting_returns_at_once_and_the_result_waits(thaw):
    world = RealWorld()
    pending = world.submit(lambda: thaw.wait() and "done")
    assert not pending.done()
    thaw.set()
    assert pending.result() == "done"
    assert pending.done()
    world.close()


def test_a_submitted_tasks_exception_is_raised_by_its_result():
    world = RealWorld()
    with pytest.raises(ZeroDivisionError):
        world.submit(lambda: 1 // 0).result()
    world.close()


def test_slow_work_never_delays_the_quick(thaw):
    world = RealWorld(Settings(at_once=2, slow_at_once=2, task_patience=PATIENT))
    slow = [world.submit(thaw.wait) for _ in range(10)]
    assert world.run_all([lambda: 1, lambda: 2]) == [1, 2]
    assert not any(pending.done() for pending in slow)
    thaw.set()
    assert all(pending.result() for pending in slow)
    world.close()


def test_after_closing_nothing_more_begins(thaw):
    world = RealWorld(Settings(slow_at_once=1))
    begun = threading.Event()
    running = world.submit(lambda: begun.set() or thaw.wait())
    assert begun.wait(60)
    waiting = world.submit(lambda: 2)
    world.close()
    with pytest.raises(CancelledError):
        waiting.result()
    with pytest.raises(CancelledError):
        world.submit(lambda: 3).result()
    thaw.set()
    assert running.result()


def test_a_process_with_hanging_tasks_can_end():
    program = """
import threading
from control_plane.drivers.real import RealWorld, Settings
from control_plane.model.units import Seconds
world = RealWorld(Settings(task_patience=Seconds(0.1)))
for_ever = threading.Event()
world.submit(for_ever.wait)
print(world.run_all([for_ever.wait, lambda: "alive"])[1])
world.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert ended.stdout == "alive\n"
