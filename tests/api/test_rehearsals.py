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


def test_a_stop_would_change_a_server_that_is_to_run(api: Api, server: dict[str, Any]) -> None:
    assert rehearse(api, server, "stop") == {
        "dry_run": True,
        "server": server["id"],
        "kind": "server.stop",
        "changes": True,
        "moving_to": None,
    }


def test_a_start_would_change_only_a_server_that_was_stopped(
    api: Api, server: dict[str, Any]
) -> None:
    assert rehearse(api, server, "start")["changes"] is False
    api.post(f"/v1/servers/{server['id']}/stop")
    assert rehearse(api, server, "start")["changes"] is True


def test_a_migration_would_go_where_it_then_goes(api: Api, server: dict[str, Any]) -> None:
    would = rehearse(api, server, "migrate")
    assert (would["kind"], would["changes"]) == ("server.migrate", True)
    api.post(f"/v1/servers/{server['id']}/migrate")
    moving = api.get(f"/v1/servers/{server['id']}").json()
    assert would["moving_to"] == moving["moving_to"] != server["host"]


def test_a_member_that_rehearses_learns_of_no_hardware(api: Api, server: dict[str, Any]) -> None:
    plan = rehearse(api.tenant(MIKASA), server, "stop")
    assert plan["moving_to"] is None
    assert server["host"] not in str(plan)


@pytest.mark.parametrize("verb", ["stop", "start", "migrate"])
def test_a_rehearsal_is_refused_like_the_change_itself(
    api: Api, server: dict[str, Any], verb: str
) -> None:
    path = f"/v1/servers/{server['id']}/{verb}?dry_run=true"
    problem_of(api.post(path, headers={"If-Match": '"g99"'}), 412, "server-changed")
    problem_of(api.post(path.replace(server["id"], "nobody")), 404, "server-not-found")
