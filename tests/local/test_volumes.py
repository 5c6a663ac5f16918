"""A real server with two data volumes dies with its host, and comes back with both, as large as they have grown."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.cli.private_file import write_private
from control_plane.cli.settings import Settings
from control_plane.model.ids import HostId
from deploy.local.cloud import LocalCloud
from tests.local.one_site import MIKASA, records, until, writes

pytestmark = pytest.mark.hypervisor

MUCH = {"vcpus": 8, "memory_mib": 4096, "disk_gib": 40}
NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


def holders(volume: str) -> int:
    """How many QEMU on this machine have the volume's file open, whichever host they belong to."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if "qemu" not in (process / "comm").read_text():
                continue
            files = {os.readlink(entry) for entry in (process / "fd").iterdir()}
            count += any(f"/volume.{volume}/" in file for file in files)
    return count


def gibibytes(folder: Path, volume: str) -> list[int]:
    """How large the volume's files are to a guest; one, unless its disk is being replaced."""
    found = []
    for file in folder.rglob(f"volume.{volume}/data*.qcow2"):
        shown = subprocess.run(
            ["qemu-img", "info", "-U", "--output=json", file], check=True, capture_output=True
        )
        found.append(json.loads(shown.stdout)["virtual-size"] // 2**30)
    return found


def as_member(cloud: LocalCloud, operator: Api, folder: Path) -> Api:
    wanted = {"role": "member-admin", "tenant": MIKASA, "label": "Suzuki"}
    issued = operator.post("/v1/tokens", wanted)
    file = folder / "suzuki.token"
    write_private(file, lambda: f"{issued['token']}\n")
    return Api(Settings(cloud.url, file, None), Language.EN)


def test_two_volumes_follow_their_server_to_its_refuge_and_are_then_let_go(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    operator, approver = cloud.api(), cloud.approver()
    until(lambda: {host["health"] for host in operator.every("/v1/hosts")} == {"up"})
    operator.post("/v1/members", {"code": MIKASA, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{MIKASA}/approve")
    approver.put(f"/v1/members/{MIKASA}/quota", {"guaranteed": NOTHING, "quota": MUCH})
    (server,) = until(lambda: operator.every("/v1/servers"))
    until(lambda: writes(server, "before"))
    town = as_member(cloud, operator, tmp_path)

    def status(name: str) -> str:
        return str(town.get(f"/v1/volumes/{name}")["status"])

    for name in ("ledger", "archive"):
        town.post("/v1/volumes", {"name": name, "size_gib": 1, "server": server["id"]})
    until(lambda: status("ledger") == status("archive") == "in-use")
    ids = {name: town.get(f"/v1/volumes/{name}")["id"] for name in ("ledger", "archive")}
    assert {name: holders(id) for name, id in ids.items()} == {"ledger": 1, "archive": 1}
    town.post(f"/v1/servers/{server['id']}/snapshots", {"name": "calm"})
    taken = until(lambda: _available(town, "calm"))
    assert [disk["volume"] for disk in taken["disks"]] == [None, *sorted(ids.values())]
    assert writes(server, "after")
    grown = town.post("/v1/volumes/ledger/grow", {"size_gib": 2})
    until(lambda: town.get(f"/v1/operations/{grown['id']}")["state"] == "done")
    assert (status("ledger"), gibibytes(tmp_path, ids["ledger"])) == ("in-use", [2])

    dead = operator.get(f"/v1/servers/{server['id']}")["host"]
    cloud.pool.cut_network(HostId(dead))
    cloud.pool.power_off(HostId(dead))
    until(lambda: operator.get(f"/v1/servers/{server['id']}")["host"] != dead)
    until(lambda: writes(server, "elsewhere"))
    until(lambda: status("ledger") == status("archive") == "in-use")
    assert {name: holders(id) for name, id in ids.items()} == {"ledger": 1, "archive": 1}
    assert records(server) == ["before", "after", "elsewhere"]

    town.delete(f"/v1/servers/{server['id']}/volumes/{ids['archive']}")
    until(lambda: status("archive") == "available")
    assert holders(ids["archive"]) == 0
    grown = town.post("/v1/volumes/archive/grow", {"size_gib": 3})
    until(lambda: town.get(f"/v1/operations/{grown['id']}")["state"] == "done")
    assert gibibytes(tmp_path, ids["archive"]) == [3]
    town.post(f"/v1/servers/{server['id']}/stop")
    until(lambda: town.get(f"/v1/servers/{server['id']}")["status"] == "stopped")
    town.post("/v1/snapshots/calm/restore")
    until(lambda: _available(town, "calm"))
    town.post(f"/v1/servers/{server['id']}/start")
    until(lambda: writes(server, "anew"))
    assert records(server) == ["before", "anew"]
    # The snapshot is older than its growth.
    assert gibibytes(tmp_path, ids["ledger"]) == [2]
    for api in (operator, approver, town):
        api.close()


def _available(town: Api, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] = town.get(f"/v1/snapshots/{name}")
    return found if found["status"] == "available" else None
