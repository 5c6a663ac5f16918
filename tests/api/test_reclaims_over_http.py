"""Borrowed room is asked back: by whom, from whom, and what each of them may see of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.access.service import bootstrap_token
from control_plane.model.access import Role
from control_plane.model.allotment import Capacity
from control_plane.model.units import GiB, MiB, VCpu
from tests.api.conftest import MIKASA, QUICKLY, UJI, Api, problem_of
from tests.api.town import Town

DAY = 24 * 3600.0
OTARU = "012033"
PATH = "/v1/regions/hokkaido/reclaims"


@pytest.fixture
def town(api: Api) -> Town:
    """三笠市, which is guaranteed nothing and borrows two servers of four vCPU."""
    town = Town(api)
    for name in ("night", "day"):
        assert town.create(town.ask(name=name, flavor="m1.large")).status_code == 202
    town.settle()
    return town


def ask(town: Town, **more: Any) -> Any:
    query = more.pop("query", "")
    return town.operator.post(f"{PATH}{query}", json=more)


def wait(town: Town, days: float) -> None:
    town.operator.world.virtual_clock.sleep(days * DAY)
    town.settle()
    town.settle()


def kinds(api: Api) -> list[str]:
    return [event["kind"] for event in api.get("/v1/events?limit=1000").json()["items"]]


def test_a_rehearsal_names_who_would_lose_what_and_changes_nothing(town: Town) -> None:
    before = town.operator.contents()
    plan = ask(town, vcpus=10, query="?dry_run=true").json()
    (notice,) = plan["notices"]
    assert notice["tenant"] == MIKASA
    assert notice["give_back"] == {"vcpus": 4, "memory_mib": 8192}
    assert [one["path"].split("/")[-1] for one in plan["diff"]] == ["power"]
    assert plan["capacity"] == {"vcpus": -4, "memory_mib": -8192, "disk_gib": 0}
    assert plan["certificate"]["valid"] is True
    assert town.operator.contents() == before


def test_what_is_not_given_back_is_shelved_when_an_approver_says_so_after_the_notice(
    town: Town,
) -> None:
    answer = ask(town, vcpus=10)
    assert answer.status_code == 201, answer.text
    asked = answer.json()
    (server,) = asked["notices"][0]["servers"]
    seen = town.api.get("/v1/reclaims").json()["items"]
    assert [(one["id"], one["state"], one["notices"]) for one in seen] == [
        (asked["id"], "noticed", asked["notices"])
    ]
    assert (seen[0]["asked"], seen[0]["asked_by"]) == (None, None)
    said = [e for e in town.api.get("/v1/events").json()["items"] if e["kind"] == "reclaim.noticed"]
    assert server in said[0]["en"]
    early = town.operator.post(f"/v1/reclaims/{asked['id']}/carry-out")
    problem_of(early, 409, "notice-goes-on")
    wait(town, 13.9)
    assert town.show(server)["status"] == "active"
    wait(town, 0.2)
    assert town.operator.get(answer.headers["location"]).json()["state"] == "due"
    assert town.show(server)["status"] == "active"
    assert town.operator.post(f"/v1/reclaims/{asked['id']}/carry-out").status_code == 202
    town.settle()
    town.settle()
    assert town.show(server)["status"] == "shelved"
    ended = town.operator.get(answer.headers["location"]).json()
    assert (ended["state"], ended["shelved"]) == ("done", [server])
    assert "server.reclaimed" in kinds(town.api)
    assert town.promise_holds()


def test_who_gives_as_much_back_with_other_servers_loses_none(town: Town) -> None:
    asked = ask(town, vcpus=10).json()
    (named,) = asked["notices"][0]["servers"]
    (other,) = (
        one["id"]
        for one in town.api.get("/v1/servers?flavor=m1.large").json()["items"]
        if one["flavor"] == "m1.large" and one["id"] != named
    )
    assert town.delete(f"/v1/servers/{other}").status_code == 202
    wait(town, 14.1)
    assert town.operator.post(f"/v1/reclaims/{asked['id']}/carry-out").status_code == 202
    town.settle()
    ended = town.operator.get(f"/v1/reclaims/{asked['id']}").json()
    assert (ended["state"], ended["shelved"]) == ("done", [])
    assert town.show(named)["status"] == "active"


def test_while_room_is_asked_back_its_borrower_borrows_no_more(town: Town) -> None:
    asked = ask(town, vcpus=10).json()
    refused = town.create(town.ask(name="more"))
    assert asked["ends_at"][:10] in problem_of(refused, 409, "room-is-asked-back")["detail"]
    answer = town.operator.post(f"/v1/reclaims/{asked['id']}/withdraw")
    assert answer.json()["state"] == "withdrawn"
    assert "reclaim.withdrawn" in kinds(town.api)
    assert town.create(town.ask(name="more")).status_code == 202
    again = town.operator.post(f"/v1/reclaims/{asked['id']}/withdraw")
    problem_of(again, 409, "reclaim-ended")


def test_a_guarantee_that_lost_its_room_gets_it_by_itself_after_the_notice(town: Town) -> None:
    particulars = {
        "name": "小樽市",
        "kana": "オタルシ",
        "prefecture": "北海道",
        "population": 105000,
    }
    town.operator.join(OTARU, "facility-booking", **particulars)
    town.settle()
    problem_of(ask(town, tenant=OTARU), 409, "guarantee-has-its-room")
    with town.operator.store.write() as tx:
        (allotment,) = tx.allotments(OTARU)
        # As after a host was taken out: an admission would not have given that much.
        much = Capacity(VCpu(12), MiB(12 * 1024), GiB(20))
        tx.put_allotment(replace(allotment, guaranteed=much, quota=much))
    answer = ask(town, tenant=OTARU)
    assert answer.status_code == 201, answer.text
    named = [server for one in answer.json()["notices"] for server in one["servers"]]
    assert [one["tenant"] for one in answer.json()["notices"]] == [MIKASA]
    quota = f"/v1/members/{OTARU}/quota"
    assert town.operator.get(quota).json()["unproved"]["vcpus"] > 0
    wait(town, 14.1)
    assert {town.show(server)["status"] for server in named} == {"shelved"}
    assert town.operator.get(answer.headers["location"]).json()["state"] == "done"
    assert town.operator.get(quota).json()["unproved"]["vcpus"] == 0
    assert town.promise_holds()
    back = town.api.post(f"/v1/servers/{named[0]}/unshelve")
    problem_of(back, 409, "no-room")


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        ({}, 422, "request-invalid"),
        ({"vcpus": 1, "tenant": MIKASA}, 422, "request-invalid"),
        ({"vcpus": 1}, 409, "room-is-there"),
        ({"vcpus": 400}, 409, "too-little-lent"),
        ({"tenant": UJI}, 422, "tenant-not-found"),
    ],
)
def test_what_cannot_be_asked_back_is_refused_with_the_reason(
    town: Town, body: dict[str, Any], status: int, type: str
) -> None:
    before = town.operator.contents()
    problem_of(ask(town, **body), status, type)
    assert town.operator.contents() == before


def test_protected_servers_are_named_only_on_an_operators_word(town: Town) -> None:
    for server in town.api.get("/v1/servers").json()["items"]:
        town.api.request("PATCH", f"/v1/servers/{server['id']}", json={"protected": True})
    problem_of(ask(town, vcpus=10), 409, "too-little-lent")
    word = {"vcpus": 10, "word": "The hall is flooding and this comes first."}
    sato = bootstrap_token(town.operator.store, Role.APPROVER, label="Sato", cost=QUICKLY)
    approver = town.operator.with_token(sato)
    problem_of(approver.post(PATH, json=word), 403, "permission-missing")
    assert approver.post(f"{PATH}?dry_run=true", json={"vcpus": 1}).status_code == 409
    asked = ask(town, **word)
    assert asked.status_code == 201, asked.text
    problem_of(ask(town, **word), 409, "reclaim-open")


def test_a_member_sees_nothing_of_what_is_asked_of_others(town: Town) -> None:
    asked = ask(town, vcpus=10).json()
    town.operator.join(UJI)
    other = town.operator.tenant(UJI)
    assert other.get("/v1/reclaims").json()["items"] == []
    problem_of(other.get(f"/v1/reclaims/{asked['id']}"), 404, "reclaim-not-found")
    for verb in ("carry-out", "withdraw"):
        answer = other.post(f"/v1/reclaims/{asked['id']}/{verb}")
        problem_of(answer, 403, "permission-missing")
