"""Members make volumes and snapshots, through the API and down to simulated hosts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from control_plane.drivers.protocol import RunState
from control_plane.model.ids import ServerId, VolumeId
from tests.api.conftest import MIKASA, UJI, Api, problem_of
from tests.api.town import Town


@pytest.fixture
def town(api: Api) -> Town:
    return Town(api)


def items(town: Town, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = town.api.get(path).json()["items"]
    return found


def volume(town: Town, name: str = "data", size: int = 5, **more: Any) -> dict[str, Any]:
    answer = town.api.post("/v1/volumes", json={"name": name, "size_gib": size, **more})
    assert town.ended(answer)["state"] == "done"
    return shown(town, name)


def shown(town: Town, name: str) -> dict[str, Any]:
    found: dict[str, Any] = town.api.get(f"/v1/volumes/{name}").json()
    return found


def refused(answer: httpx.Response, type: str, status: int = 409) -> None:
    problem_of(answer, status, type)


def open_in(town: Town, id: str) -> set[ServerId]:
    """The servers that truly have it open."""
    writers = town.operator.world.around.monitor.volume_writers(VolumeId(id))
    return {server for server, _ in writers}


def test_a_volume_is_attached_followed_detached_and_deleted(town: Town) -> None:
    server, other = town.made(), town.made(name="other")
    data = volume(town, server="web")
    assert (data["status"], data["server"], data["storage"]) == ("in-use", server["id"], None)
    assert data["device"] == f"/dev/disk/by-id/virtio-{data['id']}"
    assert open_in(town, data["id"]) == {server["id"]}
    there = {"json": {"volume": "data"}}
    refused(town.api.post(f"/v1/servers/{other['id']}/volumes", **there), "volume-in-use")
    refused(town.delete("/v1/volumes/data"), "volume-in-use")
    assert [each["id"] for each in items(town, "/v1/servers/web/volumes")] == [data["id"]]
    refused(town.delete("/v1/servers/other/volumes/data"), "volume-not-found", 404)
    left = town.ended(town.delete("/v1/servers/web/volumes/data"))
    assert left["state"] == "done"
    assert open_in(town, data["id"]) == set()
    assert shown(town, "data")["status"] == "available"
    assert town.ended(town.api.post("/v1/servers/other/volumes", **there))["state"] == "done"
    assert open_in(town, data["id"]) == {other["id"]}
    assert town.ended(town.delete(f"/v1/servers/{other['id']}"))["state"] == "done"
    free = shown(town, "data")
    assert (free["status"], free["server"]) == ("available", None)
    town.api.request("PATCH", "/v1/volumes/data", json={"protected": True})
    refused(town.delete("/v1/volumes/data"), "volume-protected")
    town.api.request("PATCH", "/v1/volumes/data", json={"protected": False})
    stale = town.api.request("DELETE", "/v1/volumes/data", headers={"If-Match": '"g1"'})
    refused(stale, "volume-changed", 412)
    assert town.ended(town.delete("/v1/volumes/data"))["state"] == "done"
    assert items(town, "/v1/volumes") == []
    assert town.promise_holds()


def test_a_snapshot_brings_a_server_and_its_volume_back_and_fills_a_new_volume(town: Town) -> None:
    server = town.made()
    data = volume(town, server="web")
    world = town.operator.world
    on_volume = world.data_volume(VolumeId(data["id"]))
    assert on_volume is not None
    on_volume.notes.append("before")
    world.write_note(ServerId(server["id"]), "before")
    named = {"json": {"name": "before-update"}}
    rehearsed = town.api.post("/v1/servers/web/snapshots?dry_run=true", **named).json()
    assert rehearsed["capacity"]["disk_gib"] == server["disk_gib"] + 5
    assert town.ended(town.api.post("/v1/servers/web/snapshots", **named))["state"] == "done"
    (taken,) = items(town, "/v1/snapshots")
    assert (taken["status"], taken["consistency"]) == ("available", "quiesced")
    assert [disk["volume"] for disk in taken["disks"]] == [None, data["id"]]
    on_volume.notes.append("after")
    world.write_note(ServerId(server["id"]), "after")
    path = f"/v1/snapshots/{taken['id']}"
    refused(town.api.post(f"{path}/restore"), "server-not-stopped")
    town.ended(town.api.post("/v1/servers/web/stop"))
    would = town.api.post(f"{path}/restore?dry_run=true").json()
    assert [each["path"] for each in would["diff"]] == ["/servers/web/disk", "/volumes/data/disk"]
    assert town.ended(town.api.post(f"{path}/restore"))["state"] == "done"
    town.ended(town.api.post("/v1/servers/web/start"))
    assert world.notes(ServerId(server["id"])) == ("before",)
    restored = world.data_volume(VolumeId(data["id"]))
    assert restored is not None
    assert restored.notes == ["before"]
    small = {"name": "copy", "size_gib": 4, "snapshot": taken["id"], "snapshot_volume": data["id"]}
    refused(town.api.post("/v1/volumes", json=small), "volume-too-small", 422)
    filled = {key: value for key, value in small.items() if key != "size_gib"}
    assert town.ended(town.api.post("/v1/volumes", json=filled))["state"] == "done"
    copy = world.data_volume(VolumeId(shown(town, "copy")["id"]))
    assert copy is not None
    assert copy.notes == ["before"]
    # A snapshot outlives its server.
    assert town.ended(town.delete("/v1/servers/web"))["state"] == "done"
    assert town.api.get(path).json()["status"] == "available"
    refused(town.api.post(f"{path}/restore"), "server-not-found", 404)
    assert town.ended(town.delete(path))["state"] == "done"
    assert items(town, "/v1/snapshots") == []


def grown(town: Town, name: str, size: int) -> dict[str, Any]:
    answer = town.api.post(f"/v1/volumes/{name}/grow", json={"size_gib": size})
    assert town.ended(answer)["state"] == "done"
    return shown(town, name)


def test_a_volume_grows_whether_a_server_uses_it_or_not_and_never_shrinks(town: Town) -> None:
    server = town.made()
    data, spare = volume(town, server="web"), volume(town, "spare")
    world = town.operator.world
    on_storage, apart = (world.data_volume(VolumeId(each["id"])) for each in (data, spare))
    assert on_storage is not None
    assert apart is not None
    on_storage.notes.append("kept")
    path, wanted = "/v1/volumes/data/grow", {"json": {"size_gib": 9}}
    before = town.operator.contents()
    plan = town.api.post(f"{path}?dry_run=true", **wanted).json()
    (change,) = plan["diff"]
    assert (change["path"], change["from"], change["to"]) == ("/volumes/data/size_gib", 5, 9)
    assert plan["capacity"] == {"vcpus": 0, "memory_mib": 0, "disk_gib": 4}
    assert town.operator.contents() == before
    stale = town.api.post(path, **wanted, headers={"If-Match": '"g1"'})
    refused(stale, "volume-changed", 412)
    once = {"Idempotency-Key": "grow-once"}
    begun = town.api.post(path, **wanted, headers=once)
    assert (shown(town, "data")["status"], on_storage.size) == ("growing", 5)
    assert town.api.post(path, **wanted, headers=once).json() == begun.json()
    generation = town.show("web")["generation"]
    assert town.ended(begun)["state"] == "done"
    assert town.show("web")["generation"] == generation
    entry = items(town, "/v1/audit")[-1]
    assert (entry["action"], entry["outcome"]) == ("volume.grow", "done")
    assert (entry["subject"], entry["fields"]["size_gib"]) == (f"volume:{data['id']}", 9)
    assert (on_storage.size, on_storage.notes, open_in(town, data["id"])) == (
        9, ["kept"], {server["id"]},
    )  # fmt: skip
    assert (shown(town, "data")["status"], shown(town, "data")["size_gib"]) == ("in-use", 9)
    # What is so already is done at once, and nobody writes down that it was.
    entries = len(items(town, "/v1/audit"))
    assert grown(town, "data", 9)["generation"] == shown(town, "data")["generation"]
    assert len(items(town, "/v1/audit")) == entries
    refused(town.api.post(path, json={"size_gib": 8}), "volume-cannot-shrink")
    assert grown(town, "spare", 6)["status"] == "available"
    town.ended(town.api.post("/v1/servers/web/stop"))
    assert grown(town, "data", 10)["status"] == "in-use"
    assert (on_storage.size, apart.size) == (10, 6)
    (used,) = items(town, "/v1/quotas")
    too_much = {"json": {"size_gib": used["quota"]["disk_gib"]}}
    refused(town.api.post(path, **too_much), "quota-exceeded")
    with town.operator.store.read() as tx:
        assert sum(tx.ledger(tx.regions()[0].id).disks.values()) == 16
    # One that its server is still to let go of may be open there.
    begun = town.delete("/v1/servers/web/volumes/data")
    refused(town.api.post(path, json={"size_gib": 11}), "volume-detaching")
    assert town.ended(begun)["state"] == "done"
    assert town.ended(town.delete("/v1/volumes/data"))["state"] == "done"
    assert town.promise_holds()


def test_what_can_not_be_grown_now_is_grown_later_and_a_snapshot_comes_back_as_large(
    town: Town,
) -> None:
    server = town.made()
    data = volume(town, server="web")
    world = town.operator.world
    named = {"json": {"name": "small"}}
    taking = town.api.post("/v1/servers/web/snapshots", **named)
    path, wanted = "/v1/volumes/data/grow", {"json": {"size_gib": 9}}
    refused(town.api.post(path, **wanted), "server-disks-busy")
    assert town.ended(taking)["state"] == "done"
    at = town.show_as_operator("web")
    guest = world.machines[at["host"]].guests[ServerId(server["id"])]
    # A guest that stands still for want of room is not started anew for it.
    world.fill_storage(at["storage"])
    begun = town.api.post(path, json={"size_gib": 7})
    assert (town.ended(begun)["state"], guest.state) == ("running", RunState.SUSPENDED)
    assert shown(town, "data")["size_gib"] == 7
    world.empty_storage(at["storage"])
    for _ in range(10):
        town.settle()
    assert town.api.get(begun.headers["location"]).json()["state"] == "done"
    assert world.machines[at["host"]].guests[ServerId(server["id"])] is guest
    town.ended(town.api.post("/v1/servers/web/stop"))
    world.fill_storage(at["storage"])
    begun = town.api.post(path, **wanted)
    assert town.ended(begun)["state"] == "running"
    waiting = shown(town, "data")
    assert (waiting["status"], waiting["size_gib"], waiting["trouble"]) == ("error", 9, None)
    told = [each for each in items(town, "/v1/events") if each["kind"] == "volume.failed"]
    assert ["could not be grown yet" in each["en"] for each in told] == [True]
    world.empty_storage(at["storage"])
    for _ in range(10):
        town.settle()
    assert shown(town, "data")["status"] == "in-use"
    assert town.api.get(begun.headers["location"]).json()["state"] == "done"
    assert town.ended(town.api.post("/v1/snapshots/small/restore"))["state"] == "done"
    restored = world.data_volume(VolumeId(data["id"]))
    assert restored is not None
    assert (restored.build, restored.size) == (1, 9)
    town.ended(town.api.post("/v1/servers/web/start"))
    assert open_in(town, data["id"]) == {server["id"]}


def test_a_volume_grows_after_its_host_has_died_and_while_its_server_is_shelved(
    town: Town,
) -> None:
    town.made()
    data = volume(town, server="web")
    world = town.operator.world
    on_storage = world.data_volume(VolumeId(data["id"]))
    assert on_storage is not None
    dead = town.show_as_operator("web")["host"]
    world.cut_power(dead)
    begun = town.api.post("/v1/volumes/data/grow", json={"size_gib": 7})
    assert begun.status_code == 202
    for _ in range(20):
        town.settle()
    assert town.show_as_operator("web")["host"] != dead
    assert (shown(town, "data")["status"], on_storage.size) == ("in-use", 7)
    assert town.api.get(begun.headers["location"]).json()["state"] == "done"
    assert town.ended(town.api.post("/v1/servers/web/shelve"))["state"] == "done"
    assert town.show_as_operator("web")["host"] is None
    assert grown(town, "data", 8)["status"] == "in-use"
    assert on_storage.size == 8


def test_disks_count_against_the_quota_and_the_storage(town: Town) -> None:
    (used,) = items(town, "/v1/quotas")
    left = used["quota"]["disk_gib"] - used["used"]["disk_gib"]
    wanted = {"name": "data", "size_gib": left + 1, "region": used["region"]}
    before = town.operator.contents()
    refused(town.api.post("/v1/volumes", json=wanted), "quota-exceeded")
    assert town.operator.contents() == before
    plan = town.api.post("/v1/volumes?dry_run=true", json={**wanted, "size_gib": left}).json()
    assert plan["capacity"] == {"vcpus": 0, "memory_mib": 0, "disk_gib": left}
    assert (plan["diff"][0]["path"], plan["certificate"]["valid"]) == ("/volumes/data", True)
    assert town.operator.contents() == before
    volume(town, size=3, region=used["region"])
    (now,) = items(town, "/v1/quotas")
    assert now["used"]["disk_gib"] == used["used"]["disk_gib"] + 3
    with town.operator.store.read() as tx:
        ledger = tx.ledger(tx.regions()[0].id)
    assert sum(ledger.disks.values()) == 3
    assert town.promise_holds()


def test_another_members_disks_are_never_there(town: Town) -> None:
    town.made()
    data = volume(town, server="web")
    town.operator.join(UJI)
    uji = town.operator.tenant(UJI)
    for method, path, body in (
        ("GET", f"/v1/volumes/{data['id']}", None),
        ("DELETE", f"/v1/volumes/{data['id']}", None),
        ("GET", "/v1/servers/web/volumes", None),
        ("POST", "/v1/servers/web/snapshots", {"name": "theirs"}),
    ):
        assert uji.request(method, path, json=body).status_code == 404, path
    assert uji.get("/v1/volumes").json()["items"] == []
    assert uji.get(f"/v1/volumes?tenant={MIKASA}").json()["items"] == []
    at_theirs = {"name": "mine", "size_gib": 1, "server": "web"}
    refused(uji.post("/v1/volumes", json=at_theirs), "server-not-found", 422)
