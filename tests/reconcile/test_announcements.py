"""People hear of everything, whoever recorded it and whoever died meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from control_plane.drivers.real import RealWorld
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.drivers.simulated.clock import ControlPlaneKilled
from control_plane.drivers.world import Notifier, NotTold, World
from control_plane.model.operation import Event, Severity
from control_plane.model.units import Seconds
from control_plane.reconcile import Controller
from control_plane.store import Store
from tests.scenarios.script import read_script
from tests.scenarios.setting import read_setting
from tests.scenarios.stage import Stage

NOW = datetime(2026, 4, 1, tzinfo=UTC)
STORIES = Path(__file__).parent.parent / "scenarios"


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(f"sqlite:///{tmp_path}/state.db")
    yield opened
    opened.close()


@dataclass
class Listener:
    """A way to tell people that keeps what they heard; `trouble` comes up before they hear it."""

    name: str = "log"
    heard: list[str] = field(default_factory=list)
    trouble: Callable[[Event], object] = lambda _: None
    afterwards: Callable[[Event], object] = lambda _: None

    def notify(self, event: Event) -> None:
        self.trouble(event)
        self.heard.append(event.subject)
        self.afterwards(event)


@dataclass
class WorldThatTells:
    """A World with these ways to tell people and no others."""

    world: Any
    ways: Sequence[Notifier]

    def notifiers(self) -> Sequence[Notifier]:
        return self.ways

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)


def control_plane(store: Store, world: World, *ways: Notifier, name: str = "a") -> Controller:
    return Controller(store, WorldThatTells(world, ways), name)


def record(store: Store, *subjects: str) -> None:
    with store.write() as tx:
        for subject in subjects:
            tx.add_event(Event("host.suspect", subject, NOW, Severity.WARNING, "Look.", "確認。"))


def die(_: Event) -> None:
    raise ControlPlaneKilled


def test_what_happened_before_anybody_first_led_is_told(store: Store) -> None:
    people = Listener()
    record(store, "first", "second")
    control_plane(store, SimulatedWorld(), people).tick()
    assert people.heard == ["first", "second"]


def test_what_a_leader_recorded_before_it_died_is_told_by_its_successor(store: Store) -> None:
    people, world = Listener(), SimulatedWorld()
    control_plane(store, world, people).tick()
    record(store, "fenced", "evacuated")
    world.clock.sleep(Seconds(60))
    control_plane(store, world, people, name="b").tick()
    assert people.heard == ["fenced", "evacuated"]


def test_a_leader_that_dies_while_it_tells_leaves_no_gap_and_the_overlap_shows(
    store: Store,
) -> None:
    sequences: list[int] = []
    world = SimulatedWorld()
    dying = Listener(trouble=lambda event: sequences.append(event.sequence), afterwards=die)
    record(store, "fenced", "evacuated")
    control_plane(store, world, dying).tick()
    world.clock.sleep(Seconds(60))
    people = Listener(trouble=lambda event: sequences.append(event.sequence))
    control_plane(store, world, people, name="b").tick()
    assert dying.heard + people.heard == ["fenced", "fenced", "evacuated"]
    assert sequences == [1, 1, 2]


def test_leaders_that_take_turns_tell_everything_once(store: Store) -> None:
    people, world = Listener(), SimulatedWorld()
    one, other = (control_plane(store, world, people, name=name) for name in ("a", "b"))
    for turn in range(4):
        record(store, f"{turn} before")
        (one if turn % 2 else other).tick()
        record(store, f"{turn} after")
        assert (one if turn % 2 else other).tick().leading
        assert not (other if turn % 2 else one).tick().leading
        world.clock.sleep(Seconds(60))
    assert people.heard == [f"{turn} {when}" for turn in range(4) for when in ("before", "after")]


def test_a_notifier_that_fails_goes_on_from_its_place_and_holds_up_no_other(store: Store) -> None:
    def refuse(_: Event) -> None:
        raise NotTold("The webhook can't be reached.")

    log, webhook, world = Listener(), Listener("webhook", trouble=refuse), SimulatedWorld()
    leader = control_plane(store, world, log, webhook)
    for number in range(5):
        record(store, str(number))
        assert leader.tick().leading
        world.clock.sleep(Seconds(1))
    assert log.heard == ["0", "1", "2", "3", "4"]
    assert webhook.heard == []
    webhook.trouble = lambda _: None
    world.clock.sleep(Seconds(60))
    leader.tick()
    assert webhook.heard == log.heard


def test_a_notifier_that_fails_is_tried_ever_less_often(store: Store) -> None:
    tries: list[Event] = []

    def refuse(event: Event) -> None:
        tries.append(event)
        raise ValueError("a defect of its own")

    world = SimulatedWorld()
    leader = control_plane(store, world, Listener(trouble=refuse))
    record(store, "event")
    for _ in range(600):
        leader.tick()
        world.clock.sleep(Seconds(1))
    assert 10 <= len(tries) <= 20


def test_a_notifier_that_hangs_holds_up_neither_the_control_plane_nor_another(
    store: Store,
) -> None:
    released, heard = threading.Event(), threading.Event()
    hanging = Listener("webhook", trouble=lambda _: released.wait(60))
    log = Listener(afterwards=lambda event: heard.set() if event.subject == "last" else None)
    world = RealWorld(notifiers=(log, hanging))
    try:
        leader = Controller(store, world, "a")
        record(store, "first")
        assert leader.tick().leading
        record(store, "last")
        while not heard.wait(0.05):
            assert leader.tick().leading
        assert hanging.heard == []
        released.set()
        while len(hanging.heard) < 2:
            assert leader.tick().leading
            world.clock.sleep(Seconds(0.05))
        assert hanging.heard == log.heard == ["first", "last"]
    finally:
        released.set()
        world.close()


def test_a_new_way_to_tell_people_begins_with_what_happens_from_now_on(store: Store) -> None:
    log, webhook, world = Listener(), Listener("webhook"), SimulatedWorld()
    record(store, "history")
    control_plane(store, world, log).tick()
    again = control_plane(store, world, log, webhook)
    again.tick()
    record(store, "news")
    again.tick()
    assert log.heard == ["history", "news"]
    assert webhook.heard == ["news"]


def test_however_much_happens_at_once_is_told_whole_and_in_order(store: Store) -> None:
    people, world = Listener(), SimulatedWorld()
    leader = control_plane(store, world, people)
    subjects = [str(number) for number in range(1700)]
    record(store, *subjects)
    for _ in range(3):
        leader.tick()
    assert people.heard == subjects


@pytest.mark.parametrize("story", ["killed-right-after-the-fence", "two-control-planes"])
def test_in_a_story_of_dying_leaders_every_event_is_told(story: str, tmp_path: Path) -> None:
    script = read_script(STORIES / story / "story")
    stage = Stage(read_setting(STORIES / story / "pool.yaml"), tmp_path / "state.db")
    try:
        stage.play(script.commands, script.end)
        with stage.store.read() as tx:
            events = tx.events(after=0, limit=10_000)
    finally:
        stage.close()
    assert sorted({event.sequence for event in stage.world.told}) == [e.sequence for e in events]
