"""A pool of simulated hosts on a state of its own, and `yui serve` on it: what the API's benchmarks ask."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from control_plane.access.service import bootstrap_operator_token
from control_plane.admission import NewServer, admit
from control_plane.model.blueprint import System
from control_plane.model.host_health import Cleaning
from control_plane.model.ids import BlueprintId, FlavorId, ImageId, RegionId, ServerId, SystemId
from control_plane.model.image import Image, ImageFormat
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, Tenant, check_digit
from control_plane.model.units import GiB
from control_plane.model.workload import Server
from control_plane.pool_file import PoolDescription, from_json
from control_plane.store import Store, Transaction

REGION = RegionId("bench")
IMAGE = ImageId("bench")
FLAVOR = "small"
_FLAVORS = {"small": (1, 2), "medium": (2, 4), "large": (4, 8)}
"""vCPU and GiB of memory."""
_MIX = ("small", "medium", "small", "large", "small", "medium")
_PER_SYSTEM = 20


def describe(store: Store, hosts: int, vcpus: int) -> None:
    """That many equal hosts of `vcpus` and twice as many GiB, ready for servers."""
    now = datetime.now(UTC)
    description = _pool(hosts, vcpus)
    with store.write() as tx:
        for region in description.regions:
            tx.put_region(region)
        for site in description.sites:
            tx.put_site(site)
        for flavor in description.flavors:
            tx.put_flavor(flavor)
        tx.put_image(_image(now))
        for described in description.hosts:
            host = tx.put_host_description(described.as_host(now))
            assert isinstance(host.health, Cleaning)  # noqa: S101 — as a new host is
            tx.save_host(replace(host, health=host.health.cleaned(now)))


def vcpus_for(servers: int, hosts: int, full: float = 0.6) -> int:
    """How many a host needs so that the servers take that part of all."""
    asked = sum(_FLAVORS[_MIX[index % len(_MIX)]][0] for index in range(servers))
    return max(8, math.ceil(asked / hosts / full))


def fill(store: Store, servers: int, each: int = _PER_SYSTEM) -> None:
    """Members with so many servers each, placed and protected as everybody's are."""
    for number, first in enumerate(range(0, servers, each)):
        _admit(store, number, range(first, min(first + each, servers)))


def member_of(number: int) -> MunicipalityCode:
    """The one that `fill` made as that."""
    code = f"{number % 47 + 1:02}{100 + number // 47:03}"
    return MunicipalityCode(code + str(check_digit(code)))


def _admit(store: Store, number: int, servers: Sequence[int]) -> None:
    member = member_of(number)
    system = SystemId(f"system-{number}")

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tx.add_tenant(Tenant(member, f"団体{number}", "だんたい", "京都府", 50_000))
        tx.add_system(
            System(
                system,
                member,
                REGION,
                BlueprintId("bench"),
                1,
                number % 3,
                Zone.LGWAN,
                datetime.now(UTC),
            )
        )
        return [
            NewServer(
                id=ServerId(f"server-{index}"),
                system=system,
                name=f"server-{index}",
                role="bench",
                flavor=FlavorId(_MIX[index % len(_MIX)]),
                image=IMAGE,
                start_order=0,
            )
            for index in servers
        ]

    def finish(tx: Transaction, placed: Sequence[Server]) -> None:
        """Nothing more is kept."""

    admit(store, REGION, prepare, finish)


@dataclass(frozen=True, slots=True)
class Served:
    """A running API and its operator's token."""

    port: int
    token: str
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        return self.send("GET", path)[1]

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urlopen(request, timeout=120) as answer:  # noqa: S310 — as above
            return answer.status, json.load(answer)

    @property
    def cpu_seconds(self) -> float:
        """User and system time of the server's process so far (proc(5), `stat`)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(url: str, folder: Path, token: str, *more: str) -> Iterator[Served]:
    """`yui serve` on the state at `url` until the block ends; what it logs is below `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "control_plane.cli", "serve", "--simulated"]
    command += ["--plain-http", "--port", str(port), *more]
    with (folder / f"serve-{port}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 — ourselves
            command,
            env={**os.environ, "YUI_DATABASE": url, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            assert process.stderr is not None  # noqa: S101 — asked for above
            said = b""
            for line in process.stderr:
                log.write(line)
                said += line
                if b"The API answers at" in line:
                    break
            else:
                raise RuntimeError(f"yui serve ended: {said.decode()[-2000:]}")
            with subprocess.Popen(["cat"], stdin=process.stderr, stdout=log):  # noqa: S607
                try:
                    yield Served(port, token, process)
                finally:
                    process.terminate()
                    process.wait(60)
        finally:
            process.kill()
            process.wait()


def first_token(store: Store) -> str:
    return bootstrap_operator_token(store, label="benchmark")


def _image(now: datetime) -> Image:
    return Image(
        id=IMAGE,
        name="bench",
        version="1",
        format=ImageFormat.QCOW2,
        sha256="0" * 64,
        size_bytes=1 << 20,
        virtual_size=GiB(1),
        location="/nowhere",
        provenance="a simulated pool reads no image",
        added_at=now,
    )


def _pool(hosts: int, vcpus: int) -> PoolDescription:
    return from_json(
        {
            "regions": [
                {"id": REGION, "name": "Bench", "promised": ["host"], "prefectures": ["京都府"]}
            ],
            "sites": [
                {
                    "id": "bench-dc",
                    "region": REGION,
                    "name": "Bench",
                    "guest_network": "10.0.0.0/12",
                    "storage_pools": [
                        {"id": "bench-pool", "capacity": "1000 TiB", "path": "/srv/yui/bench"}
                    ],
                }
            ],
            "hosts": [
                {
                    "id": f"host-{number}",
                    "site": "bench-dc",
                    "vcpus": vcpus,
                    "memory": f"{2 * vcpus} GiB",
                    "storage": ["bench-pool"],
                }
                for number in range(hosts)
            ],
            "flavors": [
                {"id": name, "vcpus": vcpus, "memory": f"{memory} GiB", "disk": "20 GiB"}
                for name, (vcpus, memory) in _FLAVORS.items()
            ],
        }
    )
