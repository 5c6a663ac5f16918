"""Unmodified tools of OpenStack's live a member's whole life on real hosts: the SDK, the commands of the
vendors' guide, and Ansible's modules. They live side by side, each for a member of its own."""

from __future__ import annotations

import re
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
from tests.local.one_site import PATIENCE_S, until
from tests.local.vendors import (
    ASKED_PORT,
    CHECKOUT,
    EXAMPLES,
    Vendor,
    answers,
    public_key,
    vendors_of,
)

pytestmark = [pytest.mark.hypervisor, pytest.mark.timeout(900)]

BY_SDK, BY_COMMANDS, BY_PLAYBOOK = "012220", "012289", "012319"
MEMBERS = {BY_SDK: "facility-booking", BY_COMMANDS: "groupware", BY_PLAYBOOK: "facility-booking"}
"""With their systems of before: groupware has brought its member the network of the zone lgwan that the
guide is about, the others make it."""


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    why = why_no_local_hosts()
    if why is not None:
        pytest.skip(why.en)
    folder = tmp_path_factory.mktemp("tools")
    with (
        vendors_of(MEMBERS, folder) as vendors,
        ThreadPoolExecutor() as side_by_side,
    ):
        yield {
            BY_SDK: side_by_side.submit(lives_by_the_sdk, vendors[BY_SDK], vendors[BY_COMMANDS]),
            BY_COMMANDS: side_by_side.submit(
                lives_by_commands, vendors[BY_COMMANDS], vendors[BY_PLAYBOOK]
            ),
            BY_PLAYBOOK: side_by_side.submit(
                lives_by_playbook, vendors[BY_PLAYBOOK], vendors[BY_COMMANDS]
            ),
        }


def test_the_sdk_lives_a_members_whole_life(lives: dict[str, Future[None]]) -> None:
    lives[BY_SDK].result()


def test_the_commands_of_the_guide_do_what_it_says(lives: dict[str, Future[None]]) -> None:
    lives[BY_COMMANDS].result()


def test_playbooks_make_it_so_once_look_after_it_and_take_it_away(
    lives: dict[str, Future[None]],
) -> None:
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
    server, group = _made_by_the_sdk(mine, image, vendor.office)
    (addresses,) = server.addresses.values()
    address = addresses[0]["addr"]
    # The port that its user data asks for: it was read at the first start.
    until(lambda: answers(address, ASKED_PORT))
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


