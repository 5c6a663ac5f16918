"""The story's stage on real hypervisor hosts: guests are asked over HTTP, copies counted as processes."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_interface
from pathlib import Path

import httpx

from control_plane.cli.client import Api
from control_plane.model.ids import HostId
from deploy.demo import texts
from deploy.demo.narrator import Narrator
from deploy.demo.offices import Offices
from deploy.demo.stage import NotAnswering
from deploy.local.cloud import LocalCloud
from tenants.models import ServerOut

_PAUSE_S = 0.5
_GUEST_TIMEOUT_S = 5.0


class RealStage:
    """Makes a pool under `root`; `members` is the register (CSV), `images` keeps built images."""

    def __init__(self, root: Path, members: Path, images: Path, narrator: Narrator) -> None:
        LocalCloud.remove(root)
        self._cloud = LocalCloud.create(
            root,
            members,
            images=images,
            segments=True,
            tell=lambda what: narrator.say(texts.BUILDING, what=what),
        )
        self.api: Api = self._cloud.api(narrator.language)
        self._offices = Offices(self._cloud, self.api, root / "run", _GUEST_TIMEOUT_S)
        self.approver: Api = self._cloud.approver(narrator.language)
        self.hosts: Sequence[str] = [host.id for host in self._cloud.pool.hosts]
        self.hypervisor = self._cloud.hypervisor

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pause(self) -> None:
        time.sleep(_PAUSE_S)

    def write(self, server: ServerOut, text: str) -> None:
        answer = self._ask("POST", server, text)
        if answer.status_code != httpx.codes.CREATED:
            raise NotAnswering(f"{server.name} answered {answer.status_code}")

    def records(self, server: ServerOut) -> tuple[str, ...]:
        answer = self._ask("GET", server)
        try:
            return tuple(answer.json()["records"])
        except (ValueError, KeyError):
            raise NotAnswering(f"{server.name} gave half an answer") from None

    def _ask(self, method: str, server: ServerOut, text: str | None = None) -> httpx.Response:
        address = ip_interface(server.address).ip
        content = None if text is None else text.encode()
        try:
            guests = self._offices.client_for(server)
            return guests.request(method, f"http://{address}/records", content=content)
        except httpx.HTTPError as error:
            raise NotAnswering(f"{server.name}: {error}") from None

    def copies(self) -> dict[str, int]:
        """Every QEMU of this pool is seen here, also on hosts that are cut off, and none of another pool that runs
        on this machine."""
        root = os.fsencode(self._cloud.pool.root)
        return Counter(
            name
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and (name := _guest_of(process, root)) is not None
        )

    def kill(self, host: str) -> None:
        self._cloud.pool.cut_network(HostId(host))
        self._cloud.pool.power_off(HostId(host))

    def close(self) -> None:
        self._offices.close()
        self.api.close()
        self.approver.close()
        self._cloud.destroy()


def _guest_of(process: Path, root: bytes) -> str | None:
    """The server's name where the process is the QEMU of one whose disks lie under `root`."""
    try:
        arguments = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if not os.path.basename(arguments[0]).startswith(b"qemu-system"):
        return None
    if not any(root in argument for argument in arguments):
        return None
    for before, argument in itertools.pairwise(arguments):
        if before == b"-name":
            return argument.split(b",")[0].removeprefix(b"guest=").decode(errors="replace")
    return None
