"""From the first description to a dead host, as an operator and a member live through it over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from control_plane.model.ids import HostId, ServerId
from control_plane.model.units import Seconds
from control_plane.reconcile import Controller
from tests.api.conftest import MIKASA, TINY, Api, pool


def test_a_member_joins_runs_moves_and_outlives_a_host(empty_api: Api) -> None:
    api = empty_api
    controller = Controller(api.store, api.world, "one control plane")

    def until(condition: Callable[[], bool]) -> None:
        """Let the reconciler work, for at most ten minutes of the World's time."""
        for _ in range(600):
            if condition():
                return
            controller.tick()
            api.world.clock.sleep(Seconds(1))
        raise AssertionError(api.get("/v1/events?limit=1000").text)

    def ended(answer: Any) -> bool:
        operation = api.get(answer.headers["location"]).json()
        assert operation["state"] != "failed", operation
        return bool(operation["state"] == "done")

    def follow(path: str, **more: Any) -> None:
        answer = api.post(path, **more)
        assert answer.status_code == 202, answer.text
        until(lambda: ended(answer))

    def servers() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get("/v1/servers").json()["items"]
        return found

    api.put("/v1/pool", json=pool())
    with api.store.write() as tx:
        tx.put_image(TINY)
    until(lambda: all(h["health"] == "up" for h in api.get("/v1/hosts").json()["items"]))
    follow(
        "/v1/members", json={"code": MIKASA, "blueprints": ["resident-records", "facility-booking"]}
    )
    assert {server["status"] for server in servers()} == {"active"}

    first = servers()[0]
    town = api.tenant(MIKASA)
    assert first["name"] in town.get(f"/v1/servers/{first['name']}/console").json()["text"]
    follow(f"/v1/servers/{first['name']}/migrate")
    assert servers()[0]["host"] != first["host"]
    follow(f"/v1/servers/{first['name']}/stop")
    follow(f"/v1/servers/{first['name']}/start")

    emptied = servers()[1]["host"]
    follow(f"/v1/hosts/{emptied}/drain")
    assert emptied not in {server["host"] for server in servers()}
    assert api.post(f"/v1/hosts/{emptied}/return").json()["duty"] == "in-service"

    victim = servers()[2]["host"]
    api.world.crash(HostId(victim))
    until(lambda: api.get(f"/v1/hosts/{victim}").json()["health"] == "fenced")
    until(lambda: {server["status"] for server in servers()} == {"active"})
    assert victim not in {server["host"] for server in servers()}
    until(lambda: api.get("/v1/regions/hokkaido/certificate").json()["valid"])
    assert api.world.double_started == 0
    assert all(api.world.records_intact(ServerId(server["id"])) for server in servers())
