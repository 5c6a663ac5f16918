"""A pool of two real hosts with a member for each tool, who has a service account for its vendor."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openstack
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openstack.connection import Connection

from control_plane.cli.client import Api
from deploy.local import LocalSite
from deploy.local.cloud import LocalCloud
from images.build import build_tiny
from tests.images.conftest import KEPT

CHECKOUT = Path(__file__).parents[2]
MEMBERS = CHECKOUT / "examples" / "trial" / "members.csv"
SITE = LocalSite("hokkaido", "hokkaido", "北海道データセンター", "北海道", ("北海道",))
PATIENCE_S = 240
MUCH = {"vcpus": 6, "memory_mib": 2048, "disk_gib": 40}
NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


@dataclass
class Vendor:
    """Who works for a member, with a folder and a token."""

    member: str
    url: str
    token: str
    folder: Path
    image: Path

    @property
    def auth_url(self) -> str:
        return f"{self.url}/openstack/identity/v3"

    def connect(self) -> Connection:
        """With the account's name and its token as the password."""
        return openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_type="password",
            auth={
                "auth_url": self.auth_url,
                "username": "vendor",
                "password": self.token,
                "project_name": self.member,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name=SITE.region,
        )

    @property
    def environment(self) -> dict[str, str]:
        """With the clouds.yaml of the guide, and the tools that stand beside this Python."""
        auth = {
            "auth_url": self.auth_url,
            "application_credential_id": self.token.split("_")[1],
            "application_credential_secret": self.token,
        }
        described = {"auth_type": "v3applicationcredential", "region_name": SITE.region}
        file = self.folder / "clouds.yaml"
        clouds = {"clouds": {"town": {**described, "auth": auth}}}
        file.write_text(yaml.safe_dump(clouds), encoding="utf-8")
        file.chmod(0o600)
        return {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OS_CLIENT_CONFIG_FILE": str(file),
            "OS_CLOUD": "town",
        }


@contextmanager
def vendors_of(members: tuple[str, ...], folder: Path) -> Iterator[dict[str, Vendor]]:
    """Made with the pool, and gone with it. Each member has room for a few servers."""
    image = build_tiny(KEPT).path
    # A folder of its own, since members' images will stand in it.
    images = _made(folder / "images")
    for file in KEPT.glob(f"{image.stem}.*"):
        shutil.copy(file, images)
    cloud = LocalCloud.create(
        folder / "cloud", MEMBERS, images=images, sites=(SITE,), hosts_per_site=2
    )
    try:
        with closing(cloud.api()) as operator, closing(cloud.approver()) as approver:
            until(lambda: {host["health"] for host in operator.every("/v1/hosts")} == {"up"})
            tokens = {code: _let_in(operator, approver, code) for code in members}
        yield {
            code: Vendor(code, cloud.url, token, _made(folder / code), image)
            for code, token in tokens.items()
        }
    finally:
        cloud.destroy()


def until(so: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := so()):
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.5)
    return found


def answers(address: str, port: int = 80) -> bool:
    try:
        got = httpx.get(f"http://{address}:{port}/health", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return got.status_code == 200


def public_key() -> str:
    """Of a key pair that nobody has the other half of."""
    key = Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} vendor"


def _let_in(operator: Api, approver: Api, code: str) -> str:
    """The token of its vendor's account."""
    operator.post("/v1/members", {"code": code, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{code}/approve")
    approver.put(f"/v1/members/{code}/quota", {"guaranteed": NOTHING, "quota": MUCH})
    wanted = {"name": "vendor", "role": "member-admin", "tenant": code}
    account = operator.post("/v1/service-accounts", wanted)["id"]
    issued = operator.post(f"/v1/service-accounts/{account}/tokens", {"label": "tools"})
    return str(issued["token"])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
