"""What is kept of listings, and what the minimal set is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from backup.member_copy import Choice, Contents, Listings, Slots, may_be_read
from backup.member_copy.choice import needed_when_cut_off
from control_plane.model.blueprint import OWN, System
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, RegionId, SystemId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, NOW, UJI, standard_catalogue

MINE, THEIRS = MunicipalityCode(MIKASA), MunicipalityCode(UJI)


def choice(tenant: MunicipalityCode, *without: str) -> Choice:
    return Choice(tenant, (), tuple(map(SystemId, without)))


def test_a_listing_is_found_once_kept_for_a_while_and_shown_to_its_member_alone() -> None:
    made: list[str] = []
    now = [0.0]

    def make(choice: Choice) -> Contents:
        made.append(choice.name)
        return Contents(choice, ())

    listings = Listings(make, lambda: now[0], lasts=Seconds(900))
    mine = choice(MINE)
    assert listings.of(mine) == listings.of(mine)
    assert made == [mine.name]
    assert listings.kept(mine.name, MINE) is not None
    assert listings.kept(mine.name, THEIRS) is None
    assert choice(THEIRS).name != mine.name
    now[0] = 901
    assert listings.kept(mine.name, MINE) is None
    listings.of(mine)
    assert made == [mine.name] * 2


def test_who_asks_while_a_listing_is_made_is_told_to_ask_again_and_a_failure_is_not_kept() -> None:
    go_on, tries = threading.Event(), [0]

    def make(choice: Choice) -> Contents:
        go_on.wait(60)
        tries[0] += 1
        if tries[0] == 1:
            raise YuiError("backup-copy-unreadable", en="It is away.", ja="応答がありません。")
        return Contents(choice, ())

    mine = choice(MINE)
    listings = Listings(make, lambda: 0.0, patience=Seconds(0))
    with pytest.raises(YuiError, match="still being found") as waiting:
        listings.of(mine)
    assert waiting.value.status == 503
    assert listings.kept(mine.name, MINE) is None
    patient = replace(listings, patience=Seconds(60))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(patient.of, mine)
        go_on.set()
        with pytest.raises(YuiError, match="away"):
            asked.result()
    assert patient.of(mine).choice == mine


def test_so_many_objects_are_sent_at_once_and_no_more() -> None:
    slots = Slots(most=3, most_each=2)
    for _ in range(2):
        slots.take("one")
    with pytest.raises(YuiError, match="2 with one token"):
        slots.take("one")
    slots.take("other")
    with pytest.raises(YuiError):
        slots.take("third")
    slots.give_back("one")
    with pytest.raises(ValueError, match="broken"), slots.unless_kept("third"):
        raise ValueError("broken")
    slots.take("third")


@pytest.mark.parametrize(
    "key",
    [
        f"tenants/{MIKASA}/keyring/00000001.json",
        f"tenants/{MIKASA}/index/{'0' * 64}",
        f"tenants/{UJI}/packs/00/{'0' * 64}",
        f"tenants/{MIKASA}/packs/00/{'0' * 64}\n",
        f"tenants/{MIKASA}/packs/00/../../../{UJI}/packs/00/{'0' * 64}",
        f"tenants/{MIKASA}/points/web/../../keyring/00000001.json",
        f"condemned/{MIKASA}/{'0' * 64}",
        "repository.json/",
        "",
    ],
)
def test_no_name_leads_out_of_what_a_members_copy_may_hold(key: str) -> None:
    assert not may_be_read(key, MINE)


def test_the_minimal_set_holds_what_its_systems_need_in_turn_and_nothing_of_ones_own() -> None:
    def system(blueprint: str) -> System:
        id = SystemId(f"m-{blueprint}")
        zone = Zone.MYNUMBER
        return System(id, MINE, RegionId("kyoto"), BlueprintId(blueprint), 1, 0, zone, NOW)

    every = [b.id for b in standard_catalogue().newest()]
    systems = [system(each) for each in (*every, OWN, "lost")]
    found = {id.removeprefix("m-") for id in needed_when_cut_off(systems, standard_catalogue())}
    assert {"resident-records", "seal-registration", "resident-tax", "disaster-victims"} <= found
    assert not found & {"library", "facility-booking", "groupware", OWN, "lost"}
    for id in found:
        assert set(standard_catalogue().blueprint(BlueprintId(id)).needs) <= found
    supplement = [system("register-supplement"), system("resident-records"), system("library")]
    assert len(needed_when_cut_off(supplement, standard_catalogue())) == 2
