"""A member's cloud as its tools meet it: a control plane on a real socket, with simulated hosts."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openstack
from openstack.connection import Connection

from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.listening import Listening
from control_plane.http.serve import serve
from control_plane.model.membership import ApprovalRule
from control_plane.model.units import Seconds
from control_plane.reconcile import Controller
from control_plane.store import Store
from images.capturing import Capturer
from images.uploads import UploadFolder
from tenants.register import MemberRegister
from tests.api.capacity import may_have_much
from tests.api.conftest import MEMBERS, MIKASA, QUICKLY, UJI, Prepared, standard_catalogue
from tests.plain_http import ask as plainly

REGION = "hokkaido"
"""Which serves 三笠市; 宇治市 has kyoto."""


@dataclass
class Account:
    """A service account of a member's, with a token."""

    member: str
    name: str
    token: str


@dataclass
class Cloud:
    port: int
    operator_token: str
    store: Store
    world: SimulatedWorld
    folder: Path
    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}/openstack/identity/v3"

    def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        """Over `/v1`, as the operator or with that token."""
        headers = {"Authorization": f"Bearer {token or self.operator_token}"}
        headers |= more.pop("headers", {})
        return plainly(method, self.url + path, headers=headers, timeout=60, **more)

    def account(self, member: str = MIKASA, role: str = "member-admin") -> Account:
        """Always the same one for a member and role."""
        key = f"{member} {role}"
        if key not in self.accounts:
            name = f"vendor-{role}"
            made = self.ask(
                "POST",
                "/v1/service-accounts",
                json={"name": name, "role": role, "tenant": member},
            )
            assert made.status_code == 201, made.text
            path = f"/v1/service-accounts/{made.json()['id']}/tokens"
            token = self.ask("POST", path, json={"label": "tools"})
            assert token.status_code == 201, token.text
            self.accounts[key] = Account(member, name, token.json()["token"])
        return self.accounts[key]

    def session(self, member: str = MIKASA, role: str = "member-admin") -> str:
        """An OpenStack token of that member's account."""
        return str(self.sign_in(self.account(member, role)).headers["x-subject-token"])

    def sign_in(self, account: Account) -> httpx.Response:
        user = {"name": account.name, "domain": {"id": "default"}, "password": account.token}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = plainly(
            "POST",
            f"{self.auth_url}/auth/tokens",
            json={"auth": {"identity": identity}},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        return answer

    def connection(
        self, member: str = MIKASA, role: str = "member-admin", region: str = REGION
    ) -> Connection:
        """Unmodified openstacksdk, as a vendor would have it."""
        account = self.account(member, role)
        return openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            app_name="vendor",
            auth_type="password",
            auth={
                "auth_url": self.auth_url,
                "username": account.name,
                "password": account.token,
                "project_name": member,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name=region,
        )

    def environment(self, member: str = MIKASA, role: str = "member-admin") -> dict[str, str]:
        """For `openstack` and for Ansible's modules."""
        account = self.account(member, role)
        return {
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": account.name,
            "OS_PASSWORD": account.token,
            "OS_PROJECT_NAME": member,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_REGION_NAME": REGION,
            "OS_IDENTITY_API_VERSION": "3",
        }

    def until(self, met: Callable[[], bool], patience: float = 60) -> None:
        ends = time.monotonic() + patience
        while not met():
            assert time.monotonic() < ends
            time.sleep(0.02)


@contextlib.contextmanager
def running_cloud(prepared: Prepared, folder: Path) -> Iterator[Cloud]:
    """Two regions of three simulated hosts; 三笠市 and 宇治市 are members with a lot of quota. The
    reconciler works all the time, and the World's clock runs fast."""
    state_file = folder / "state.db"
    shutil.copy(prepared.state_file, state_file)
    store = Store.open(f"sqlite:///{state_file}")
    world = SimulatedWorld()
    (folder / "images").mkdir()
    options = Options(
        catalogue=standard_catalogue(),
        register=MemberRegister({member.code: member for member in MEMBERS}),
        look_every=Seconds(0.02),
        exports=folder / "exports",
        images=folder / "images",
        token_cost=QUICKLY,
        approval=ApprovalRule.ONE_PERSON,
    )
    stop, ready = threading.Event(), threading.Event()

    def reconcile(ending: threading.Event) -> None:
        controller = Controller(store, world, "test")
        capturer = Capturer(store, world, UploadFolder(folder / "images"), "test")
        while not ending.wait(0.05):
            controller.tick()
            capturer.tick()
            world.virtual_clock.sleep(2.0)

    with contextlib.ExitStack() as ending:
        ending.callback(store.close)
        listening = Listening(port=0, plain_http=True)
        bound = listening.bind()
        server = threading.Thread(
            target=serve,
            args=(create_app(store, world, options), listening, (reconcile,)),
            kwargs={"bound": bound, "stop": stop, "ready": ready.set},
        )
        server.start()
        ending.callback(server.join, 60)
        ending.callback(stop.set)
        assert ready.wait(60)
        cloud = Cloud(bound.getsockname()[1], prepared.token, store, world, folder)
        for member in (MIKASA, UJI):
            blueprints = {"code": member, "blueprints": ["library"]}
            joined = cloud.ask("POST", "/v1/members", json=blueprints)
            assert joined.status_code == 202, joined.text
            may_have_much(cloud, member)  # type: ignore[arg-type]
        yield cloud
