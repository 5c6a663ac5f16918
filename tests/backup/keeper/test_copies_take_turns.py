"""Of copies to other repositories the earlier tiers' run at once, those of one tier take turns, and no tier
waits for ever."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from backup.keeper.turns import InLine, Running, Turns, turns
from control_plane.model.backup.points import Copying, CopyStanding, Held
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace
from control_plane.model.ids import ServerId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.units import Seconds
from control_plane.store.recovery_points import SetPolicy
from tests.backup.keeper.stand import FAR, MEMBER, RESIDENTS
from tests.backup.keeper.test_copies_and_damage import HERE_AND_THERE, HOUR, NEAR_PLACE, TwoPlaces
from tests.scenarios.joining import join
from tests.scenarios.setting import ServerSetting, SystemSetting

TURN = Seconds(900)
SLOTS = 8


def waits(system: str, tier: int, member: str = "uji", since: float = 0.0) -> InLine:
    return InLine(f"far/{system}", f"far/{member}", tier, Seconds(since))


def runs(
    system: str, tier: int, member: str = "uji", sending: float | None = 60.0, **how: bool
) -> Running:
    after = None if sending is None else Seconds(sending)
    return Running(f"far/{system}", f"far/{member}", tier, after, **how)


def decided(running: list[Running], waiting: list[InLine], now: float = 100.0) -> Turns:
    return turns(running, waiting, SLOTS, TURN, Seconds(now))


def test_a_members_records_are_let_in_before_its_librarys_copy_has_ended() -> None:
    library = runs("library", 3)
    told = decided([library], [waits("records", 0)])
    assert (told.begin, told.give_way) == ((), ("far/library",))
    going = runs("library", 3, leaving=True)
    assert decided([going], [waits("records", 0), waits("tax", 0)]) == Turns((), ())
    assert decided([], [waits("library", 3), waits("records", 0)]).begin == ("far/records",)
    assert decided([runs("records", 0)], [waits("library", 3)]) == Turns((), ())


def test_anothers_records_are_let_in_where_eight_libraries_have_all_places() -> None:
    libraries = [runs(f"library-{n}", 3, f"m{n}", 60.0 * n) for n in range(SLOTS)]
    told = decided(libraries, [waits("records", 0, "mikasa")])
    assert (told.begin, told.give_way) == ((), ("far/library-7",))
    both = [waits("records", 0, "mikasa"), waits("tax", 1, "takeo"), waits("more", 3, "ebino")]
    assert decided(libraries, both).give_way == ("far/library-7", "far/library-6")
    libraries[7] = runs("library-7", 3, "m7", leaving=True)
    assert decided(libraries, both).give_way == ("far/library-6",)


def test_of_one_tier_whoever_has_had_a_turn_makes_room_and_nobody_else() -> None:
    others = [runs(f"records-{n}", 0, f"m{n}") for n in range(SLOTS - 1)]
    waiting = [waits("records", 0, "mikasa")]
    assert decided([*others, runs("x", 0, "x", 800)], waiting).give_way == ()
    assert decided([*others, runs("x", 0, "x", None)], waiting).give_way == ()
    assert decided([*others, runs("x", 0, "x", 900)], waiting).give_way == ("far/x",)
    assert decided([*others, runs("x", 0, "x", idle=True)], waiting).give_way == ("far/x",)


def test_what_has_waited_for_nine_turns_keeps_its_place_for_one() -> None:
    long_ago = waits("library", 3, since=0)
    new = waits("records", 0, since=8000)
    assert decided([], [new, long_ago], 8099).begin == ("far/records",)
    told = decided([], [new, long_ago], 8100)
    assert (told.begin, told.favoured) == (("far/library",), "far/library")
    favoured = runs("library", 3, sending=800, favoured=True)
    assert decided([favoured], [new], 9000) == Turns((), ())
    over = runs("library", 3, sending=900, favoured=True)
    assert decided([over], [new], 9100).give_way == ("far/library",)
    also = waits("archive", 3, "takeo", since=0)
    assert decided([favoured, *[runs(f"{n}", 0, f"{n}", 900) for n in range(7)]], [also], 9e9) == (
        Turns((), ())
    ), "one at a time is favoured"


class Days:
    """Copies by the rule, second by second of a minute: each sends for so long as it runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.tiers: dict[tuple[str, str], int] = {}
        self.left: dict[tuple[str, str], float] = {}
        self.since: dict[str, float] = {}
        self.running: dict[str, tuple[float, bool]] = {}
        self.sent: Counter[str] = Counter()
        self.waited: defaultdict[int, float] = defaultdict(float)

    def want(self, member: str, system: str, tier: int, minutes: float) -> None:
        self.tiers[member, system] = tier
        self.left[member, system] = minutes
        self.since.setdefault(f"far/{system}", self.now)

    def minute(self) -> None:
        leaving = sorted(self._told().give_way, key=self.since.__getitem__)
        for place, key in enumerate(leaving):
            began, _ = self.running.pop(key)
            if self.now - began >= TURN:
                self.since[key] = self.now + place * 1e-6
        told = self._told()
        for key in told.begin:
            self.running[key] = (self.now, key == told.favoured)
        assert len(self.running) <= SLOTS
        places = [member for member, system in self.left if f"far/{system}" in self.running]
        assert len(places) == len(set(places)), "one at a time of each member"
        for (member, system), minutes in list(self.left.items()):
            key = f"far/{system}"
            if key in self.running:
                self.left[member, system] = minutes - 1
                self.sent[system] += 1
                if minutes <= 1:
                    del self.left[member, system], self.running[key], self.since[key]
            else:
                tier = self.tiers[member, system]
                self.waited[tier] = max(self.waited[tier], self.now - self.since[key])
        self.now += 60

    def _told(self) -> Turns:
        running, waiting = [], []
        for member, system in self.left:
            key, tier = f"far/{system}", self.tiers[member, system]
            if key in self.running:
                began, favoured = self.running[key]
                running.append(runs(system, tier, member, self.now - began, favoured=favoured))
            else:
                waiting.append(waits(system, tier, member, self.since[key]))
        return decided(running, waiting, self.now)


