"""The API as its users meet it: over HTTP, on a real SQLite state with real placement."""

from __future__ import annotations

import functools
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.tokens import HashCost
from control_plane.model.host_health import Cleaning, HostHealth
from control_plane.model.ids import HostId, ImageId, ServerId
from control_plane.model.image import Image, ImageFormat
from control_plane.model.membership import ApprovalRule
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.model.units import GiB, Seconds
from control_plane.model.workload import Seen
from control_plane.store import Store
from tenants.catalogue import STANDARD_BLUEPRINTS, Catalogue, load_catalogue
from tenants.register import MemberRegister
from tests.api.in_process import InProcess

NOW = datetime(2026, 4, 1, tzinfo=UTC)
QUICKLY = HashCost(passes=1, memory_kib=8)
"""For tokens whose hashes keep nobody out."""
MIKASA, UJI, SAGA_TAKEO = "012220", "262048", "412066"

MEMBERS = [
    Tenant(MunicipalityCode(MIKASA), "三笠市", "みかさし", "北海道", 8_040),
    Tenant(MunicipalityCode(UJI), "宇治市", "うじし", "京都府", 179_630),
    Tenant(MunicipalityCode(SAGA_TAKEO), "武雄市", "たけおし", "佐賀県", 47_914),
]


def region(name: str, prefecture: str, network: str, *, hosts: int = 3) -> dict[str, list[Any]]:
    """A region of one site with `hosts` equal hosts, each of 8 vCPU and 16 GiB."""
    return {
        "regions": [{"id": name, "name": name, "prefectures": [prefecture]}],
        "sites": [
            {
                "id": f"{name}-dc",
                "region": name,
                "name": f"{name} centre",
                "guest_network": network,
                "storage_pools": [
                    {"id": f"{name}-pool", "capacity": "500 GiB", "path": f"/srv/{name}"}
                ],
            }
        ],
        "hosts": [
            {
                "id": f"{name}-{number}",
                "site": f"{name}-dc",
                "vcpus": 8,
                "memory": "16 GiB",
                "storage": [f"{name}-pool"],
            }
            for number in range(1, hosts + 1)
        ],
    }


def pool() -> dict[str, list[Any]]:
    """Two regions of three hosts; nobody serves 佐賀県."""
    kyoto = region("kyoto", "京都府", "10.77.16.0/24")
    hokkaido = region("hokkaido", "北海道", "10.77.17.0/24")
    sizes = [("m1.small", 1, 2), ("m1.medium", 2, 4), ("m1.large", 4, 8), ("m1.xlarge", 8, 16)]
    return {
        **{key: hokkaido[key] + kyoto[key] for key in kyoto},
        "flavors": [
            {"id": name, "vcpus": vcpus, "memory": f"{memory} GiB", "disk": "10 GiB"}
            for name, vcpus, memory in sizes
        ],
    }


