"""What members' tools do with servers, key pairs, groups and volumes, through an unmodified SDK and as it is
written on the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.api.conftest import MIKASA, UJI
from tests.api.test_keypairs import ED25519, FINGERPRINT
from tests.openstack_api.cloud import REGION, Cloud

SYSTEM = f"m{MIKASA}-own-tools"


@pytest.fixture(scope="module")
def sdk(cloud: Cloud) -> Iterator[Connection]:
    with cloud.connection() as connection:
        yield connection


class Face:
    """`/v1`, over one connection."""

    def __init__(self, cloud: Cloud) -> None:
        headers = {"Authorization": f"Bearer {cloud.account().token}"}
        self.client = httpx.Client(base_url=cloud.url, headers=headers, timeout=60)

    def __call__(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.client.request(method, path, json=body)

    def server(self, id: str) -> dict[str, Any]:
        answer = self("GET", f"/v1/servers/{id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def until(self, met: Callable[[], bool]) -> None:
        ends = time.monotonic() + 60
        while not met():
            assert time.monotonic() < ends
            time.sleep(0.1)

    def until_server(self, id: str, **so: Any) -> None:
        self.until(lambda: so.items() <= self.server(id).items())


@pytest.fixture(scope="module")
def v1(cloud: Cloud) -> Iterator[Face]:
    face = Face(cloud)
    with face.client:
        yield face


@pytest.fixture(scope="module")
def made(v1: Face) -> Callable[..., str]:
    """Makes a server over `/v1` that runs, and answers its id."""
    system = {"name": "tools", "zone": "lgwan", "tier": 2}
    assert v1("POST", "/v1/systems", system).status_code == 202

    def make(name: str, **more: Any) -> str:
        asked = {"name": name, "system": SYSTEM, "flavor": "m1.small", "image": "tiny", **more}
        begun = v1("POST", "/v1/servers", {"servers": [asked]})
        assert begun.status_code == 202, begun.text
        v1.until_server(name, status="active")
        return str(v1.server(name)["id"])

    return make


@pytest.fixture(scope="module")
def nova(cloud: Cloud, v1: Face) -> Callable[..., httpx.Response]:
    """As it is on the wire, at a microversion."""
    token = cloud.session()

    def ask(
        method: str, path: str, body: Any = None, version: str | None = None, **more: Any
    ) -> Any:
        headers = {"X-Auth-Token": token} | more.pop("headers", {})
        if version is not None:
            headers["OpenStack-API-Version"] = f"compute {version}"
        url = f"{cloud.url}/openstack/regions/{REGION}/compute/v2.1{path}"
        return v1.client.request(method, url, json=body, headers=headers)

    return ask


def fault(answer: httpx.Response, status: int, name: str) -> str:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == [name]
    assert answer.json()[name]["code"] == status
    return str(answer.json()[name]["message"])


@pytest.mark.long
def test_a_key_pair_is_one_on_both_faces(v1: Face, sdk: Connection, nova: Any) -> None:
    key = sdk.compute.create_keypair(name="alice laptop", public_key=ED25519)
    assert (key.name, key.fingerprint, key.type) == ("alice laptop", FINGERPRINT, "ssh")
    assert [each.name for each in sdk.compute.keypairs()] == ["alice laptop"]
    (own,) = v1("GET", "/v1/keypairs").json()["items"]
    assert own["name"] == "alice laptop"
    with pytest.raises(exceptions.ConflictException, match="alice laptop"):
        sdk.compute.create_keypair(name="alice laptop", public_key=ED25519)
    detail = nova("GET", "/os-keypairs/alice%20laptop").json()["keypair"]
    assert detail.keys() == {
        "name", "public_key", "fingerprint", "user_id", "id", "created_at", "updated_at",
        "deleted", "deleted_at",
    }  # fmt: skip
    assert detail["user_id"] == own["made_by"]
    assert (
        nova("GET", "/os-keypairs/alice%20laptop", version="2.2").json()["keypair"]["type"] == "ssh"
    )
    assert v1("DELETE", f"/v1/keypairs/{own['id']}").status_code == 200
    with pytest.raises(exceptions.NotFoundException):
        sdk.compute.get_keypair("alice laptop")


def test_a_key_is_made_until_292_and_told_once(nova: Any) -> None:
    asked = {"keypair": {"name": "made-here"}}
    headers = {"Idempotency-Key": "one-key-please"}
    fault(nova("POST", "/os-keypairs", asked, "2.92"), 400, "badRequest")
    made = nova("POST", "/os-keypairs", asked, "2.91", headers=headers)
    assert made.status_code == 201
    assert "OPENSSH PRIVATE KEY" in made.json()["keypair"]["private_key"]
    fault(nova("POST", "/os-keypairs", asked, "2.91", headers=headers), 409, "conflictingRequest")
    x509 = {"keypair": {"name": "x", "public_key": ED25519, "type": "x509"}}
    fault(nova("POST", "/os-keypairs", x509, "2.2"), 400, "badRequest")
    unreadable = {"keypair": {"name": "x", "public_key": "ssh-rsa nonsense"}}
    fault(nova("POST", "/os-keypairs", unreadable), 400, "badRequest")
    assert nova("DELETE", "/os-keypairs/made-here").status_code == 202
    fault(nova("DELETE", "/os-keypairs/made-here", version="2.2"), 404, "itemNotFound")


def test_pages_of_key_pairs_follow_one_another(nova: Any) -> None:
    for name in ("k1", "k2", "k3"):
        nova("POST", "/os-keypairs", {"keypair": {"name": name, "public_key": ED25519}})
    first = nova("GET", "/os-keypairs?limit=2", version="2.35").json()
    assert [each["keypair"]["name"] for each in first["keypairs"]] == ["k1", "k2"]
    assert "marker=k2" in first["keypairs_links"][0]["href"]
    second = nova("GET", "/os-keypairs?limit=2&marker=k2", version="2.35").json()
    assert [each["keypair"]["name"] for each in second["keypairs"]] == ["k3"]
    assert "keypairs_links" not in second
    fault(nova("GET", "/os-keypairs?marker=none", version="2.35"), 400, "badRequest")


def test_servers_of_a_group_made_here_are_kept_apart(
    cloud: Cloud, v1: Face, sdk: Connection, nova: Any, made: Any
) -> None:
    group = sdk.compute.create_server_group(name="apart", policy="anti-affinity")
    assert (group.name, group.policy) == ("apart", "anti-affinity")
    members = sorted(
        [made("apart-a", server_group=group.id), made("apart-b", server_group="apart")]
    )
    assert sorted(sdk.compute.get_server_group(group.id).member_ids) == members
    old = nova("GET", f"/os-server-groups/{group.id}").json()["server_group"]
    assert old == {
        "id": group.id, "name": "apart", "policies": ["anti-affinity"], "metadata": {},
        "members": members,
    }  # fmt: skip
    one = nova("GET", f"/servers/{members[0]}", version="2.71").json()["server"]
    assert one["server_groups"] == [group.id]
    worded = nova("GET", f"/servers/{made('worded', anti_affinity='word')}", version="2.71")
    assert worded.json()["server"]["server_groups"] == []
    hosts = {cloud.ask("GET", f"/v1/servers/{each}").json()["host"] for each in members}
    assert len(hosts) == 2
    near = {"server_group": {"name": "near", "policy": "affinity"}}
    assert "anti-affinity" in fault(
        nova("POST", "/os-server-groups", near, "2.64"), 400, "badRequest"
    )
    fault(nova("GET", "/os-server-groups?all_projects=1"), 403, "forbidden")
    sdk.compute.delete_server_group(group.id)
    assert list(sdk.compute.server_groups()) == []
    assert v1.server(members[0])["server_group"] is None


def test_a_server_is_stopped_started_and_rebooted(
    v1: Face, sdk: Connection, nova: Any, made: Any
) -> None:
    server = made("daily")
    action = f"/servers/{server}/action"
    message = fault(nova("POST", action, {"os-start": None}), 409, "conflictingRequest")
    assert message == f"Cannot 'start' instance {server} while it is in vm_state active"
    assert nova("POST", action, {"os-stop": None}).status_code == 202
    sdk.compute.wait_for_server(sdk.compute.get_server(server), "SHUTOFF", interval=0.1)
    assert v1.server(server)["status"] == "stopped"
    fault(nova("POST", action, {"reboot": {"type": "SOFT"}}), 409, "conflictingRequest")
    sdk.compute.start_server(server)
    sdk.compute.wait_for_server(sdk.compute.get_server(server), "ACTIVE", interval=0.1)
    sdk.compute.reboot_server(server, "HARD")
    done = list(sdk.compute.server_actions(server))
    assert [each.action for each in done] == ["reboot", "start", "stop", "create"]

    whole = nova("GET", f"/servers/{server}/os-instance-actions/{done[1].request_id}").json()
    (event,) = whole["instanceAction"]["events"]
    # It stays so, though the server does not run just now.
    assert (event["event"], event["result"]) == ("yui_server_start", "Success")


def test_a_resize_is_confirmed_or_taken_back_on_either_face(
    v1: Face, sdk: Connection, nova: Any, made: Any
) -> None:
    server = made("grows")
    action = f"/servers/{server}/action"
    same = {"resize": {"flavorRef": "m1.small"}}
    fault(nova("POST", action, same), 400, "badRequest")
    fault(nova("POST", action, {"revertResize": None}), 409, "conflictingRequest")
    sdk.compute.resize_server(server, "m1.medium")
    sdk.compute.wait_for_server(sdk.compute.get_server(server), "VERIFY_RESIZE", interval=0.1)
    assert v1.server(server)["unconfirmed_resize"]["before"] == "m1.small"
    assert nova("POST", action, {"revertResize": None}).status_code == 202
    v1.until_server(server, status="active", flavor="m1.small")
    assert sdk.compute.get_server(server).status == "ACTIVE"
    # Asked for there, confirmed here.
    path = f"/v1/servers/{server}/resize"
    assert v1("POST", path, {"flavor": "m1.medium", "to_confirm": True}).status_code == 202
    sdk.compute.wait_for_server(sdk.compute.get_server(server), "VERIFY_RESIZE", interval=0.1)
    assert nova("POST", action, {"confirmResize": None}).status_code == 204
    assert v1.server(server)["unconfirmed_resize"] is None
    assert sdk.compute.get_server(server).status == "ACTIVE"


def test_a_lock_is_the_protection_that_v1_knows(v1: Face, nova: Any, made: Any) -> None:
    server = made("held")
    action = f"/servers/{server}/action"
    assert nova("POST", action, {"lock": None}).status_code == 202
    assert v1.server(server)["protected"] is True
    assert nova("GET", f"/servers/{server}", version="2.9").json()["server"]["locked"] is True
    fault(nova("POST", action, {"forceDelete": None}), 409, "conflictingRequest")
    for other in (
        {"os-stop": None},
        {"reboot": {"type": "HARD"}},
        {"resize": {"flavorRef": "m1.medium"}},
    ):
        said = fault(nova("POST", action, other), 409, "conflictingRequest")
        assert said == f"Instance {server} is locked: unlock it first."
    labels = f"/servers/{server}/metadata"
    fault(nova("POST", labels, {"metadata": {"a": "b"}}), 409, "conflictingRequest")
    volume = {"volumeAttachment": {"volumeId": "none"}}
    fault(
        nova("POST", f"/servers/{server}/os-volume_attachments", volume), 409, "conflictingRequest"
    )
    assert nova("POST", action, {"createImage": {"name": "of-a-locked-one"}}).status_code == 202
    fault(nova("POST", action, {"lock": {"locked_reason": "x"}}, "2.73"), 400, "badRequest")
    assert nova("POST", action, {"unlock": None}).status_code == 202
    assert nova("POST", action, {"forceDelete": None}).status_code == 202
    v1.until(lambda: nova("GET", f"/servers/{server}").status_code == 404)


@pytest.mark.long
def test_a_server_is_shelved_rebuilt_and_tells_its_console(
    v1: Face, sdk: Connection, nova: Any, made: Any
) -> None:
    server = made("rests")
    action = f"/servers/{server}/action"
    output = nova("POST", action, {"os-getConsoleOutput": {"length": 1}}).json()["output"]
    assert len(output.splitlines()) <= 1
    assert nova("POST", action, {"os-getConsoleOutput": {"length": None}}).json()["output"]
    assert isinstance(sdk.compute.get_server_console_output(server)["output"], str)
    rebuilt = nova("POST", action, {"rebuild": {"imageRef": "tiny", "name": "rested"}})
    assert rebuilt.status_code == 202, rebuilt.text
    assert rebuilt.json()["server"]["name"] == "rested"
    sdk.compute.wait_for_server(sdk.compute.get_server(server), "ACTIVE", interval=0.1)
    fault(nova("POST", action, {"rebuild": {"imageRef": "none"}}), 400, "badRequest")
    sdk.compute.shelve_server(server)
    v1.until_server(server, status="shelved")
    assert sdk.compute.get_server(server).status == "SHELVED_OFFLOADED"
    fault(nova("POST", action, {"os-start": None}), 409, "conflictingRequest")
    fault(nova("POST", action, {"unshelve": {"availability_zone": "x"}}), 400, "badRequest")
    sdk.compute.unshelve_server(server)
    v1.until_server(server, status="active")


def test_a_servers_disk_becomes_an_image(v1: Face, sdk: Connection, nova: Any, made: Any) -> None:
    server = made("golden")
    told = {"made": "by hand"}
    image = sdk.compute.create_server_image(server, "copy", metadata=told, wait=True)
    assert (image.status, image.name, image.properties["made"]) == ("active", "copy", "by hand")
    assert v1("GET", f"/v1/images/{image.id}").json()["properties"] == {"made": "by hand"}
    asked = {"createImage": {"name": "another"}}
    old = nova("POST", f"/servers/{server}/action", asked)
    assert (old.status_code, old.content) == (202, b"")
    assert "/image/v2/images/img-" in old.headers["location"]
    # Not before the one before is taken.
    path = f"/servers/{server}/action"
    v1.until(lambda: "image_id" in nova("POST", path, asked, "2.45").json())


@pytest.mark.long
def test_a_volume_comes_and_goes(v1: Face, sdk: Connection, nova: Any, made: Any) -> None:
    server = made("with-disk")
    wanted = {"name": "data", "size_gib": 1, "region": REGION}
    assert v1("POST", "/v1/volumes", wanted).status_code == 202
    (volume,) = v1("GET", "/v1/volumes").json()["items"]
    v1.until(lambda: status_of(v1, volume["id"]) == "available")
    attached = sdk.compute.create_volume_attachment(server, volume_id=volume["id"])
    assert (attached.volume_id, attached.server_id) == (volume["id"], server)
    v1.until(lambda: status_of(v1, volume["id"]) == "in-use")
    assert [each.volume_id for each in sdk.compute.volume_attachments(server)] == [volume["id"]]
    path = f"/servers/{server}/os-volume_attachments"
    at = {
        version: nova("GET", f"{path}/{volume['id']}", version=version).json()["volumeAttachment"]
        for version in ("2.1", "2.70", "2.79", "2.89")
    }
    plain = {"id", "serverId", "volumeId", "device"}
    assert at["2.1"].keys() == plain
    assert at["2.70"].keys() == plain | {"tag"}
    assert at["2.79"].keys() == plain | {"tag", "delete_on_termination"}
    assert at["2.89"].keys() == (
        (plain - {"id"}) | {"tag", "delete_on_termination", "attachment_id", "bdm_uuid"}
    )
    taken = {"volumeAttachment": {"volumeId": volume["id"]}}
    fault(nova("POST", f"/servers/{made('other')}/os-volume_attachments", taken), 400, "badRequest")
    fault(nova("POST", path, {"volumeAttachment": {"volumeId": "vol-none"}}), 404, "itemNotFound")
    sdk.compute.delete_volume_attachment(server, volume["id"])
    v1.until(lambda: status_of(v1, volume["id"]) == "available")
    assert nova("GET", path).json() == {"volumeAttachments": []}
    fault(nova("DELETE", f"{path}/{volume['id']}"), 404, "itemNotFound")


def status_of(v1: Face, volume: str) -> str:
    return str(v1("GET", f"/v1/volumes/{volume}").json()["status"])


def test_a_server_is_put_into_security_groups_and_taken_out(
    v1: Face, sdk: Connection, nova: Any, made: Any
) -> None:
    server = made("grouped")
    rules = [{"direction": "ingress", "protocol": "tcp", "ports": "443", "offices": True}]
    web = v1("POST", "/v1/security-groups", {"name": "web", "rules": rules})
    assert web.status_code == 201
    sdk.compute.add_security_group_to_server(server, "web")
    groups = nova("GET", f"/servers/{server}/os-security-groups").json()["security_groups"]
    assert [group["name"] for group in groups] == ["default", "web"]
    (rule,) = groups[1]["rules"]
    assert (rule["ip_protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 443, 443)
    sdk.compute.remove_security_group_from_server(server, "default")
    own = v1("GET", f"/v1/servers/{server}/security-groups").json()["groups"]
    assert own == [web.json()["id"]]
    action = f"/servers/{server}/action"
    fault(nova("POST", action, {"removeSecurityGroup": {"name": "web"}}), 400, "badRequest")
    fault(nova("POST", action, {"addSecurityGroup": {"name": "none"}}), 404, "itemNotFound")
    (card,) = sdk.compute.server_interfaces(server)
    assert card.mac_addr == v1.server(server)["mac"]
    assert v1.server(server)["address"].startswith(f"{card.fixed_ips[0]['ip_address']}/")
    fault(
        nova("POST", f"/servers/{server}/os-interface", {"interfaceAttachment": {}}),
        400,
        "badRequest",
    )


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({}, 400, "badRequest"),
        ([], 400, "badRequest"),
        ({"os-start": None, "os-stop": None}, 400, "badRequest"),
        ({"os-start": {"x": 1}}, 400, "badRequest"),
        ({"dance": None}, 400, "badRequest"),
        ({"\x00\u202e": None}, 400, "badRequest"),
        ({"reboot": {"type": "WARM"}}, 400, "badRequest"),
        ({"reboot": None}, 400, "badRequest"),
        ({"os-getConsoleOutput": {"length": "many"}}, 400, "badRequest"),
        ({"resize": {"flavorRef": 10**30}}, 400, "badRequest"),
        ({"pause": None}, 501, "notImplemented"),
        ({"rescue": {}}, 501, "notImplemented"),
        ({"migrate": None}, 403, "forbidden"),
        ({"os-migrateLive": {"host": None}}, 403, "forbidden"),
        ({"os-getVNCConsole": {"type": "novnc"}}, 400, "badRequest"),
    ],
)
def test_what_cannot_be_done_is_refused_in_novas_shape(
    nova: Any, standing: str, body: Any, status: int, name: str
) -> None:
    assert fault(nova("POST", f"/servers/{standing}/action", body), status, name)


@pytest.fixture(scope="module")
def standing(made: Any) -> str:
    return str(made("standing"))


def test_an_action_needs_its_own_permission(
    cloud: Cloud, v1: Face, nova: Any, standing: str
) -> None:
    user = {"X-Auth-Token": cloud.session(role="member-user")}
    action = f"/servers/{standing}/action"
    fault(nova("POST", action, {"lock": None}, headers=user), 403, "forbidden")
    remove = {"removeSecurityGroup": {"name": "default"}}
    fault(nova("POST", action, remove, headers=user), 403, "forbidden")
    reboot = nova("POST", action, {"reboot": {"type": "HARD"}}, headers=user)
    assert reboot.status_code == 202, reboot.text
    entries = v1("GET", "/v1/audit?limit=1000").json()["items"]
    told = {(each["action"], each["outcome"]) for each in entries}
    assert {
        ("server.protect", "permission-missing"),
        ("server.security-groups", "permission-missing"),
        ("server.reboot", "done"),
    } <= told


def test_another_members_server_is_none(cloud: Cloud, nova: Any, standing: str) -> None:
    theirs = {"X-Auth-Token": cloud.session(UJI)}
    for method, path, body in (
        ("POST", "action", {"os-stop": None}),
        ("POST", "action", {"pause": None}),
        ("GET", "os-volume_attachments", None),
        ("GET", "os-interface", None),
        ("GET", "os-security-groups", None),
        ("GET", "os-instance-actions", None),
        ("POST", "remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}),
    ):
        answer = nova(method, f"/servers/{standing}/{path}", body, "2.6", headers=theirs)
        assert answer.status_code == 404, (path, answer.text)
    remote = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    fault(nova("POST", f"/servers/{standing}/remote-consoles", remote, "2.6"), 400, "badRequest")


def test_an_action_that_is_sent_twice_is_done_once(v1: Face, nova: Any, standing: str) -> None:
    headers = {"Idempotency-Key": "stop-it-once-only"}
    action = f"/servers/{standing}/action"
    v1.until_server(standing, status="active")
    shown = f"/servers/{standing}"
    v1.until(lambda: nova("GET", shown).json()["server"]["OS-EXT-STS:task_state"] is None)
    first = nova("POST", action, {"os-stop": None}, headers=headers)
    again = nova("POST", action, {"os-stop": None}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["idempotency-replayed"] == "true"
    v1.until_server(standing, status="stopped")
