"""What a World promises of submitted tasks: none waits for a task of another lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from control_plane.drivers.real import RealWorld, Settings
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.world import Lane, World
from control_plane.model.units import Seconds

FENCES = 40
"""A whole site's."""


class Errands:
    """Tasks that last until they are released."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.released = False

    def hang(self) -> str:
        while not self.released:
            self.world.clock.sleep(Seconds(0.05))
        return "released"


@pytest.fixture(params=["real", "simulated"])
def errands(request):
    if request.param == "simulated":
        yield Errands(SimulatedWorld())
        return
    world = RealWorld(Settings(slow_at_once=4, care_at_once=4), drivers={})
    errands = Errands(world)
    yield errands
    errands.released = True
    world.close()


def meeting(world: World, size: int) -> Sequence[Callable[[], int]]:
    """Tasks that end once all of them have begun."""
    begun: list[int] = []

    def task(number: int) -> int:
        begun.append(number)
        while len(begun) < size:
            world.clock.sleep(Seconds(0.05))
        return number

    return [lambda n=n: task(n) for n in range(size)]


def test_the_fences_of_a_site_run_at_once_while_every_other_worker_hangs(errands):
    world = errands.world
    hanging = [world.submit(errands.hang) for _ in range(100)]
    hanging += [world.submit(errands.hang, Lane.CARE) for _ in range(100)]
    hanging += [world.submit(errands.hang, Lane.BACKUP) for _ in range(100)]
    fences = [world.submit(task, Lane.FENCE) for task in meeting(world, FENCES)]
    assert [fence.result() for fence in fences] == list(range(FENCES))
    assert not any(task.done() for task in hanging)
    errands.released = True
    assert {task.result() for task in hanging} == {"released"}


def test_hosts_are_cared_for_while_slow_work_hangs(errands):
    hanging = [errands.world.submit(errands.hang) for _ in range(100)]
    assert errands.world.submit(lambda: "cleaned", Lane.CARE).result() == "cleaned"
    assert not any(task.done() for task in hanging)
