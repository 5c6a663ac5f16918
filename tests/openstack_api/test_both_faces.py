"""The same changes through either face leave the same trail, and readers may the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.model.access import PERMISSIONS, Role
from tenants.openstack_api.compute.action_routes import ACTIONS
from tests.api.conftest import MIKASA
from tests.api.test_keypairs import ED25519
from tests.images import disks
from tests.images.guest import need
from tests.openstack_api.cloud import REGION, Cloud

SYSTEM = f"m{MIKASA}-library"
NOVA, NEUTRON, CINDER = "compute/v2.1", "network/v2.0", f"volume/v3/{MIKASA}"
GLANCE, KEYSTONE = "image/v2", "/openstack/identity/v3"


class Both:
    """One account at both faces, over one connection."""

    def __init__(self, cloud: Cloud, role: str = "member-admin") -> None:
        account = cloud.account(role=role)
        signed_in = cloud.sign_in(account)
        self.token = account.token
        self.session = signed_in.headers["x-subject-token"]
        self.user = signed_in.json()["token"]["user"]["id"]
        self.client = httpx.Client(base_url=cloud.url, timeout=60)

    def v1(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.client.request(method, f"/v1/{path}", headers=headers, **_told(body))
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def tools(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.sent(method, path, body)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def sent(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"X-Auth-Token": self.session, "OpenStack-API-Version": "compute 2.79"}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        elif method == "PATCH":
            headers["Content-Type"] = "application/openstack-images-v2.1-json-patch"
        url = path if path.startswith("/") else f"/openstack/regions/{REGION}/{path}"
        return self.client.request(method, url, headers=headers, **_told(body))

    def newest_entry(self) -> int:
        return int(self.v1("GET", "audit?newest=true&limit=1")["items"][0]["sequence"])

    def entries(self, after: int, last: int) -> list[tuple[str, str, str, list[str]]]:
        """What was done, to what kind of thing, how it ended, and what more is told."""
        items = self.v1("GET", f"audit?after={after}&limit=200")["items"]
        return [
            (
                each["action"],
                each["subject"].partition(":")[0],
                each["outcome"],
                sorted(each["fields"]),
            )
            for each in items
            if each["sequence"] <= last
        ]


def _told(body: Any) -> dict[str, Any]:
    """Bytes as they are, anything else as JSON."""
    return {"content": body} if isinstance(body, bytes) else {"json": body}


@pytest.fixture(scope="module")
def both(cloud: Cloud) -> Iterator[Both]:
    both = Both(cloud)
    with both.client:
        yield both


def until_active(cloud: Cloud, both: Both, server: str) -> None:
    cloud.until(lambda: both.v1("GET", f"servers/{server}")["status"] == "active")


def by_v1(cloud: Cloud, both: Both) -> None:
    key = both.v1("POST", "keypairs", {"name": "k1", "public_key": ED25519})["id"]
    both.v1("DELETE", f"keypairs/{key}")
    issued = both.v1("POST", f"service-accounts/{both.user}/tokens", {"label": "t1"})["id"]
    both.v1("DELETE", f"tokens/{issued}")
    network = both.v1("POST", "networks", {"zone": "lgwan"})["id"]
    both.v1("PATCH", f"networks/{network}", {"name": "n1"})
    both.v1("DELETE", f"networks/{network}")
    apart = both.v1("POST", "server-groups", {"name": "g1"})["id"]
    both.v1("DELETE", f"server-groups/{apart}")
    group = both.v1("POST", "security-groups", {"name": "s1", "rules": []})["id"]
    both.v1("PUT", f"security-groups/{group}", {"description": "new", "rules": []})
    both.v1("POST", "volumes", {"name": "v1", "size_gib": 1})
    (volume,) = (v["id"] for v in both.v1("GET", "volumes")["items"] if v["name"] == "v1")
    wanted = {"name": "one", "system": SYSTEM, "flavor": "m1.small", "image": "tiny"}
    both.v1("POST", "servers", {"servers": [wanted]})
    until_active(cloud, both, "one")
    server = both.v1("GET", "servers/one")["id"]
    both.v1("PATCH", f"servers/{server}/notes", {"labels": {"a": "b"}})
    both.v1("POST", f"servers/{server}/rename", {"name": "uno"})
    default = f"m{MIKASA}-default"
    both.v1("PUT", f"servers/{server}/security-groups", {"groups": [default, group]})
    both.v1("PUT", f"servers/{server}/security-groups", {"groups": [default]})
    both.v1("POST", f"servers/{server}/volumes", {"volume": volume})
    cloud.until(lambda: both.v1("GET", f"volumes/{volume}")["status"] == "in-use")
    both.v1("DELETE", f"servers/{server}/volumes/{volume}")
    both.v1("PATCH", f"servers/{server}", {"protected": True})
    both.v1("PATCH", f"servers/{server}", {"protected": False})
    both.v1("POST", f"servers/{server}/stop")
    cloud.until(lambda: both.v1("GET", f"servers/{server}")["status"] == "stopped")
    both.v1("POST", f"servers/{server}/start")
    until_active(cloud, both, server)
    both.v1("POST", f"servers/{server}/reboot", {"hard": True})
    until_active(cloud, both, server)
    both.v1("POST", f"servers/{server}/rebuild", {"image": "tiny"})
    until_active(cloud, both, server)
    for then in ("revert", "confirm"):
        both.v1("POST", f"servers/{server}/resize", {"flavor": "m1.medium", "to_confirm": True})
        until_active(cloud, both, server)
        both.v1("POST", f"servers/{server}/resize/{then}")
        until_active(cloud, both, server)
    both.v1("POST", f"servers/{server}/shelve")
    cloud.until(lambda: both.v1("GET", f"servers/{server}")["status"] == "shelved")
    both.v1("POST", f"servers/{server}/unshelve")
    until_active(cloud, both, server)
    both.v1("DELETE", f"servers/{server}")
    both.v1("DELETE", f"volumes/{volume}")
    both.v1("DELETE", f"security-groups/{group}")


def by_tools(cloud: Cloud, both: Both) -> None:
    both.tools("POST", f"{NOVA}/os-keypairs", {"keypair": {"name": "k2", "public_key": ED25519}})
    both.tools("DELETE", f"{NOVA}/os-keypairs/k2")
    at = f"{KEYSTONE}/users/{both.user}/application_credentials"
    told = both.tools("POST", at, {"application_credential": {"name": "t2"}})
    both.tools("DELETE", f"{at}/{told['application_credential']['id']}")
    made = both.tools("POST", f"{NEUTRON}/networks", {"network": {"name": "lgwan"}})
    network = f"{NEUTRON}/networks/{made['network']['id']}"
    both.tools("PUT", network, {"network": {"name": "n2"}})
    both.tools("DELETE", network)
    apart = {"server_group": {"name": "g2", "policy": "anti-affinity"}}
    made = both.tools("POST", f"{NOVA}/os-server-groups", apart)["server_group"]["id"]
    both.tools("DELETE", f"{NOVA}/os-server-groups/{made}")
    named = {"security_group": {"name": "s2"}}
    group = both.tools("POST", f"{NEUTRON}/security-groups", named)["security_group"]["id"]
    described = {"security_group": {"description": "new"}}
    both.tools("PUT", f"{NEUTRON}/security-groups/{group}", described)
    sized = {"volume": {"name": "v2", "size": 1}}
    volume = both.tools("POST", f"{CINDER}/volumes", sized)["volume"]["id"]
    wanted = {"name": "two", "flavorRef": "m1.small", "imageRef": "tiny", "networks": "auto"}
    of = {"metadata": {"yui:system": SYSTEM}}
    server = both.tools("POST", f"{NOVA}/servers", {"server": wanted | of})["server"]["id"]
    until_active(cloud, both, server)
    at = f"{NOVA}/servers/{server}"
    both.tools("POST", f"{at}/metadata", {"metadata": {"a": "b"}})
    both.tools("PUT", at, {"server": {"name": "due"}})
    both.tools("POST", f"{at}/action", {"addSecurityGroup": {"name": "s2"}})
    both.tools("POST", f"{at}/action", {"removeSecurityGroup": {"name": "s2"}})
    attached = {"volumeAttachment": {"volumeId": volume}}
    both.tools("POST", f"{at}/os-volume_attachments", attached)
    cloud.until(
        lambda: both.tools("GET", f"{CINDER}/volumes/{volume}")["volume"]["status"] == "in-use"
    )
    both.tools("DELETE", f"{at}/os-volume_attachments/{volume}")
    for action, then in (
        ({"lock": None}, None),
        ({"unlock": None}, None),
        ({"os-stop": None}, "SHUTOFF"),
        ({"os-start": None}, "ACTIVE"),
        ({"reboot": {"type": "HARD"}}, "ACTIVE"),
        ({"rebuild": {"imageRef": "tiny"}}, "ACTIVE"),
        ({"resize": {"flavorRef": "m1.medium"}}, "VERIFY_RESIZE"),
        ({"revertResize": None}, "ACTIVE"),
        ({"resize": {"flavorRef": "m1.medium"}}, "VERIFY_RESIZE"),
        ({"confirmResize": None}, "ACTIVE"),
        ({"shelve": None}, "SHELVED_OFFLOADED"),
        ({"unshelve": None}, "ACTIVE"),
    ):
        both.tools("POST", f"{at}/action", action)
        cloud.until(
            lambda then=then: then in (None, both.tools("GET", at)["server"]["status"])  # type: ignore[misc]
        )
    both.tools("DELETE", at)
    both.tools("DELETE", f"{CINDER}/volumes/{volume}")
    both.tools("DELETE", f"{NEUTRON}/security-groups/{group}")


@pytest.mark.long
def test_the_audit_trail_is_the_same_through_either_face(cloud: Cloud, both: Both) -> None:
    before = both.newest_entry()
    by_v1(cloud, both)
    between = both.newest_entry()
    by_tools(cloud, both)
    by_others = both.entries(between, both.newest_entry())
    assert by_others == both.entries(before, between)
    assert len(by_others) >= 34
    assert {outcome for _, _, outcome, _ in by_others} == {"done"}


@pytest.mark.long
def test_an_image_leaves_the_same_trail_through_either_face(both: Both, tmp_path: Path) -> None:
    need("qemu-img", "sfdisk")
    raw = disks.partitioned(tmp_path / "office.raw", disks.ACTIVE_MBR)
    content = disks.as_qcow2(raw).read_bytes()
    before = both.newest_entry()
    wanted = {"name": "office-1", "version": "1", "provenance": "The vendor's own build."}
    upload = both.v1("POST", "images/uploads", wanted)["id"]
    both.v1("PUT", f"images/uploads/{upload}?offset=0", content)
    image = both.v1("POST", f"images/uploads/{upload}/complete", {"declares": disks.DECLARES})["id"]
    both.v1("PUT", f"images/{image}/description", {"name": "office", "properties": {}})
    both.v1("DELETE", f"images/{image}")
    between = both.newest_entry()
    declares = {"yui_declares": "virtio cloud-init serial-console no-host-pinning"}
    named = {"name": "office-2", "disk_format": "qcow2", "container_format": "bare"}
    image = both.tools("POST", f"{GLANCE}/images", named | declares)["id"]
    both.tools("PUT", f"{GLANCE}/images/{image}/file", content)
    renamed = [{"op": "replace", "path": "/name", "value": "office"}]
    both.tools("PATCH", f"{GLANCE}/images/{image}", renamed)
    both.tools("DELETE", f"{GLANCE}/images/{image}")
    by_others = both.entries(between, both.newest_entry())
    assert by_others == both.entries(before, between)
    assert [action for action, *_ in by_others] == [
        "image.upload",
        "image.add",
        "image.describe",
        "image.delete",
    ]


def test_who_only_looks_starts_and_stops_may_do_no_more_here(cloud: Cloud, both: Both) -> None:

    def there() -> dict[str, str]:
        """Servers by name; those of another test go in their own time."""
        items = both.v1("GET", f"servers?system={SYSTEM}")["items"]
        return {each["name"]: each["id"] for each in items}

    cloud.until(lambda: not {"uno", "due"} & there().keys())
    server = min(there().values())
    until_active(cloud, both, server)
    reader = Both(cloud, "member-user")
    with reader.client:
        for path in (
            f"{NOVA}/servers/detail",
            f"{NOVA}/flavors/detail",
            f"{NOVA}/os-keypairs",
            f"{NEUTRON}/networks",
            f"{NEUTRON}/security-groups",
            f"{CINDER}/volumes/detail",
            "image/v2/images",
        ):
            cloud.until(lambda at=path: reader.tools("GET", at) == both.tools("GET", at))  # type: ignore[misc]
        for name, action in ACTIONS.items():
            if action.permission not in PERMISSIONS[Role.MEMBER_USER]:
                refused = reader.sent("POST", f"{NOVA}/servers/{server}/action", {name: None})
                assert refused.status_code == 403, (name, refused.text)
                assert refused.headers["yui-problem"] == "permission-missing", name
        assert both.v1("GET", f"servers/{server}")["status"] == "active"
        for action, then in (({"os-stop": None}, "SHUTOFF"), ({"os-start": None}, "ACTIVE")):
            reader.tools("POST", f"{NOVA}/servers/{server}/action", action)
            cloud.until(
                lambda then=then: (  # type: ignore[misc]
                    reader.tools("GET", f"{NOVA}/servers/{server}")["server"]["status"] == then
                )
            )
