"""A member shelves a server, and takes it back while there is room."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.model.ids import ServerId
from tests.api.conftest import MIKASA, UJI, Api, problem_of
from tests.api.town import Town


@pytest.fixture
def town(api: Api) -> Town:
    return Town(api)


def used(town: Town) -> dict[str, int]:
    found: dict[str, int] = town.api.get(f"/v1/members/{MIKASA}/quota").json()["used"]
    return found


def shelved(town: Town, **more: Any) -> dict[str, Any]:
    server = town.made(**more)
    ended = town.ended(town.api.post(f"/v1/servers/{server['id']}/shelve"))
    assert (ended["kind"], ended["state"]) == ("server.shelve", "done")
    return town.show(server["name"])


def test_a_shelved_server_counts_with_its_disk_alone_and_runs_nowhere(town: Town) -> None:
    before = used(town)
    server = town.made(flavor="m1.medium")
    path = f"/v1/servers/{server['id']}/shelve"
    plan = town.api.post(f"{path}?dry_run=true").json()
    assert plan["diff"] == [
        {"op": "replace", "path": "/servers/web/power", "from": "running", "to": "shelved"}
    ]
    assert plan["capacity"] == {"vcpus": -2, "memory_mib": -4096, "disk_gib": 0}
    answer = town.api.post(path)
    assert town.show("web")["status"] == "shelving"
    assert town.ended(answer)["state"] == "done"
    after = town.show("web")
    assert (after["status"], after["power"]) == ("shelved", "shelved")
    assert after["address"] == server["address"]
    assert town.operator.world.hosts_running(ServerId(server["id"])) == ()
    assert used(town) == {**before, "disk_gib": before["disk_gib"] + server["disk_gib"]}
    (shown,) = town.operator.get("/v1/servers?status=shelved").json()["items"]
    assert (shown["id"], shown["host"]) == (server["id"], None)
    assert town.promise_holds()


def test_it_comes_back_with_its_records_where_there_is_room(town: Town) -> None:
    server = shelved(town)
    path = f"/v1/servers/{server['id']}/unshelve"
    plan = town.api.post(f"{path}?dry_run=true").json()
    assert plan["capacity"] == {"vcpus": 1, "memory_mib": 2048, "disk_gib": 0}
    assert plan["certificate"]["valid"] is True
    assert town.show("web")["status"] == "shelved"
    ended = town.ended(town.api.post(path))
    assert (ended["kind"], ended["state"]) == ("server.unshelve", "done")
    assert town.show("web")["status"] == "active"
    assert town.operator.world.records_intact(ServerId(server["id"]))
    assert town.promise_holds()
    problem_of(town.api.post(path), 409, "server-not-shelved")


def test_that_it_was_shelved_stays_on_record_once_it_is_wanted_again(town: Town) -> None:
    server = f"/v1/servers/{town.made()['id']}"
    shelve = town.api.post(f"{server}/shelve")
    town.settle()
    assert town.ended(town.api.post(f"{server}/unshelve"))["state"] == "done"
    assert town.api.get(shelve.headers["location"]).json()["state"] == "done"


def test_where_others_have_taken_the_room_it_stays_shelved(town: Town) -> None:
    server = shelved(town, flavor="m1.xlarge")
    assert town.create(town.ask(name="other", count=2, flavor="m1.large")).status_code == 202
    assert town.create(town.ask(name="third", flavor="m1.large")).status_code == 202
    before = town.operator.contents()
    refused = town.api.post(f"/v1/servers/{server['id']}/unshelve")
    assert problem_of(refused, 409, "no-room")["fields"]["workload"] == server["id"]
    assert town.operator.contents() == before


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("start", None),
        ("stop", None),
        ("reboot", None),
        ("resize", {"flavor": "m1.large"}),
        ("rebuild", {"image": "tiny"}),
    ],
)
def test_nothing_else_is_done_to_a_shelved_server(town: Town, verb: str, body: Any) -> None:
    server = shelved(town)
    answer = town.api.post(f"/v1/servers/{server['id']}/{verb}", json=body)
    problem_of(answer, 409, "server-shelved")
    problem_of(town.operator.post(f"/v1/servers/{server['id']}/migrate"), 409, "server-shelved")


def test_a_shelved_server_can_be_deleted_and_is_nobody_elses(town: Town) -> None:
    server = shelved(town)
    town.operator.join(UJI)
    other = town.operator.tenant(UJI)
    for verb in ("shelve", "unshelve"):
        answer = other.post(f"/v1/servers/{server['id']}/{verb}")
        problem_of(answer, 404, "server-not-found")
    assert town.ended(town.delete(f"/v1/servers/{server['id']}"))["state"] == "done"
    problem_of(town.api.get("/v1/servers/web"), 404, "server-not-found")
