"""A server's disk becomes an image of its member's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from control_plane.drivers.simulated.clock import ControlPlaneKilled
from control_plane.drivers.simulated.vantage import Vantage
from control_plane.drivers.world import World
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from images.capturing import Capturer
from images.uploads import UploadFolder
from tests.api.conftest import MIKASA, UJI, Prepared, prepared, problem_of
from tests.api.town import Town
from tests.images.guest import need

__all__ = ["prepared"]

NAMED = {"name": "golden", "properties": {"os_distro": "debian"}}


class Studio(Town):
    """A town whose images are made in the background too."""

    folder: UploadFolder
    capturer: Capturer

    def capturing(self, world: World, holder: str = "test") -> Capturer:
        return Capturer(
            self.operator.store, world, self.folder, holder, checkpoint=100_000, retry=Seconds(10)
        )

    def settle(self) -> None:
        for _ in range(8):
            self.controller.tick()
            self.capturer.tick()
            self.operator.world.virtual_clock.sleep(2.0)

    def image_of(self, server: str = "web", **more: Any) -> Any:
        return self.api.post(f"/v1/servers/{server}/image", json={**NAMED, **more})

    def snapshot_is_taken(self) -> bool:
        (one,) = self.api.get("/v1/snapshots").json()["items"]
        return one["taken_at"] is not None

    def left(self) -> tuple[list[str], list[Path], list[Any]]:
        """Copies, files and records of what is not an image yet."""
        with self.operator.store.read() as tx:
            kept = {image.id for image in tx.images()}
            records = [*tx.image_uploads(), *tx.image_captures()]
        snapshots = [each["id"] for each in self.api.get("/v1/snapshots").json()["items"]]
        files = [path for path in self.folder.root.glob("*") if path.name not in kept]
        return snapshots, files, records


@pytest.fixture
def studio(prepared: Prepared, tmp_path: Path) -> Iterator[Studio]:
    need("qemu-img")
    with prepared.copied(tmp_path) as api:
        (tmp_path / "images").mkdir()
        api.app.state.images = tmp_path / "images"
        studio = Studio(api)
        studio.folder = UploadFolder(tmp_path / "images")
        studio.capturer = studio.capturing(api.world)
        yield studio


def test_a_running_servers_disk_becomes_an_image_that_servers_are_made_from(
    studio: Studio,
) -> None:
    server = studio.made()
    world = studio.operator.world
    while not world.answering(ServerId(server["id"])):
        studio.settle()
    world.write_note(ServerId(server["id"]), "a record of before")
    plan = studio.api.post("/v1/servers/web/image?dry_run=true", json=NAMED)
    assert (plan.status_code, plan.json()["capacity"]["disk_gib"]) == (200, server["disk_gib"])
    assert studio.left() == ([], [], [])

    asked = studio.image_of()
    assert asked.status_code == 202, asked.text
    image = asked.json()["subject"].removeprefix("image:")
    (upload,) = studio.api.get("/v1/images/uploads").json()["items"]
    assert (upload["id"], upload["server"], upload["sha256"]) == (image, server["id"], None)
    sent = studio.api.put(f"/v1/images/uploads/{image}?offset=0", content=b"x")
    problem_of(sent, 409, "image-from-server")
    problem_of(studio.image_of(), 409, "server-disks-busy")
    world.write_note(ServerId(server["id"]), "a record of the moment")
    done = studio.ended(asked)
    assert (done["state"], done["done"], done["total"]) == ("done", 3, 3)
    world.write_note(ServerId(server["id"]), "a record of after")

    made = studio.api.get(f"/v1/images/{image}").json()
    assert (made["name"], made["owner"], made["private"]) == ("golden", MIKASA, True)
    assert (made["format"], made["virtual_size_gib"]) == ("qcow2", server["disk_gib"])
    assert made["properties"] == {"os_distro": "debian"}
    assert server["id"] in made["provenance"]
    content = studio.api.get(f"/v1/images/{image}/file").content
    assert b"a record of the moment" in content
    assert b"a record of after" not in content
    assert studio.left() == ([], [], [])
    assert studio.show("web")["status"] == "active"
    assert studio.made(name="twin", image=image)["status"] == "active"
    studio.operator.join(UJI)
    problem_of(studio.operator.tenant(UJI).get(f"/v1/images/{image}"), 404, "image-not-found")
    kinds = [event["kind"] for event in studio.api.get("/v1/events?limit=1000").json()["items"]]
    assert {"image.from-server-asked", "image.add"} <= set(kinds)
    assert studio.promise_holds()


def test_a_control_plane_that_is_killed_again_and_again_goes_on_where_the_last_one_was(
    studio: Studio,
) -> None:
    studio.made()
    asked = studio.image_of()
    studio.capturer.tick()
    other = studio.capturing(studio.operator.world.seen_by_another_process(), "two")
    while studio.left()[0] and not studio.snapshot_is_taken():
        studio.controller.tick()
        studio.operator.world.virtual_clock.sleep(1.0)
    assert other.tick() == 0, "one process at a time makes images"
    studio.capturer.give_up()
    lives: list[Vantage] = []
    read = 0

    def count(call: str) -> None:
        """Killed at its third call for the disk: it has looked, and taken one piece."""
        nonlocal read
        if call == "export_disk":
            read += 1
            calls[-1] += 1
            if calls[-1] == 3:
                lives[-1].gate.kill()

    calls: list[int] = []
    while studio.left()[2]:
        assert len(lives) < 20
        lives.append(studio.operator.world.seen_by_another_process())
        calls.append(0)
        lives[-1].gate.before_call = count
        capturer = studio.capturing(lives[-1], "one")
        for _ in range(4):
            with suppress(ControlPlaneKilled):
                studio.controller.tick()
                capturer.tick()
            studio.operator.world.virtual_clock.sleep(11.0)
    assert len(lives) > 2
    ended = studio.ended(asked)
    assert ended["state"] == "done"
    image = ended["subject"].removeprefix("image:")
    pieces = -(-studio.api.get(f"/v1/images/{image}").json()["size_bytes"] // 131_072)
    assert read <= pieces + 2 * len(lives), "nothing is fetched twice but what was under way"
    assert studio.operator.post(f"/v1/images/{image}/verify").status_code == 200
    assert studio.left() == ([], [], [])


def test_what_can_not_become_an_image_leaves_nothing_but_the_reason(studio: Studio) -> None:
    studio.made()
    quota = f"/v1/members/{MIKASA}/image-quota"
    assert studio.operator.put(quota, json={"gib": 0}).status_code == 200
    problem_of(studio.image_of(), 422, "image-quota-exceeded")
    assert studio.left() == ([], [], [])
    assert studio.operator.put(quota, json={"gib": 100}).status_code == 200

    given_up = studio.image_of()
    image = given_up.json()["subject"].removeprefix("image:")
    assert studio.delete(f"/v1/images/uploads/{image}").status_code == 200
    ended = studio.ended(given_up)
    assert (ended["state"], ended["error"]["type"]) == ("failed", "superseded")
    assert studio.left() == ([], [], [])

    overtaken = studio.image_of()
    assert studio.delete("/v1/servers/web").status_code == 202
    ended = studio.ended(overtaken)
    assert (ended["state"], ended["error"]["type"]) == ("failed", "image-source-gone")
    assert studio.left() == ([], [], [])
    problem_of(studio.image_of(), 404, "server-not-found")
