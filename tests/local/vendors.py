"""A pool of two real hosts with a member for each tool, who has a service account for its vendor."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import openstack
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openstack.connection import Connection

from control_plane.cli.client import Api
from images.build import build_tiny
from tests.images.conftest import KEPT
from tests.local.one_site import SITE, one_site, until

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "examples" / "openstack"
ASKED_PORT = 8080
"""On which a server answers because its user data asks for it."""
MUCH = {"vcpus": 6, "memory_mib": 2048, "disk_gib": 40}
NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


@dataclass
class Vendor:
    """Who works for a member, with a home folder and a token, at an office."""

    member: str
    url: str
    token: str
    folder: Path
    image: Path
    office: str

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

    def settle(self) -> None:
        """With the files of the guide, in which every value that stands for one's own is that."""
        credential = self.token.split("_")[1]
        own = {
            "https://yui.example.jp/openstack/identity/v3": self.auth_url,
            "yui_xxxxxxxxxxxxxxxx_secret": self.token,
            "xxxxxxxxxxxxxxxx": credential,
        }
        described = self.folder / ".config" / "openstack"
        described.mkdir(parents=True)
        for name, told in {
            "clouds.yaml": (self.auth_url, credential, f"region_name: {SITE.region}\n"),
            "secure.yaml": (self.token,),
        }.items():
            text = (EXAMPLES / name).read_text(encoding="utf-8")
            for placeholder, value in own.items():
                text = text.replace(placeholder, value)
            assert all(value in text for value in told), text
            file = described / name
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600)
        (self.folder / "portal.qcow2").symlink_to(self.image)
        (self.folder / "id_ed25519.pub").write_text(f"{public_key()}\n")
        asked = (EXAMPLES / "user-data.yaml").read_text(encoding="utf-8")
        # Of user data the test guest reads such lines alone.
        (self.folder / "user-data.yaml").write_text(f"{asked}# yui-listen {ASKED_PORT}\n")

    @property
    def environment(self) -> dict[str, str]:
        """A home with the guide's files, and the tools that stand beside this Python."""
        return {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OS_CLOUD": "town",
        }


@contextmanager
def vendors_of(members: Mapping[str, str], folder: Path) -> Iterator[dict[str, Vendor]]:
    """Made with the pool, and gone with it. Each member has the system of the catalogue that `members`
    names for it, and room for a few servers."""
    image = build_tiny(KEPT).path
    # A folder of its own, since members' images will stand in it.
    images = _made(folder / "images")
    for file in KEPT.glob(f"{image.stem}.*"):
        shutil.copy(file, images)
    with one_site(folder / "cloud", images=images) as cloud:
        with closing(cloud.api()) as operator, closing(cloud.approver()) as approver:
            until(lambda: {host["health"] for host in operator.every("/v1/hosts")} == {"up"})
            tokens = {
                code: _let_in(operator, approver, code, system) for code, system in members.items()
            }
        office = f"{cloud.pool.gateway}/32"
        vendors = {
            code: Vendor(code, cloud.url, token, _made(folder / code), image, office)
            for code, token in tokens.items()
        }
        for vendor in vendors.values():
            vendor.settle()
        yield vendors


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


def _let_in(operator: Api, approver: Api, code: str, system: str) -> str:
    """The token of its vendor's account."""
    operator.post("/v1/members", {"code": code, "blueprints": [system]})
    approver.post(f"/v1/members/{code}/approve")
    approver.put(f"/v1/members/{code}/quota", {"guaranteed": NOTHING, "quota": MUCH})
    wanted = {"name": "vendor", "role": "member-admin", "tenant": code}
    account = operator.post("/v1/service-accounts", wanted)["id"]
    issued = operator.post(f"/v1/service-accounts/{account}/tokens", {"label": "tools"})
    return str(issued["token"])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