@dataclass
class Api:
    """A control plane's API with an operator's token; `as_tenant` and `anonymous` speak to the same
    one."""

    app: FastAPI
    store: Store
    world: SimulatedWorld
    state_file: Path
    client: InProcess
    operator_token: str

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.operator_token}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **more)

    def with_token(self, token: str) -> Api:
        return replace(self, operator_token=token)

    def tenant(self, code: str, role: str = "member-admin") -> Api:
        """The same API with a token of that member's."""
        answer = self.post(
            "/v1/tokens", json={"role": role, "tenant": code, "label": f"town {code}"}
        )
        assert answer.status_code == 201, answer.text
        return self.with_token(answer.json()["token"])

    def join(self, code: str = MIKASA, *blueprints: str, **more: Any) -> dict[str, Any]:
        answer = self.post(
            "/v1/members",
            json={"code": code, "blueprints": list(blueprints or ["resident-records"]), **more},
        )
        assert answer.status_code == 202, answer.text
        joined: dict[str, Any] = answer.json()
        return joined

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, as the file holds them."""
        return rows_of(self.state_file)

    def set_health(self, host: str, health: HostHealth) -> None:
        with self.store.write() as tx:
            tx.save_host(replace(tx.host(HostId(host)), health=health))

    def see(self, server: str, seen: Seen) -> None:
        """What a driver would have reported of the server."""
        with self.store.write() as tx:
            tx.set_seen(ServerId(server), seen)

    def see_all(self, seen: Seen = Seen.RUNNING) -> None:
        with self.store.read() as tx:
            servers = tx.servers()
        for server in servers:
            self.see(server.id, seen)


def rows_of(state_file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of a SQLite state, which somebody may be using: but for how far people
    were told of events, and what the audit trail says was refused."""
    reader = sqlite3.connect(f"file:{state_file}?mode=ro", uri=True)
    try:
        tables = [
            name
            for (name,) in reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        rows = {
            name: sorted(reader.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for name in tables
            if name != "announced"
        }
        done = rows["audit_entries"]
        rows["audit_entries"] = [entry for entry in done if "done" in entry]
        return rows
    finally:
        reader.close()


@functools.cache
def standard_catalogue() -> Catalogue:
    """Read once, since nothing changes it."""
    return load_catalogue(STANDARD_BLUEPRINTS)


@contextmanager
def opened(
    state_file: Path,
    token: str | None = None,
    approval: ApprovalRule = ApprovalRule.ONE_PERSON,
    *,
    providers: IdentityProviders | None = None,
) -> Iterator[Api]:
    url = f"sqlite:///{state_file}"
    with opened_at(url, state_file, token, approval, providers=providers) as api:
        yield api


@contextmanager
def opened_at(
    url: str,
    state_file: Path,
    token: str | None = None,
    approval: ApprovalRule = ApprovalRule.ONE_PERSON,
    *,
    providers: IdentityProviders | None = None,
) -> Iterator[Api]:
    """`contents` is for SQLite's file alone."""
    store = Store.open(url)
    world = SimulatedWorld()
    try:
        app = create_app(
            store,
            world,
            Options(
                catalogue=standard_catalogue(),
                register=MemberRegister({member.code: member for member in MEMBERS}),
                look_every=Seconds(0.02),
                approval=approval,
                exports=state_file.parent / "exports",
                providers=providers,
                token_cost=QUICKLY,
            ),
        )
        token = token or bootstrap_operator_token(store, cost=QUICKLY)
        with InProcess(app) as client:
            yield Api(app, store, world, state_file, client, token)
    finally:
        store.close()


@pytest.fixture
def empty_api(tmp_path: Path) -> Iterator[Api]:
    """Nothing is described yet."""
    with opened(tmp_path / "state.db") as api:
        yield api


@dataclass(frozen=True)
class Prepared:
    """A state with two regions of three hosts that are well, and the image that the blueprints
    name; tests work on copies of it."""

    state_file: Path
    token: str

    @contextmanager
    def copied(self, folder: Path) -> Iterator[Api]:
        shutil.copy(self.state_file, folder / "state.db")
        with opened(folder / "state.db", self.token) as api:
            yield api


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    state_file = tmp_path_factory.mktemp("prepared") / "state.db"
    with opened(state_file) as api:
        answer = api.put("/v1/pool", json=pool())
        assert answer.status_code == 200, answer.text
        with api.store.write() as tx:
            for host in tx.hosts():
                assert isinstance(host.health, Cleaning)
                tx.save_host(replace(host, health=host.health.cleaned(NOW)))
            tx.put_image(TINY)
    return Prepared(state_file, api.operator_token)


@pytest.fixture
def api(prepared: Prepared, tmp_path: Path) -> Iterator[Api]:
    """A prepared state of the test's own."""
    with prepared.copied(tmp_path) as api:
        yield api


@pytest.fixture(scope="module")
def untouched_api(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A prepared state that several tests share, each of which finds that it changed nothing."""
    with prepared.copied(tmp_path_factory.mktemp("untouched")) as api:
        yield api


TINY = Image(
    id=ImageId("tiny"),
    name="tiny",
    version="1",
    format=ImageFormat.RAW,
    sha256="0" * 64,
    size_bytes=1,
    virtual_size=GiB(1),
    location="/srv/images/tiny.img",
    provenance="made for a test",
    added_at=NOW,
)


def problem_of(answer: httpx.Response, status: int, type: str) -> dict[str, Any]:
    """The problem document of an answer, checked for its shape (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert set(document) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "request_id",
        "fields",
    }
    assert document["type"] == f"urn:yui:problem:{type}", document
    assert answer.status_code == document["status"] == status, document
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == httpx.URL(answer.request.url).path
    assert document["request_id"] == answer.headers["x-request-id"]
    return document
