"""Unmodified tools of OpenStack's live a member's whole life on real hosts: the SDK, the commands of the
vendors' guide, and Ansible's modules."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import httpx
import openstack
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openstack.connection import Connection
from openstack.exceptions import ForbiddenException

from control_plane.cli.client import Api
from deploy.local import LocalSite, why_no_local_hosts
from deploy.local.cloud import LocalCloud
from tests.images.conftest import KEPT

pytestmark = pytest.mark.hypervisor

MIKASA, FUKAGAWA = "012220", "012289"
CHECKOUT = Path(__file__).parents[2]
MEMBERS = CHECKOUT / "examples" / "trial" / "members.csv"
SITE = LocalSite("hokkaido", "hokkaido", "北海道データセンター", "北海道", ("北海道",))
PATIENCE_S = 240
MUCH = {"vcpus": 6, "memory_mib": 2048, "disk_gib": 40}
NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


@dataclass
class Town:
    """A pool of two real hosts with two members, for each of whom there is a service account."""

    cloud: LocalCloud
    folder: Path
    tokens: dict[str, str]
    image: Path

    @property
    def auth(self) -> dict[str, str]:
        id = self.tokens[MIKASA].split("_")[1]
        return {
            "auth_url": f"{self.cloud.url}/openstack/identity/v3",
            "application_credential_id": id,
            "application_credential_secret": self.tokens[MIKASA],
        }

    def connect(self, member: str = MIKASA) -> Connection:
        return openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_type="password",
            auth={
                "auth_url": self.auth["auth_url"],
                "username": "vendor",
                "password": self.tokens[member],
                "project_name": member,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
            region_name="hokkaido",
        )

    @property
    def environment(self) -> dict[str, str]:
        """With the clouds.yaml of the guide, and the tools that stand beside this Python."""
        described = {"auth_type": "v3applicationcredential", "region_name": "hokkaido"}
        clouds = {"clouds": {"town": {**described, "auth": self.auth}}}
        file = self.folder / "clouds.yaml"
        file.write_text(yaml.safe_dump(clouds), encoding="utf-8")
        file.chmod(0o600)
        beside = Path(sys.executable).parent
        return {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{beside}:{os.environ['PATH']}",
            "OS_CLIENT_CONFIG_FILE": str(file),
            "OS_CLOUD": "town",
        }


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    why = why_no_local_hosts()
    if why is not None:
        pytest.skip(why.en)
    folder = tmp_path_factory.mktemp("tools")
    cloud = LocalCloud.create(
        folder / "cloud", MEMBERS, images=KEPT, sites=(SITE,), hosts_per_site=2
    )
    operator, approver = cloud.api(), cloud.approver()
    try:
        until(lambda: {host["health"] for host in operator.every("/v1/hosts")} == {"up"})
        tokens = {code: _member(operator, approver, code) for code in (MIKASA, FUKAGAWA)}
        (image,) = KEPT.glob("tiny-*.qcow2")
        (folder / "vendor").mkdir()
        yield Town(cloud, folder / "vendor", tokens, image)
    finally:
        operator.close()
        approver.close()
        cloud.destroy()


def _member(operator: Api, approver: Api, code: str) -> str:
    """Lets it in with a lot of quota; the token of its vendor's account."""
    operator.post("/v1/members", {"code": code, "blueprints": ["facility-booking"]})
    approver.post(f"/v1/members/{code}/approve")
    approver.put(f"/v1/members/{code}/quota", {"guaranteed": NOTHING, "quota": MUCH})
    wanted = {"name": "vendor", "role": "member-admin", "tenant": code}
    account = operator.post("/v1/service-accounts", wanted)["id"]
    issued = operator.post(f"/v1/service-accounts/{account}/tokens", {"label": "tools"})
    return str(issued["token"])


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


