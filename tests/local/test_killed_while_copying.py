"""`yui serve` is killed while it copies under a real guest, and comes back: the guest goes on, and the copying ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from control_plane.cli.client import Api
from deploy.local import daemon
from deploy.local.cloud import LocalCloud
from tests.local.one_site import MIKASA, SITE, until, writes
from tests.local.one_site import records as records_of
from tests.local.test_volumes import MUCH, NOTHING, as_member, holders

pytestmark = pytest.mark.hypervisor

KYOTO = {
    "id": "kyoto",
    "name": "京都",
    "policy": "spread",
    "promised": [],
    "prefectures": ["京都府"],
}
"""Where the repository is, and no host."""
POLICY = {
    "rpo_hours": 26,
    "copies": [{"every": "day", "generations": 3, "places": ["other-region"], "at": "23:00"}],
    "test_every_days": None,
}
_AT = 100 * 2**20
_LENGTH = 96 * 2**20
"""So much that it is not over by the time that a guest has started on a busy machine."""


class Serving:
    """The cloud's control plane, with an address for disks."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._run = cloud.root / "run"
        self._cloud = cloud
        words = Path(f"/proc/{self._pid()}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        disks = cloud.pool.storage(cloud.pool.sites[0].id) / "disks"
        self._command = [*map(os.fsdecode, words), "--disk-address", f"nbd+unix://{disks}"]
        daemon.stop("api", self._run)
        self.begin()

    def _pid(self) -> int:
        return int(json.loads((self._run / "api.pid").read_text())["pid"])

    def kill(self) -> None:
        os.kill(self._pid(), signal.SIGKILL)
        until(lambda: not daemon.is_running("api", self._run))

    def begin(self) -> None:
        daemon.start("api", self._command, self._run, {**os.environ, "PYTHONUNBUFFERED": "1"})
        until(lambda: _answers(self._cloud.api()))


def test_a_guest_outlives_the_control_plane_that_serves_its_disks(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    serving = Serving(cloud)
    operator, server = cloud.api(), _server_with_a_volume(cloud, tmp_path)
    point = _point_of(operator, server["system"], tmp_path)
    _narrow(operator, 10)
    operator.post(
        f"/v1/recovery-points/{point['id']}/restore",
        {"to": "new", "name": "again", "at_once": True},
    )

    def restore() -> dict[str, Any]:
        (found,) = operator.every("/v1/restores")
        return found

    def made() -> Any:
        return next((s for s in operator.every("/v1/servers") if s["id"] != server["id"]), None)

    again = until(made)
    until(lambda: records(again) == ["before"])
    assert writes(again, "meanwhile")
    until(lambda: restore()["state"] in ("copying", "restored"))
    assert restore()["state"] == "copying"
    machine = processes_of(again["id"])
    (volume,) = [v for v in operator.every("/v1/volumes") if v["server"] == again["id"]]
    assert len(machine) == 1

    serving.kill()
    file = next(cloud.pool.storage(SITE.id).glob(f"volume.{volume['id']}/data-*.qcow2"))
    assert backing_of(file) is not None
    serving.begin()
    _narrow(operator, 10_000)
    until(lambda: restore()["state"] == "restored")

    until(lambda: writes(again, "afterwards"))
    assert records(again) == ["before", "meanwhile", "afterwards"]
    assert processes_of(again["id"]) == machine
    assert holders(volume["id"]) == 1
    assert backing_of(file) is None
    assert bytes_of(file, tmp_path) == (tmp_path / "extra").read_bytes()
    assert len(operator.every("/v1/servers")) == len(operator.every("/v1/volumes")) == 2
    told = {event["sequence"]: event["kind"] for event in operator.every("/v1/events")}
    kinds = list(told.values())
    assert [kinds.count(f"restore.{kind}") for kind in ("started", "done")] == [1, 1]


def _server_with_a_volume(cloud: LocalCloud, folder: Path) -> dict[str, Any]:
    """With a record on its disk, and on its volume bytes that no guest asks for."""
    operator, approver = cloud.api(), cloud.approver()
    until(lambda: {host["health"] for host in operator.every("/v1/hosts")} == {"up"})
    operator.post("/v1/members", {"code": MIKASA, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{MIKASA}/approve")
    approver.put(f"/v1/members/{MIKASA}/quota", {"guaranteed": NOTHING, "quota": MUCH})
    (server,) = until(lambda: operator.every("/v1/servers"))
    until(lambda: writes(server, "before"))
    town = as_member(cloud, operator, folder)
    town.post("/v1/volumes", {"name": "ledger", "size_gib": 1})
    made = town.get("/v1/volumes/ledger")["id"]
    until(lambda: town.get(f"/v1/volumes/{made}")["status"] == "available")
    extra = folder / "extra"
    extra.write_bytes(os.urandom(_LENGTH))
    file = cloud.pool.storage(SITE.id) / f"volume.{made}" / "data.qcow2"
    write = f"write -s {extra} {_AT} {_LENGTH}"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", write, file], check=True, capture_output=True)
    town.post(f"/v1/servers/{server['id']}/volumes", {"volume": made})
    until(lambda: town.get(f"/v1/volumes/{made}")["status"] == "in-use")
    return dict(server)


def _point_of(operator: Api, system: str, folder: Path) -> dict[str, Any]:
    pool = operator.get("/v1/pool")
    operator.put("/v1/pool", {**pool, "regions": [*pool["regions"], KYOTO]})
    (folder / "repository").mkdir()
    (folder / "repository.key").write_text("11" * 32)
    operator.post(
        "/v1/repositories",
        {
            "id": "kyoto",
            "name": "京都",
            "place": f"file://{folder / 'repository'}",
            "key_ref": f"file:{folder / 'repository.key'}",
            "prefecture": "京都府",
            "region": "kyoto",
        },
    )
    operator.put(f"/v1/systems/{system}/backup-policy", POLICY)
    operator.post(f"/v1/systems/{system}/backups", {})

    def whole() -> Any:
        points = operator.every("/v1/recovery-points")
        return next((each for each in points if each["state"] == "complete"), None)

    return dict(until(whole))


def _narrow(operator: Api, mbit: int) -> None:
    line = {"regions": ["hokkaido", "kyoto"], "mbit_per_s": mbit}
    operator.put("/v1/region-links/north", line)


def _answers(api: Api) -> bool:
    with suppress(Exception):
        return bool(api.get("/healthz"))
    return False


def records(server: dict[str, Any]) -> list[str]:
    with suppress(Exception):
        return records_of(server)
    return []


def processes_of(server: str) -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"guest={server},".encode() in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


def backing_of(file: Path) -> str | None:
    said = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", file], check=True, capture_output=True
    )
    found: str | None = json.loads(said.stdout).get("backing-filename")
    return found


def bytes_of(file: Path, folder: Path) -> bytes:
    raw = folder / "whole.raw"
    subprocess.run(["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", file, raw], check=True)
    with raw.open("rb") as disk:
        disk.seek(_AT)
        return disk.read(_LENGTH)