def _made_by_the_sdk(mine: Connection, image: Any, office: str) -> tuple[Any, Any]:
    """The server and its security group."""
    network = mine.network.create_network(name="lgwan")
    group = mine.network.create_security_group(name="web", description="the portal")
    for port in (80, ASKED_PORT):
        mine.network.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            protocol="tcp",
            port_range_min=port,
            port_range_max=port,
            remote_ip_prefix=office,
        )
    mine.compute.create_keypair(name="vendor", public_key=public_key())
    server = mine.create_server(
        "portal",
        image=image.id,
        flavor="m1.small",
        network=network.id,
        security_groups=["web"],
        key_name="vendor",
        userdata=f"#cloud-config\n# yui-listen {ASKED_PORT}\n",
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


def lives_by_commands(vendor: Vendor, foreigner: Vendor) -> None:
    """As the guide has them, in both languages."""
    commands, japanese = (_commands_in(name) for name in ("openstack.md", "openstack.ja.md"))
    assert len(commands) > 30
    assert japanese == commands
    for command in commands:
        said = _typed(vendor, command)
        if command == "openstack network list":
            assert " lgwan " in said
        elif "network create" in command:
            _without_a_network(vendor, command)
        elif command.startswith("openstack console log show"):
            _has_begun(vendor, command)
            _is_refused(vendor, foreigner)
        elif (then := _COMES_TO.get(command)) is not None:
            shown = "openstack server show portal -f value -c status -c OS-EXT-STS:task_state"
            until(lambda then=then, shown=shown: _typed(vendor, shown).split() == ["None", then])  # type: ignore[misc]
    assert "portal" not in _typed(vendor, "openstack server list -f value -c Name").split()


_COMES_TO = {"openstack server stop portal": "SHUTOFF", "openstack server start portal": "ACTIVE"}
"""What answers before it is so."""


def _commands_in(guide: str) -> list[str]:
    text = (CHECKOUT / "docs" / guide).read_text(encoding="utf-8")
    return re.findall(r"^ {4,7}(openstack .*)$", text, re.MULTILINE)


def _without_a_network(vendor: Vendor, command: str) -> None:
    """The same makes the network of a zone in which the member has nothing yet."""
    _typed(vendor, command.replace("lgwan", "mynumber"))
    assert " mynumber " in _typed(vendor, "openstack network list")
    _typed(vendor, "openstack network delete mynumber")


def _has_begun(vendor: Vendor, command: str) -> None:
    shown = _typed(vendor, "openstack server show portal -f value -c status -c addresses")
    assert "ACTIVE" in shown
    found = re.search(r"lgwan.*?([0-9]+(\.[0-9]+){3})", shown)
    assert found, shown
    address = found[1]
    until(lambda: answers(address, ASKED_PORT))
    assert f"HTTP answers on {address}" in _typed(vendor, command)


def _is_refused(vendor: Vendor, foreigner: Vendor) -> None:
    many = "openstack server create --min 50 --max 50 --image portal --flavor m1.small --network lgwan many"
    assert "quota" in _typed(vendor, many, status=1).lower()
    own = _typed(vendor, "openstack server show portal -f value -c id").strip()
    for command in ("show", "stop", "delete"):
        said = _typed(foreigner, f"openstack server {command} {own}", status=1)
        assert f"No Server found for {own}" in said, said
    assert own not in _typed(foreigner, "openstack server list")


def _typed(vendor: Vendor, command: str, status: int = 0) -> str:
    """What it says, on its way or of what went wrong."""
    ended = subprocess.run(
        ["sh", "-c", command.replace("10.20.0.0/16", vendor.office)],
        cwd=vendor.folder,
        env=vendor.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == status, (command, ended.stdout, ended.stderr)
    return ended.stderr if status else ended.stdout


def lives_by_playbook(vendor: Vendor, foreigner: Vendor) -> None:
    assert _played(vendor, "town.yml")["changed"] == 8
    (server,) = (each for each in vendor.connect().compute.servers() if each.name == "portal")
    (addresses,) = server.addresses.values()
    until(lambda: answers(addresses[0]["addr"], ASKED_PORT))
    assert _played(vendor, "town.yml")["changed"] == 0
    _played(vendor, "care.yml")
    until(lambda: answers(addresses[0]["addr"]))
    theirs = next(each.id for each in foreigner.connect().compute.servers())
    assert _played(vendor, "refused.yml", foreign_server=theirs)["changed"] == 0
    assert _played(vendor, "gone.yml")["changed"] == 6
    assert _played(vendor, "gone.yml")["changed"] == 0
    left = vendor.connect()
    assert "portal" not in {each.name for each in left.compute.servers()}
    assert not {"portal", "portal-saved"} & {each.name for each in left.image.images()}


def _played(vendor: Vendor, playbook: str, **more: str) -> dict[str, int]:
    """How many tasks ended how."""
    private = vendor.folder / "runner"
    private.mkdir(exist_ok=True)
    own = {
        "image_file": str(vendor.folder / "portal.qcow2"),
        "town_hall": vendor.office,
        "public_key": (vendor.folder / "id_ed25519.pub").read_text(encoding="utf-8").strip(),
        "user_data": (vendor.folder / "user-data.yaml").read_text(encoding="utf-8"),
        "ansible_python_interpreter": sys.executable,
    }
    ran = ansible_runner.run(
        private_data_dir=str(private),
        playbook=str(EXAMPLES / "ansible" / playbook),
        inventory="localhost ansible_connection=local",
        extravars=own | more,
        envvars={**vendor.environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
        quiet=True,
    )
    assert ran.status == "successful", ran.stdout.read()
    return {how: sum(ran.stats[how].values()) for how in ("ok", "changed", "failures")}
