"""A member with a system of its own, for tests about its servers."""

from __future__ import annotations

from typing import Any

from control_plane.placement import check
from control_plane.reconcile import Controller
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, Api


class Town:
    """三笠市 with a system of its own, and the control plane's other half at work."""

    def __init__(self, api: Api) -> None:
        self.operator = api
        api.join(MIKASA, "facility-booking")
        may_have_much(api, MIKASA)
        self.api = api.tenant(MIKASA)
        self.controller = Controller(api.store, api.world, "test")
        answer = self.api.post("/v1/systems", json={"name": "town", "zone": "lgwan", "tier": 2})
        assert answer.status_code == 202, answer.text
        self.system = f"m{MIKASA}-own-town"

    def ask(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "web",
            "system": self.system,
            "flavor": "m1.small",
            "image": "tiny",
            **more,
        }

    def create(self, *servers: dict[str, Any], **more: Any) -> Any:
        return self.api.post("/v1/servers", json={"servers": list(servers)}, **more)

    def made(self, **more: Any) -> dict[str, Any]:
        """One server that runs."""
        asked = self.ask(**more)
        answer = self.create(asked)
        assert answer.status_code == 202, answer.text
        self.settle()
        return self.show(asked["name"])

    def delete(self, path: str) -> Any:
        return self.api.request("DELETE", path)

    def show(self, name: str) -> dict[str, Any]:
        answer = self.api.get(f"/v1/servers/{name}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def show_as_operator(self, name: str) -> dict[str, Any]:
        """With its host."""
        shown: dict[str, Any] = self.operator.get(f"/v1/servers/{name}").json()
        return shown

    def settle(self) -> None:
        for _ in range(8):
            self.controller.tick()
            self.operator.world.virtual_clock.sleep(2.0)

    def ended(self, answer: Any) -> dict[str, Any]:
        assert answer.status_code == 202, answer.text
        self.settle()
        found: dict[str, Any] = self.api.get(answer.headers["location"]).json()
        return found

    def promise_holds(self) -> bool:
        with self.operator.store.read() as tx:
            return check(tx.ledger(tx.regions()[0].id)) == ()
