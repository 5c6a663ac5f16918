"""A member leaves with everything that is its own, and nobody else notices."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control_plane.drivers.simulated.clock import ControlPlaneKilled
from control_plane.journal.audit_check import check
from control_plane.model.access import Role
from control_plane.model.identity import User
from control_plane.model.ids import ImageId, ServerId, SnapshotId, VolumeId
from control_plane.model.units import GiB, Seconds
from control_plane.model.volume import ServerSnapshot, SnapshotDisk, Unattached, Volume
from control_plane.model.workload import Power
from tenants.leaving.ovf import read
from tenants.membership import settle_memberships
from tests.api.conftest import MIKASA, NOW, TINY, UJI, problem_of
from tests.small_disk import fill, free, mounted_disk
from tests.tenants.leaving import REASON, STATEMENT, Town, town_in

FUKAGAWA = "012289"
GROUP = {
    "containers": [
        {
            "name": "web",
            "image": f"registry.example.jp/town/web@sha256:{'a' * 64}",
            "vcpus": 1,
            "memory_mib": 512,
        }
    ]
}


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with town_in(tmp_path) as town:
        yield town


@pytest.mark.long
def test_a_member_leaves_with_all_its_things_and_its_room_is_everybodys(town: Town) -> None:
    others = town.servers(UJI)
    for server in town.servers(MIKASA):
        town.api.world.write_note(ServerId(server["id"]), f"a record of {server['name']}")
    with town.api.store.write() as tx:
        for number, code in enumerate((MIKASA, UJI)):
            tx.add_user(User(f"user-{number}", code, "https://id.example.jp", f"s{number}",
                             "鈴木", None, Role.MEMBER_ADMIN, False, NOW))  # fmt: skip
    begun = town.ask(destroy_keys=True)
    assert (begun["kind"], begun["state"], begun["done"]) == ("member.leave", "running", 0)
    town.look()
    assert town.member()["state"] == "leave-asked"
    assert {server["status"] for server in town.servers(MIKASA)} == {"active"}

    assert town.approver.post(f"/v1/members/{MIKASA}/leave/approve").status_code == 200
    town.until(lambda: town.member()["stage"] == "to-be-confirmed")
    assert {server["status"] for server in town.servers(MIKASA)} == {"stopped"}
    export = town.admin.get(f"/v1/members/{MIKASA}/export").json()
    assert export["missing"] == []
    for file in export["files"]:
        answer = town.admin.get(f"/v1/members/{MIKASA}/export/file?path={file['path']}")
        assert answer.status_code == 200, answer.text
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert len(answer.content) == file["size"]
    names = {server["name"] for server in town.servers(MIKASA)}
    disks = {f["path"] for f in export["files"] if f["path"].endswith(".qcow2")}
    assert {path.rpartition("/")[2] for path in disks} == {f"{name}.qcow2" for name in names}
    folder = town.exports.root / MIKASA / begun["id"]
    for path in disks:
        name = path.rpartition("/")[2].removesuffix(".qcow2")
        assert f"a record of {name}".encode() in (folder / path).read_bytes()
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    with (folder / "audit/audit.jsonl").open("rb") as lines:
        assert check(lines).whole
    problem_of(
        town.api.get(f"/v1/members/{MIKASA}/export/file?path=README.txt"), 403, "members-own-export"
    )
    part = town.admin.get(
        f"/v1/members/{MIKASA}/export/file?path=SHA256SUMS", headers={"Range": "bytes=0-9"}
    )
    assert (part.status_code, len(part.content)) == (206, 10)
    for wrong in ("bytes=999999999-", "bytes=5-2", "lines=1-", "bytes=0-1,4-5"):
        problem_of(
            town.admin.get(
                f"/v1/members/{MIKASA}/export/file?path=SHA256SUMS", headers={"Range": wrong}
            ),
            416,
            "range-not-there",
        )

    town.confirm()
    assert town.servers(MIKASA) == []
    assert [volume for pool in town.api.world.around.pools.values() for volume in pool.volumes
            if volume.startswith(f"m{MIKASA}")] == []  # fmt: skip
    problem_of(town.admin.get("/v1/servers"), 401, "token-invalid")
    operation = town.api.get(f"/v1/operations/{begun['id']}").json()
    assert (operation["state"], operation["done"]) == ("done", operation["total"])
    (destroyed,) = town.audit("member.keys-destroy")
    assert {key["kind"]: key["destroyed"] for key in destroyed["fields"]["keys"]} == {
        "tokens": 1,
        "disk-keys": 0,
        "audit-keys": 0,
    }
    assert not folder.exists()
    assert town.servers(UJI) == others
    assert [user["id"] for user in town.api.get("/v1/users").json()["items"]] == ["user-1"]
    problem_of(town.api.get(f"/v1/members/{MIKASA}/quota"), 404, "tenant-not-found")
    assert town.audit("member.left")
    answer = town.api.post("/v1/members", json={"code": MIKASA, "blueprints": ["library"]})
    assert answer.status_code == 202, answer.text


def test_servers_stop_in_the_reverse_of_their_order_of_starting(town: Town) -> None:
    town.leave()
    own = [s for s in town.servers(MIKASA) if s["system"] == f"m{MIKASA}-resident-records"]
    own.sort(key=lambda server: -int(server["start_order"]))
    assert len({server["start_order"] for server in own}) > 1
    ids = [server["id"] for server in own]
    assert [server for server in town.stops if server in ids] == ids


def test_it_takes_a_second_person_and_the_members_own_word(town: Town) -> None:
    path = f"/v1/members/{MIKASA}/leave"
    problem_of(town.approver.post(path, json=REASON), 403, "permission-missing")
    town.ask()
    problem_of(town.admin.post(f"{path}/approve"), 403, "permission-missing")
    problem_of(town.admin.post(path, json=REASON), 409, "member-not-in")
    problem_of(town.admin.post(f"{path}/confirm", json=STATEMENT), 409, "export-not-ready")
    assert town.approver.post(f"{path}/approve").status_code == 200
    problem_of(town.approver.post(f"{path}/approve"), 409, "leave-not-asked")
    problem_of(town.admin.get(f"/v1/members/{MIKASA}/export"), 409, "export-not-ready")
    town.until(lambda: town.member()["stage"] == "to-be-confirmed")
    problem_of(town.api.post(f"{path}/confirm", json=STATEMENT), 403, "members-own-word")
    for escape in ("../../../state.db", "member/member.json.part", "/etc/passwd", "a\0b"):
        answer = town.admin.get(f"/v1/members/{MIKASA}/export/file", params={"path": escape})
        problem_of(answer, 404, "export-file-not-found")
    answer = town.approver.post(f"{path}/waive", json={"reason": "The town hall has closed."})
    assert answer.json()["stage"] == "removing"
    problem_of(town.admin.post(f"{path}/cancel", json=REASON), 409, "member-not-leaving")
    town.until(lambda: town.member()["state"] == "left")
    (left,) = town.audit("member.left")
    assert left["fields"]["export_kept"] is True
    assert list(town.exports.root.glob(f"{MIKASA}/*/SHA256SUMS"))


@pytest.mark.long
@pytest.mark.parametrize("stage", ["asked", "exporting", "to-be-confirmed"])
def test_until_its_things_are_removed_a_member_may_stay(town: Town, stage: str) -> None:
    before = town.member()
    begun = town.ask()
    if stage != "asked":
        town.approver.post(f"/v1/members/{MIKASA}/leave/approve")
        town.until(lambda: town.member()["stage"] == stage)
        if stage == "exporting":
            town.look()
    answer = town.admin.post(f"/v1/members/{MIKASA}/leave/cancel", json=REASON)
    assert answer.status_code == 200, answer.text
    assert (town.member()["state"], town.member()["since"]) == ("hosted", before["since"])
    town.until(lambda: {s["status"] for s in town.servers(MIKASA)} == {"active"})
    operation = town.api.get(f"/v1/operations/{begun['id']}").json()
    assert (operation["state"], operation["error"]["type"]) == ("failed", "leave-cancelled")
    town.look()
    assert not (town.exports.root / MIKASA / begun["id"]).exists()


def test_one_that_stays_before_it_was_in_is_hosted_once_its_servers_run(town: Town) -> None:
    body = {"code": FUKAGAWA, "blueprints": ["library"], "name": "深川市", "kana": "ふかがわし",
            "prefecture": "北海道", "population": 20_062}  # fmt: skip
    town.api.post("/v1/members", json=body)
    path = f"/v1/members/{FUKAGAWA}"
    assert town.approver.post(f"{path}/approve").status_code == 202
    assert town.api.post(f"{path}/leave", json=REASON).status_code == 202
    answer = town.api.post(f"{path}/leave/cancel", json=REASON)
    assert answer.json()["state"] == "approved"
    settle_memberships(town.api.store, NOW)
    assert town.member(FUKAGAWA)["state"] == "approved"
    town.until(lambda: town.member(FUKAGAWA)["state"] == "hosted")


def test_a_question_may_be_turned_down_with_a_reason(town: Town) -> None:
    begun = town.ask()
    path = f"/v1/members/{MIKASA}/leave/reject"
    answer = town.approver.post(path, json={"reason": "The council decides in March."})
    assert answer.json()["state"] == "hosted"
    operation = town.api.get(f"/v1/operations/{begun['id']}").json()
    assert operation["error"]["type"] == "leave-rejected"
    assert "in March" in operation["error"]["en"]


def test_nothing_begins_for_a_member_that_leaves(town: Town) -> None:
    town.leave()
    server = town.servers(MIKASA)[0]
    asked = [
        ("POST", f"/v1/servers/{server['id']}/start", None),
        ("POST", f"/v1/servers/{server['id']}/rebuild", {"image": "tiny"}),
        ("POST", f"/v1/servers/{server['id']}/resize", {"flavor": "m1.large"}),
        ("DELETE", f"/v1/servers/{server['id']}", None),
        ("POST", "/v1/systems", {"blueprint": "library"}),
        ("POST", "/v1/container-groups", {**GROUP, "name": "web", "system": server["system"]}),
    ]
    for method, path, body in asked:
        answer = town.admin.request(method, path, **({} if body is None else {"json": body}))
        problem_of(answer, 409, "member-leaving")
    assert {server["status"] for server in town.servers(MIKASA)} == {"stopped"}


def test_container_groups_go_with_their_member_and_count_until_then(town: Town) -> None:
    allowed = town.api.get(f"/v1/members/{MIKASA}/quota").json()
    quota = {name: 2 * amount + 10_000 for name, amount in allowed["quota"].items()}
    body = {"guaranteed": allowed["guaranteed"], "quota": quota}
    assert town.api.put(f"/v1/members/{MIKASA}/quota", json=body).status_code == 200
    system = town.servers(MIKASA)[0]["system"]
    asked = {**GROUP, "name": "web", "system": system}
    assert town.admin.post("/v1/container-groups", json=asked).status_code == 201
    town.leave()
    shown = town.api.get(f"/v1/members/{MIKASA}/quota").json()
    assert shown["container_groups"] == {"vcpus": 1, "memory_mib": 512, "disk_gib": 0}
    town.confirm()
    assert town.api.get("/v1/container-groups").json()["items"] == []
    with town.api.store.read() as tx:
        assert tx.on_record() == {}


def test_a_server_that_was_started_all_the_same_is_stopped_and_exported_anew(town: Town) -> None:
    begun = town.leave()
    system = f"m{MIKASA}-facility-booking"
    id = next(ServerId(s["id"]) for s in town.servers(MIKASA) if s["system"] == system)
    with town.api.store.write() as tx:
        tx.save_server(replace(tx.server(id), power=Power.RUNNING))
    while not town.api.world.answering(id):
        town.controller.tick()
        town.api.world.clock.sleep(Seconds(5))
    town.api.world.write_note(id, "written late")
    town.look()
    assert town.member()["stage"] == "exporting"
    town.until(lambda: town.member()["stage"] == "to-be-confirmed")
    folder = town.exports.root / MIKASA / begun["id"] / "systems" / system
    assert b"written late" in (folder / f"{system}-application.qcow2").read_bytes()


def test_progress_is_told_step_by_step(town: Town) -> None:
    town.leave()
    steps = town.member()["steps"]
    assert [s["name"] for s in steps if s["name"] != "exported"] == [
        "approved", "stopped", "described", "confirmed", "removed", "left",
    ]  # fmt: skip
    exported = [step for step in steps if step["name"] == "exported"]
    assert len(exported) == len(town.servers(MIKASA))
    assert all(step["done"] == step["total"] > 0 and step["ended"] for step in exported)
    operation = town.api.get(f"/v1/operations/{town.member()['operation']}").json()
    assert 0 < operation["done"] < operation["total"]


def test_a_control_plane_that_is_killed_again_and_again_goes_on_where_the_last_one_was(
    town: Town,
) -> None:
    begun = town.ask()
    town.approver.post(f"/v1/members/{MIKASA}/leave/approve")
    town.look()
    assert town.another_leaver("two").tick() == 0, "one process at a time leads members out"
    town.leaver.give_up()
    lives, read = [town.api.world.seen_by_another_process()], 0

    def count(call: str) -> None:
        """Killed at its fourth call for a disk: it has looked, and taken one piece or two."""
        nonlocal read
        if call == "export_disk":
            read += 1
            calls[-1] += 1
            if calls[-1] == 4:
                lives[-1].gate.kill()

    calls = [0]
    lives[-1].gate.before_call = count
    town.leaver = town.another_leaver("one", lives[-1])
    while town.member()["stage"] != "to-be-confirmed":
        assert len(lives) < 50
        with suppress(ControlPlaneKilled):
            town.look()
        if lives[-1].gate.killed:
            lives.append(town.api.world.seen_by_another_process())
            calls.append(0)
            lives[-1].gate.before_call = count
            town.leaver = town.another_leaver("one", lives[-1])
    folder = town.exports.root / MIKASA / begun["id"]
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    disks = list(folder.glob("systems/*/*.qcow2"))
    pieces = sum(-(-disk.stat().st_size // 131_072) for disk in disks)
    assert len(lives) > len(disks)
    assert read <= pieces + 2 * len(lives) + 2 * len(disks), (
        "nothing is fetched twice but what was under way"
    )
    assert not list(folder.glob("**/*.part"))


def test_an_export_without_room_is_told_once_and_goes_on_when_there_is_some(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "full", "4m") as disk, town_in(tmp_path, disk) as town:
        fill(disk)
        town.ask()
        town.approver.post(f"/v1/members/{MIKASA}/leave/approve")

        def told() -> list[dict[str, Any]]:
            events = town.api.get("/v1/events?limit=1000").json()["items"]
            return [e for e in events if e["kind"] == "member.export-failed"]

        town.until(lambda: len(told()) == len(town.servers(MIKASA)))
        for _ in range(3):
            town.look(Seconds(61))
        assert len(told()) == len(town.servers(MIKASA))
        assert "No space left" in told()[0]["en"]
        mine = [e for e in town.admin.get("/v1/events?limit=1000").json()["items"]
                if e["kind"] == "member.export-failed"]  # fmt: skip
        assert mine
        assert str(disk) not in str(mine)
        free(disk)
        town.until(lambda: town.member()["stage"] == "to-be-confirmed")


def test_volumes_go_along_and_snapshots_go(town: Town) -> None:
    system = f"m{MIKASA}-facility-booking"
    with town.api.store.write() as tx:
        server = next(s for s in tx.servers(MIKASA) if s.system == system)
        loose = Volume(VolumeId("vol-loose"), server.tenant, tx.region_of(server.id), "loose",
                       GiB(1), server.storage, NOW)  # fmt: skip
        tx.add_volume(loose)
        given = replace(loose, id=VolumeId("vol-given"), name="given")
        tx.add_volume(replace(given, attachment=Unattached().attach_to(server.id, 0)))
        tx.add_server_snapshot(
            ServerSnapshot(SnapshotId("snap-1"), server.tenant, loose.region, "before", server.id,
                           server.name, server.image, server.storage,
                           (SnapshotDisk(None, "root", server.disk),), NOW)
        )  # fmt: skip
        tx.put_image(replace(TINY, id=ImageId("own"), owner=MIKASA, private=True))
        tx.put_image(replace(TINY, id=ImageId("shared"), owner=MIKASA))
    town.until(town.disks_rest)
    begun = town.leave()
    folder = town.exports.root / MIKASA / begun["id"]
    assert (folder / "volumes/vol-loose.qcow2").read_bytes().startswith(b"QFI\xfb")
    (machine,) = read((folder / f"systems/{system}/{system}.ovf").read_bytes()).machines
    assert [disk.file for disk in machine.disks] == [
        f"{server.name}.qcow2", f"{server.name}.vol-given.qcow2",
    ]  # fmt: skip
    assert "vol-loose" in (folder / "member/volumes.json").read_text()
    town.confirm()
    pools = town.api.world.around.pools.values()
    assert not any({"vol-loose", "vol-given"} & set(pool.data) for pool in pools)
    assert not any(pool.snapshots for pool in pools)
    with town.api.store.read() as tx:
        assert not tx.networks(MIKASA)
        assert {image.id for image in tx.images()} == {"tiny", "shared"}
    assert town.dropped == ["own"]


def test_what_is_exported_describes_every_server_with_its_disk(town: Town) -> None:
    begun = town.leave()
    folder = town.exports.root / MIKASA / begun["id"]
    servers = {server["id"]: server for server in town.servers(MIKASA)}
    described = {}
    for path in folder.glob("systems/*/*.ovf"):
        for machine in read(path.read_bytes()).machines:
            described[machine.id] = machine
            (disk,) = machine.disks
            assert (path.parent / disk.file).stat().st_size == disk.length
    assert set(described) == set(servers)
    for id, machine in described.items():
        wanted = servers[id]
        assert machine.vcpus == wanted["size"]["vcpus"]
        assert machine.memory_mib == wanted["size"]["memory_mib"]
        assert machine.disks[0].capacity == wanted["disk_gib"] * 2**30
        assert (machine.mac, machine.network) == (wanted["mac"], wanted["zone"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["member"] == MIKASA
    networks = json.loads((folder / "member/networks.json").read_text())
    assert {n["zone"] for n in networks} == {machine.network for machine in described.values()}
    assert not any({"segment", "tenant", "generation"} & set(network) for network in networks)
    groups = json.loads((folder / "member/security-groups.json").read_text())
    assert [group["name"] for group in groups] == ["default"]
    assert groups[0]["rules"][0]["direction"] == "egress"
    users = (folder / "member/users.json").read_text() + (
        folder / "member/servers.json"
    ).read_text()
    assert "hash" not in users
    assert "yui_" not in users