def test_hourly_records_never_wait_for_long_and_the_library_arrives_all_the_same() -> None:
    days = Days()
    days.want("uji", "library", 3, 40 * 60)
    for minute in range(3 * 24 * 60):
        if minute % 60 == 30:
            days.want("uji", "records", 0, 10)
        days.minute()
    assert ("uji", "library") not in days.left
    assert days.waited[0] <= 60


def test_what_is_always_overtaken_has_a_tenth() -> None:
    days = Days()
    days.want("uji", "library", 3, 10**6)
    for minute in range(4 * 24 * 60):
        # There are always records to copy, one system after another.
        if minute % 10 == 0:
            days.want("uji", f"records-{minute % 20}", 0, 11)
        days.minute()
    assert days.sent["library"] / (4 * 24 * 60) == pytest.approx(0.1, abs=0.02)
    assert days.waited[0] <= TURN + 15 * 60


def test_twenty_members_of_one_tier_get_on_alike() -> None:
    days = Days()
    for number in range(20):
        days.want(f"m{number}", f"records-{number}", 0, 10**6)
    for _ in range(12 * 60):
        days.minute()
    assert sum(days.sent.values()) == SLOTS * 12 * 60
    assert max(days.sent.values()) - min(days.sent.values()) <= 2 * TURN / 60


LIBRARY = SystemId("library")
PART = 4 << 20


HOURLY = replace(
    HERE_AND_THERE,
    copies=(BackupCopy(BackupInterval.HOUR, 3, (BackupPlace.OFF_SITE, BackupPlace.OTHER_REGION)),),
)