def test_the_sdk_lives_a_members_whole_life(town: Town) -> None:
    mine, other = town.connect(), town.connect(FUKAGAWA)
    assert mine.current_project_id == MIKASA
    image = mine.create_image(
        "portal",
        filename=str(town.image),
        disk_format="qcow2",
        container_format="bare",
        wait=True,
        timeout=PATIENCE_S,
    )
    assert image.status == "active"
    network = mine.network.create_network(name="lgwan")
    group = mine.network.create_security_group(name="web", description="the portal")
    mine.network.create_security_group_rule(
        security_group_id=group.id,
        direction="ingress",
        protocol="tcp",
        port_range_min=80,
        port_range_max=80,
        remote_ip_prefix="0.0.0.0/0",
    )
    key = Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    mine.compute.create_keypair(name="vendor", public_key=f"{text} vendor")
    server = mine.create_server(
        "portal",
        image=image.id,
        flavor="m1.small",
        network=network.id,
        security_groups=["web"],
        key_name="vendor",
        userdata="#cloud-config\n# yui-listen 8080\n",
        auto_ip=False,
        wait=True,
        timeout=PATIENCE_S,
    )
    assert server.status == "ACTIVE"
    (addresses,) = server.addresses.values()
    address = addresses[0]["addr"]
    until(lambda: answers(address))
    until(lambda: answers(address, 8080))
    said = httpx.post(f"http://{address}/records", content="kept", timeout=5, trust_env=False)
    assert said.status_code == 201
    console = mine.compute.get_server_console_output(server.id)["output"]
    assert "HTTP answers" in console

    volume = mine.create_volume(1, name="documents", wait=True, timeout=PATIENCE_S)
    mine.attach_volume(server, volume, wait=True, timeout=PATIENCE_S)
    (attached,) = mine.compute.volume_attachments(server.id)
    assert attached.volume_id == volume.id
    mine.detach_volume(server, volume, wait=True, timeout=PATIENCE_S)

    larger = mine.compute.find_flavor("m1.large", ignore_missing=False)
    mine.compute.resize_server(server.id, larger.id)
    server = mine.compute.wait_for_server(server, status="VERIFY_RESIZE", wait=PATIENCE_S)
    mine.compute.confirm_server_resize(server.id)
    server = mine.compute.wait_for_server(server, status="ACTIVE", wait=PATIENCE_S)
    assert server.flavor["original_name"] == "m1.large"

    mine.compute.stop_server(server.id)
    mine.compute.wait_for_server(server, status="SHUTOFF", wait=PATIENCE_S)
    saved = mine.create_image_snapshot("portal-saved", server, wait=True, timeout=PATIENCE_S)
    assert saved.status == "active"
    mine.compute.start_server(server.id)
    mine.compute.wait_for_server(server, status="ACTIVE", wait=PATIENCE_S)
    mine.compute.reboot_server(server.id, "HARD")
    until(lambda: answers(address))
    kept = httpx.get(f"http://{address}/records", timeout=5, trust_env=False).json()["records"]
    assert kept == ["kept"]

    with pytest.raises(ForbiddenException, match="quota"):
        mine.create_server(
            "many",
            image=image.id,
            flavor="m1.small",
            network=network.id,
            min_count=50,
            auto_ip=False,
        )
    assert other.get_server(server.id) is None
    assert other.get_image(image.id) is None
    assert server.id not in {each.id for each in other.compute.servers()}

    assert mine.delete_server(server.id, wait=True, timeout=PATIENCE_S)
    assert mine.delete_volume(volume.id, wait=True, timeout=PATIENCE_S)
    assert mine.delete_image(saved.id, wait=True, timeout=PATIENCE_S)
    assert mine.delete_image(image.id, wait=True, timeout=PATIENCE_S)
    mine.compute.delete_keypair("vendor")
    mine.network.delete_security_group(group.id)
    assert [each.name for each in mine.compute.servers() if each.name == "portal"] == []


def test_the_commands_of_the_guide_do_what_it_says(town: Town) -> None:
    guide = (CHECKOUT / "docs" / "openstack.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ {4,7}(openstack .*)$", guide, re.MULTILINE)
    assert len(commands) > 15
    japanese = (CHECKOUT / "docs" / "openstack.ja.md").read_text(encoding="utf-8")
    assert re.findall(r"^ {4,7}(openstack .*)$", japanese, re.MULTILINE) == commands
    (town.folder / "portal.qcow2").write_bytes(town.image.read_bytes())
    (town.folder / "user-data.yaml").write_text("#cloud-config\n{}\n")
    key = Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (town.folder / "id_ed25519.pub").write_text(f"{text} vendor\n")
    for command in commands:
        ended = subprocess.run(
            shlex.split(command),
            cwd=town.folder,
            env=town.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
    left = subprocess.run(
        ["openstack", "server", "list", "--name", "^portal$", "-f", "value", "-c", "Name"],
        cwd=town.folder,
        env=town.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert left.stdout.strip() == ""


def test_a_playbook_makes_it_so_once_and_takes_it_away(town: Town) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def play(name: str) -> dict[str, int]:
        """How many tasks ended how."""
        private = town.folder / "runner"
        private.mkdir(exist_ok=True)
        ran = ansible_runner.run(
            private_data_dir=str(private),
            playbook=str(CHECKOUT / "examples" / "openstack" / "ansible" / name),
            inventory="localhost ansible_connection=local",
            extravars={
                "image": "tiny",
                "public_key": f"{text} vendor",
                "ansible_python_interpreter": sys.executable,
            },
            envvars={**town.environment, "ANSIBLE_NOCOLOR": "1"},
            quiet=True,
        )
        said = ran.stdout.read()
        assert ran.status == "successful", said
        return {how: sum(ran.stats[how].values()) for how in ("ok", "changed", "failures")}

    made = play("town.yml")
    assert made["changed"] >= 6
    (server,) = (s for s in town.connect().compute.servers() if s.name == "portal")
    (addresses,) = server.addresses.values()
    until(lambda: answers(addresses[0]["addr"]))
    assert play("town.yml")["changed"] == 0
    play("gone.yml")
    assert not [s for s in town.connect().compute.servers() if s.name == "portal"]
