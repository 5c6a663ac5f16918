"""Unmodified tools of OpenStack's live a member's whole life on real hosts: the SDK, the commands of the
vendors' guide, and Ansible's modules. They live side by side, each for a member of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ansible_runner
import httpx
import pytest
from openstack.connection import Connection
from openstack.exceptions import ForbiddenException

from deploy.local import why_no_local_hosts
from tests.local.vendors import (
    CHECKOUT,
    PATIENCE_S,
    Vendor,
    answers,
    public_key,
    until,
    vendors_of,
)

pytestmark = [pytest.mark.hypervisor, pytest.mark.timeout(600)]

BY_SDK, BY_COMMANDS, BY_PLAYBOOK = "012220", "012289", "012319"


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    why = why_no_local_hosts()
    if why is not None:
        pytest.skip(why.en)
    folder = tmp_path_factory.mktemp("tools")
    with (
        vendors_of((BY_SDK, BY_COMMANDS, BY_PLAYBOOK), folder) as vendors,
        ThreadPoolExecutor() as side_by_side,
    ):
        yield {
            BY_SDK: side_by_side.submit(lives_by_the_sdk, vendors[BY_SDK], vendors[BY_COMMANDS]),
            BY_COMMANDS: side_by_side.submit(lives_by_commands, vendors[BY_COMMANDS]),
            BY_PLAYBOOK: side_by_side.submit(lives_by_playbook, vendors[BY_PLAYBOOK]),
        }


def test_the_sdk_lives_a_members_whole_life(lives: dict[str, Future[None]]) -> None:
    lives[BY_SDK].result()


def test_the_commands_of_the_guide_do_what_it_says(lives: dict[str, Future[None]]) -> None:
    lives[BY_COMMANDS].result()


def test_a_playbook_makes_it_so_once_and_takes_it_away(lives: dict[str, Future[None]]) -> None:
    lives[BY_PLAYBOOK].result()


def lives_by_the_sdk(vendor: Vendor, foreigner: Vendor) -> None:
    mine, other = vendor.connect(), foreigner.connect()
    assert mine.current_project_id == vendor.member
    image = mine.create_image(
        "portal",
        filename=str(vendor.image),
        disk_format="qcow2",
        container_format="bare",
        yui_declares="cloud-init",
        wait=True,
        timeout=PATIENCE_S,
    )
    assert image.status == "active"
    server, group = _made_by_the_sdk(mine, image)
    (addresses,) = server.addresses.values()
    address = addresses[0]["addr"]
    # The port that its user data asks for: it was read at the first start.
    until(lambda: answers(address, 8080))
    said = httpx.post(f"http://{address}/records", content="kept", timeout=5, trust_env=False)
    assert said.status_code == 201
    assert "HTTP answers" in mine.compute.get_server_console_output(server.id)["output"]

    volume = _given_a_volume(mine, server)
    saved = _changed_by_the_sdk(mine, server)
    until(lambda: answers(address))
    assert _records(address) == ["kept"]
    again = _made_of(mine, saved)

    many = {"min_count": 50, "max_count": 50, "auto_ip": False}
    with pytest.raises(ForbiddenException, match=r"[Qq]uota"):
        mine.create_server("many", image=image.id, flavor="m1.small", network="lgwan", **many)
    assert other.get_server(server.id) is None
    assert other.get_image(image.id) is None
    assert other.get_volume(volume.id) is None
    assert server.id not in {each.id for each in other.compute.servers()}

    mine.compute.delete_server(again.id)
    assert mine.delete_server(server.id, wait=True, timeout=PATIENCE_S)
    mine.compute.wait_for_delete(again, wait=PATIENCE_S)
    assert mine.delete_volume(volume.id, wait=True, timeout=PATIENCE_S)
    assert mine.delete_image(saved.id, wait=True, timeout=PATIENCE_S)
    assert mine.delete_image(image.id, wait=True, timeout=PATIENCE_S)
    mine.compute.delete_keypair("vendor")
    mine.network.delete_security_group(group.id)
    assert not {"portal", "again"} & {each.name for each in mine.compute.servers()}


def _made_by_the_sdk(mine: Connection, image: Any) -> tuple[Any, Any]:
    """The server and its security group."""
    network = mine.network.create_network(name="lgwan")
    group = mine.network.create_security_group(name="web", description="the portal")
    for port in (80, 8080):
        mine.network.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            protocol="tcp",
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix="0.0.0.0/0",
        )
    mine.compute.create_keypair(name="vendor", public_key=public_key())
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
    return server, group


def _given_a_volume(mine: Connection, server: Any) -> Any:
    """Which it had for a while."""
    volume = mine.create_volume(1, name="documents", wait=True, timeout=PATIENCE_S)
    mine.attach_volume(server, volume, wait=True, timeout=PATIENCE_S)
    (attached,) = mine.compute.volume_attachments(server.id)
    assert attached.volume_id == volume.id
    mine.detach_volume(server, volume, wait=True, timeout=PATIENCE_S)
    return volume


def _changed_by_the_sdk(mine: Connection, server: Any) -> Any:
    """Resized, stopped, started and rebooted: the image that was made of it meanwhile."""
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
    return saved


def _made_of(mine: Connection, saved: Any) -> Any:
    """A server that has what the saved one had."""
    again = mine.create_server(
        "again",
        image=saved.id,
        flavor="m1.large",
        network="lgwan",
        security_groups=["web"],
        auto_ip=False,
        wait=True,
        timeout=PATIENCE_S,
    )
    (addresses,) = again.addresses.values()
    until(lambda: answers(addresses[0]["addr"]))
    assert _records(addresses[0]["addr"]) == ["kept"]
    return again


def _records(address: str) -> list[str]:
    got = httpx.get(f"http://{address}/records", timeout=5, trust_env=False)
    records: list[str] = got.json()["records"]
    return records


def lives_by_commands(vendor: Vendor) -> None:
    """As the guide has them, in both languages."""
    commands, japanese = (_commands_in(name) for name in ("openstack.md", "openstack.ja.md"))
    assert len(commands) > 25
    assert japanese == commands
    (vendor.folder / "portal.qcow2").symlink_to(vendor.image)
    (vendor.folder / "user-data.yaml").symlink_to(CHECKOUT / "examples/openstack/user-data.yaml")
    (vendor.folder / "id_ed25519.pub").write_text(f"{public_key()}\n")
    for command in commands:
        _typed(vendor, command)
    assert "portal" not in _typed(vendor, "openstack server list -f value -c Name").split()


def _commands_in(guide: str) -> list[str]:
    text = (CHECKOUT / "docs" / guide).read_text(encoding="utf-8")
    return re.findall(r"^ {4,7}(openstack .*)$", text, re.MULTILINE)


def _typed(vendor: Vendor, command: str) -> str:
    ended = subprocess.run(
        shlex.split(command),
        cwd=vendor.folder,
        env=vendor.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, (command, ended.stdout, ended.stderr)
    return ended.stdout


def lives_by_playbook(vendor: Vendor) -> None:
    key = public_key()
    made = _played(vendor, "town.yml", key)
    assert made["changed"] >= 6
    (server,) = (each for each in vendor.connect().compute.servers() if each.name == "portal")
    (addresses,) = server.addresses.values()
    until(lambda: answers(addresses[0]["addr"]))
    assert _played(vendor, "town.yml", key)["changed"] == 0
    _played(vendor, "gone.yml", key)
    assert "portal" not in {each.name for each in vendor.connect().compute.servers()}


def _played(vendor: Vendor, playbook: str, key: str) -> dict[str, int]:
    """How many tasks ended how."""
    private = vendor.folder / "runner"
    private.mkdir(exist_ok=True)
    ran = ansible_runner.run(
        private_data_dir=str(private),
        playbook=str(CHECKOUT / "examples" / "openstack" / "ansible" / playbook),
        inventory="localhost ansible_connection=local",
        extravars={"public_key": key, "ansible_python_interpreter": sys.executable},
        envvars={**vendor.environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
        quiet=True,
    )
    assert ran.status == "successful", ran.stdout.read()
    return {how: sum(ran.stats[how].values()) for how in ("ok", "changed", "failures")}
