"""Members' lives are kept as they are, and those of before have one too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from control_plane.model.allotment import Capacity
from control_plane.model.ids import BlueprintId, OperationId, RegionId, ServerId
from control_plane.model.membership import (
    Applied,
    Approved,
    Connected,
    Contact,
    Departing,
    Exported,
    FirstUser,
    Hosted,
    LeaveAsked,
    Leaving,
    Left,
    Membership,
    OwnSite,
    Person,
    Rejected,
    Standing,
    Wanted,
    Withdrawn,
)
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.store import LostRace, Store
from tests.store import samples
from tests.store.samples import NOON
from tests.store.test_upgrades import REGION, TENANT, written_by

SYSTEMS = (
    "INSERT INTO systems (id, tenant, region_id, blueprint_id, blueprint_version, tier, zone,"
    " created_at) VALUES"
    " ('a', '262013', 'kyoto', 'library', 1, 2, 'lgwan', '2026-04-03 12:00:00'),"
    " ('b', '262013', 'kyoto', 'local-tax', 1, 2, 'lgwan', '2026-04-02 12:00:00')"
)
SATO, TANAKA = Person("user-1", "佐藤"), Person("token-2", "Tanaka")
SITE = OwnSite("市役所 電算室", "内線 214")

STANDINGS: list[Standing] = [
    Applied(NOON, SATO),
    Applied(NOON, SATO, SITE),
    Approved(NOON, SATO, TANAKA),
    Approved(NOON, SATO, TANAKA, SITE),
    Connected(NOON, TANAKA, SITE),
    Hosted(NOON),
    Hosted(NOON, SITE),
    Rejected(NOON, TANAKA, "The council has not decided."),
    Withdrawn(NOON, SATO),
    LeaveAsked(NOON, SATO, Hosted(NOON, SITE), "A merger.", destroy_keys=True),
    Leaving(NOON, SATO, TANAKA, Approved(NOON, SATO, TANAKA), False),
    Leaving(NOON, SATO, TANAKA, Connected(NOON, TANAKA, SITE), True, (ServerId("a"),)),
    Exported(NOON, SATO, TANAKA, Hosted(NOON), True, (ServerId("a"), ServerId("b")), NOON),
    Departing(NOON, SATO, "We have read all of it.", True),
    Departing(NOON, TANAKA, "Nobody is left there.", False, waived=True),
    Left(NOON, SATO, "We have read all of it."),
]


def life(standing: Standing) -> Membership:
    return Membership(
        samples.tenant(),
        RegionId("kyoto"),
        ((BlueprintId("library"), 2),),
        standing,
        OperationId("op-1"),
        Contact(email="dx@city.example.jp"),
        Wanted(
            (FirstUser("鈴木", "https://id.example.jp", email="suzuki@city.example.jp"),),
            Capacity(VCpu(8), MiB(4096), GiB(100)),
        ),
    )


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda each: type(each).__name__)
def test_each_state_of_a_life_comes_back_as_it_was(store: Store, standing: Standing) -> None:
    with store.write() as tx:
        kept = tx.put_membership(life(standing))
    with store.read() as tx:
        assert tx.membership(samples.tenant().code) == kept
        assert tx.membership_page(10, states=[kept.state]) == [kept]
    assert kept == replace(life(standing), generation=kept.generation)


def test_of_two_who_decide_at_once_one_loses(store: Store) -> None:
    with store.write() as tx:
        read = tx.put_membership(life(STANDINGS[0]))
        tx.put_membership(replace(read, standing=Withdrawn(NOON, SATO)))
    with pytest.raises(LostRace), store.write() as tx:
        tx.put_membership(replace(read, standing=Approved(NOON, SATO, TANAKA)))
    with pytest.raises(LostRace), store.write() as tx:
        tx.put_membership(life(STANDINGS[0]))


def test_members_of_before_are_hosted_since_their_first_system_came(
    new_url: Callable[[], str],
) -> None:
    url = new_url()
    with written_by("0001", url) as old:
        for row in (TENANT, REGION, SYSTEMS):
            old.execute(text(row))
    store = Store.open(url)
    with store.read() as tx:
        found = tx.membership("262013")
    store.close()
    assert found.standing == Hosted(datetime(2026, 4, 2, 12, tzinfo=UTC))
    assert found.blueprints == ((BlueprintId("local-tax"), 1), (BlueprintId("library"), 1))
    assert (found.tenant, found.region) == (samples.tenant(), RegionId("kyoto"))
