"""What a dry run says is what would be, and it names nothing that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import MIKASA, Api, problem_of


@pytest.fixture
def server(api: Api) -> dict[str, Any]:
    api.join(MIKASA, "facility-booking")
    api.see_all()
    found: dict[str, Any]
    (found,) = api.get("/v1/servers").json()["items"]
    return found


def rehearse(api: Api, server: dict[str, Any], verb: str, **more: Any) -> dict[str, Any]:
    answer = api.post(f"/v1/servers/{server['id']}/{verb}?dry_run=true", **more)
    assert answer.status_code == 200, answer.text
    assert "location" not in answer.headers
    assert "op-" not in answer.text
    plan: dict[str, Any] = answer.json()
    return plan


def test_a_stop_would_change_a_server_that_is_to_run_and_give_nothing_back(
    api: Api, server: dict[str, Any]
) -> None:
    plan = rehearse(api, server, "stop")
    path = f"/servers/{server['name']}/power"
    assert plan["diff"] == [{"op": "replace", "path": path, "from": "running", "to": "stopped"}]
    assert plan["capacity"] == {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}
    assert (plan["certificate"]["valid"], plan["certificate"]["refuges_changed"]) == (True, 0)


def test_a_start_would_change_only_a_server_that_was_stopped(
    api: Api, server: dict[str, Any]
) -> None:
    assert rehearse(api, server, "start")["diff"] == []
    api.post(f"/v1/servers/{server['id']}/stop")
    assert rehearse(api, server, "start")["diff"][0]["to"] == "running"


def test_a_migration_would_go_where_it_then_goes(api: Api, server: dict[str, Any]) -> None:
    would = rehearse(api, server, "migrate")
    api.post(f"/v1/servers/{server['id']}/migrate")
    moving = api.get(f"/v1/servers/{server['id']}").json()
    assert moving["moving_to"] != server["host"]
    path = f"/servers/{server['name']}/host"
    assert would["diff"] == [
        {"op": "replace", "path": path, "from": server["host"], "to": moving["moving_to"]}
    ]
    assert would["certificate"]["valid"] is True


def test_a_member_that_rehearses_learns_of_no_hardware(api: Api, server: dict[str, Any]) -> None:
    plan = rehearse(api.tenant(MIKASA), server, "stop")
    assert server["host"] not in str(plan)


def test_a_drain_would_take_the_host_out_and_keep_the_promise(
    api: Api, server: dict[str, Any]
) -> None:
    plan = api.post(f"/v1/hosts/{server['host']}/drain?dry_run=true").json()
    duty, move = plan["diff"]
    assert (duty["path"], duty["to"]) == (f"/hosts/{server['host']}/duty", "maintenance")
    assert (move["path"], move["from"]) == (f"/servers/{server['name']}/host", server["host"])
    assert move["to"] == plan["moves"][0]["target"]
    assert plan["certificate"]["valid"] is True
    assert plan["capacity"]["vcpus"] == 8


def test_a_join_would_add_member_systems_and_servers_in_the_order_of_recovery(api: Api) -> None:
    body = {"code": MIKASA, "blueprints": ["facility-booking", "resident-records"]}
    plan = api.post("/v1/members?dry_run=true", json=body).json()
    kinds = [one["path"].split("/")[1] for one in plan["diff"]]
    servers = len(plan["servers"])
    assert kinds == ["members", "systems", "systems", *["servers"] * servers]
    tiers = [(one["tier"], one["start_order"]) for one in plan["servers"]]
    assert tiers == sorted(tiers)
    assert tiers[0][0] == 0
    assert plan["certificate"]["valid"] is True
    assert plan["certificate"]["refuges_changed"] == servers


@pytest.mark.parametrize("verb", ["stop", "start", "migrate"])
def test_a_rehearsal_is_refused_like_the_change_itself(
    api: Api, server: dict[str, Any], verb: str
) -> None:
    path = f"/v1/servers/{server['id']}/{verb}?dry_run=true"
    problem_of(api.post(path, headers={"If-Match": '"g99"'}), 412, "server-changed")
    problem_of(api.post(path.replace(server["id"], "nobody")), 404, "server-not-found")
