"""A town in a small pool of simulated hosts, for tests of members that leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from control_plane.access.service import bootstrap_token
from control_plane.drivers.world import World
from control_plane.model.access import Role
from control_plane.model.ids import ImageId
from control_plane.model.membership import ApprovalRule
from control_plane.model.units import Seconds
from control_plane.reconcile import Controller, Timings
from tenants.leaving.export_directory import ExportDirectory
from tenants.leaving.worker import Leaver
from tenants.membership import settle_memberships
from tests.api.conftest import MIKASA, QUICKLY, TINY, UJI, Api, opened, pool

REASON = {"reason": "Two towns become one."}
STATEMENT = {"statement": "We have copied all files and checked their sums."}


class Town:
    """三笠市 with two systems beside 宇治市, and what cares for both."""

    def __init__(self, api: Api, exports: Path) -> None:
        self.api = api
        self.exports = ExportDirectory(exports)
        self.controller = Controller(api.store, api.world, "one", Timings())
        self.dropped: list[ImageId] = []
        self.leaver = self.another_leaver("one")
        api.put("/v1/pool", json=pool())
        with api.store.write() as tx:
            tx.put_image(TINY)
        self.stops: list[str] = []
        api.world.listen(lambda one: self._hear(one.text))
        self.until(lambda: self._healths() == {"up"})
        self.approver = api.with_token(
            bootstrap_token(api.store, Role.APPROVER, label="Sato", cost=QUICKLY)
        )
        for code, systems in (
            (MIKASA, ["resident-records", "facility-booking"]),
            (UJI, ["library"]),
        ):
            api.post("/v1/members", json={"code": code, "blueprints": systems})
            assert self.approver.post(f"/v1/members/{code}/approve").status_code == 202
        self.until(lambda: {self.member(c)["state"] for c in (MIKASA, UJI)} == {"hosted"})
        # Whoever is hosted runs; what is waited for is the guests' own start.
        with api.store.read() as tx:
            own = [server.id for server in tx.servers(MIKASA)]
        self.until(lambda: all(map(api.world.answering, own)), pause=Seconds(20))
        self.admin = api.tenant(MIKASA)

    def another_leaver(self, holder: str, world: World | None = None) -> Leaver:
        world = world or self.api.world
        return Leaver(
            self.api.store,
            world,
            self.exports,
            None,
            holder,
            checkpoint=100_000,
            drop_image=self.dropped.append,
        )

    def until(
        self, condition: Callable[[], bool], most: int = 400, pause: Seconds = Seconds(1)
    ) -> None:
        for _ in range(most):
            if condition():
                return
            self.look(pause)
        raise AssertionError(self.api.get("/v1/events?limit=1000").text)

    def look(self, pause: Seconds = Seconds(1)) -> None:
        self.controller.tick()
        self.leaver.tick()
        settle_memberships(self.api.store, self.api.world.clock.now())
        self.api.world.clock.sleep(pause)

    def _hear(self, text: str) -> None:
        if text.startswith("shut down "):
            self.stops.append(text.split()[2])

    def _healths(self) -> set[str]:
        return {host["health"] for host in self.api.get("/v1/hosts").json()["items"]}

    def disks_rest(self) -> bool:
        with self.api.store.read() as tx:
            made = all(volume.made for volume in tx.volumes(MIKASA))
            return made and all(each.taken_at for each in tx.server_snapshots(MIKASA))

    def member(self, code: str = MIKASA) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v1/members/{code}").json()
        return found

    def ask(self, **more: Any) -> dict[str, Any]:
        answer = self.admin.post(f"/v1/members/{MIKASA}/leave", json={**REASON, **more})
        assert answer.status_code == 202, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    def leave(self, **more: Any) -> dict[str, Any]:
        """Until the export is to be confirmed."""
        begun = self.ask(**more)
        assert self.approver.post(f"/v1/members/{MIKASA}/leave/approve").status_code == 200
        self.until(lambda: self.member()["stage"] == "to-be-confirmed")
        return begun

    def confirm(self) -> None:
        answer = self.admin.post(f"/v1/members/{MIKASA}/leave/confirm", json=STATEMENT)
        assert answer.status_code == 200, answer.text
        self.until(lambda: self.member()["state"] == "left")

    def audit(self, action: str) -> list[dict[str, Any]]:
        trail = self.api.get(f"/v1/audit?limit=1000&tenant={MIKASA}").json()["items"]
        return [entry for entry in trail if entry["action"] == action]

    def servers(self, code: str) -> list[dict[str, Any]]:
        listed = self.api.get("/v1/servers?limit=100").json()["items"]
        return [server for server in listed if server["tenant"] == code]


@contextmanager
def town_in(folder: Path, exports: Path | None = None) -> Iterator[Town]:
    with opened(folder / "state.db", approval=ApprovalRule.TWO_PERSONS) as api:
        yield Town(api, exports or folder / "exports")