class WithALibrary(TwoPlaces):
    """The same member's library joins, which has more to copy, and comes last."""

    def join_library(self) -> None:
        servers = tuple(ServerSetting(f"library-{n}", f"{n}", "small") for n in range(4))
        system = SystemSetting("library", 3, Zone.LGWAN, servers)
        join(self.store, self.pool.regions[0].id, system, self.world.clock.now())
        self.until(lambda: all(map(self.world.answering, self.servers())))
        for number, server in enumerate(servers):
            draw = random.Random(number)  # noqa: S311 — the same bytes each time
            self.world.write_bytes(ServerId(server.name), 3 << 28, draw.randbytes(PART))
        with self.store.write() as tx:
            now = self.world.clock.now()
            tx.set_backup_policy(LIBRARY, SetPolicy(HERE_AND_THERE, "Sato", now))

    def standing(self, system: SystemId, point: int) -> CopyStanding | None:
        """Of that point of it, in the other region."""
        points = [each for each in self.points() if each.system == system]
        copy = points[point].copy_in(FAR) if point < len(points) else None
        return None if copy is None else copy.standing

    def sent(self) -> int:
        standing = self.standing(LIBRARY, 0)
        return standing.done if isinstance(standing, Copying) else 0

    def packs(self) -> set[str]:
        return set(self.bucket.keys(f"tenants/{MEMBER.code}/packs/"))

    def until_so(self, condition: Callable[[], bool], most: int = 900) -> None:
        for _ in range(most):
            if condition():
                return
            self.keep(timedelta(seconds=2), Seconds(2))
        raise AssertionError("it never came to be so")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[WithALibrary]:
    stand = WithALibrary(tmp_path)
    yield stand
    stand.close()


@pytest.mark.long
def test_records_arrive_while_the_library_is_on_its_way_and_nothing_of_that_is_sent_again(
    stand: WithALibrary,
) -> None:
    stand.until_copied(HOUR)
    stand.keep(HOUR)
    stand.narrow(1)
    stand.join_library()
    stand.until_so(lambda: stand.sent() >= PART)
    stand.set_policy(HOURLY)
    stand.until_so(lambda: isinstance(stand.standing(RESIDENTS, 1), Held))
    assert PART <= stand.sent() < 4 * PART, "it is not there yet"
    there = stand.packs()
    stand.until_so(lambda: isinstance(stand.standing(LIBRARY, 0), Held))
    assert there < stand.packs()
    arrived = stand.standing(LIBRARY, 0)
    assert isinstance(arrived, Held)
    # All of it once, and lists of it.
    assert 4 * PART < arrived.stored_bytes < 4.5 * PART
    assert stand.insist_on_bytes(stand.points()) == 8


@pytest.mark.long
def test_a_library_that_can_not_be_copied_holds_up_no_records_and_without_a_budget_nothing_begins(
    stand: WithALibrary,
) -> None:
    stand.until_copied(HOUR)
    stand.keep(HOUR)
    whole = set(stand.world.bucket(NEAR_PLACE).keys(f"tenants/{MEMBER.code}/packs/"))
    stand.narrow(0)
    stand.join_library()
    stand.until_so(lambda: any(each.system == LIBRARY for each in stand.points()))
    for key in set(stand.world.bucket(NEAR_PLACE).keys(f"tenants/{MEMBER.code}/packs/")) - whole:
        stand.world.bucket(NEAR_PLACE).flip(key, -50)
    stand.keep(timedelta(minutes=5), Seconds(30))
    assert stand.standing(LIBRARY, 0) is None
    stand.narrow(100)
    stand.until_so(lambda: bool(stand.events("backup.damage-found")))
    stand.set_policy(HOURLY)
    # What failed is left alone for two minutes.
    stand.until_so(lambda: isinstance(stand.standing(RESIDENTS, 1), Held), most=50)


@pytest.mark.long
def test_where_a_copy_goes_on_later_another_keeper_collects_nothing_either(
    stand: WithALibrary,
) -> None:
    stand.until_copied(HOUR)
    stand.keep(HOUR)
    stand.narrow(1)
    stand.join_library()
    stand.until_so(lambda: stand.sent() >= PART)
    stand.vantage.gate.kill()
    stand.narrow(0)
    stand.begin_anew()
    with capture_logs() as told:
        stand.keep(HOUR, Seconds(300))
    assert {each["part"] for each in told if each["event"] == "collected"} == {
        f"kyoto-near/{MEMBER.code}"
    }
