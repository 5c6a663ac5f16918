"""Servers of one group never share a host, whichever of their member's systems they belong to."""

from __future__ import annotations

import pytest

from tests.api.conftest import MIKASA, Api, problem_of
from tests.api.town import Town


@pytest.fixture
def town(api: Api) -> Town:
    return Town(api)


def test_servers_of_two_systems_are_kept_apart_by_a_group(town: Town) -> None:
    group = town.api.post("/v1/server-groups", json={"name": "apart"}).json()
    town.api.post("/v1/systems", json={"name": "other", "zone": "lgwan", "tier": 2})
    other = f"m{MIKASA}-own-other"
    both = (town.ask(server_group="apart"), town.ask(name="b", system=other, server_group="apart"))
    assert town.ended(town.create(*both))["state"] == "done"
    assert town.show_as_operator("web")["host"] != town.show_as_operator("b")["host"]
    shown = town.api.get(f"/v1/server-groups/{group['id']}").json()
    assert shown["servers"] == sorted(town.show(name)["id"] for name in ("web", "b"))
    assert town.show("web")["server_group"] == group["id"]
    assert town.promise_holds()
    twice = town.create(town.ask(name="c", server_group="apart", anti_affinity="x"))
    problem_of(twice, 422, "apart-twice")
    unknown = town.create(town.ask(name="c", server_group="none"))
    problem_of(unknown, 422, "server-group-not-found")
    again = town.api.post("/v1/server-groups", json={"name": "apart"})
    problem_of(again, 409, "server-group-exists")


def test_servers_of_a_group_that_is_removed_stay_and_may_share_a_host(town: Town) -> None:
    group = town.api.post("/v1/server-groups", json={"name": "apart"}).json()["id"]
    town.made(server_group=group)
    before = town.operator.contents()
    assert town.api.request("DELETE", f"/v1/server-groups/{group}?dry_run=true").json()["diff"]
    assert town.operator.contents() == before
    assert town.delete(f"/v1/server-groups/{group}").status_code == 200
    assert town.show("web")["server_group"] is None
    problem_of(town.api.get(f"/v1/server-groups/{group}"), 404, "server-group-not-found")
    town.settle()
    assert town.show("web")["status"] == "active"
    assert town.promise_holds()


def test_a_resize_can_be_taken_back_until_it_is_confirmed(town: Town) -> None:
    server = f"/v1/servers/{town.made()['id']}"
    problem_of(town.api.post(f"{server}/resize/revert"), 409, "resize-not-waiting")
    resized = town.api.post(f"{server}/resize", json={"flavor": "m1.large", "to_confirm": True})
    assert town.ended(resized)["state"] == "done"
    waits = town.show("web")["unconfirmed_resize"]
    assert waits["before"] == "m1.small"
    listed = town.api.get("/v1/servers?name=web").json()["items"][0]
    assert listed == town.show("web")
    plan = town.api.post(f"{server}/resize/revert?dry_run=true").json()
    assert (plan["diff"][0]["from"], plan["diff"][0]["to"]) == ("m1.large", "m1.small")
    assert town.ended(town.api.post(f"{server}/resize/revert"))["state"] == "done"
    back = town.show("web")
    assert (back["flavor"], back["unconfirmed_resize"]) == ("m1.small", None)
    assert back["disk_gib"] == listed["disk_gib"], "a disk never shrinks"

    town.ended(town.api.post(f"{server}/resize", json={"flavor": "m1.large", "to_confirm": True}))
    assert town.api.post(f"{server}/resize/confirm").json()["unconfirmed_resize"] is None
    problem_of(town.api.post(f"{server}/resize/confirm"), 409, "resize-not-waiting")
    assert town.promise_holds()


def test_a_resize_is_confirmed_by_itself_after_a_day(town: Town) -> None:
    server = f"/v1/servers/{town.made()['id']}"
    town.ended(town.api.post(f"{server}/resize", json={"flavor": "m1.large", "to_confirm": True}))
    town.operator.world.virtual_clock.sleep(24 * 3600.0)
    assert town.show("web")["unconfirmed_resize"] is None
    assert town.api.get("/v1/servers?name=web").json()["items"][0]["unconfirmed_resize"] is None
    problem_of(town.api.post(f"{server}/resize/revert"), 409, "resize-not-waiting")
