"""The requests of Terraform's OpenStack provider for the example that this project ships: what its code
(terraform-provider-openstack 3.4, with gophercloud 2) sends for each resource, in the order of an apply and
of a destroy, and what it needs of the answers. No microversion is asked for, where not said."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import MIKASA
from tests.api.test_keypairs import ED25519
from tests.openstack_api.cloud import REGION, Cloud

NOVA, NEUTRON, GLANCE = "compute/v2.1", "network/v2.0", "image/v2"
CINDER = f"volume/v3/{MIKASA}"
EXAMPLES = Path(__file__).parents[2] / "examples" / "openstack"


class Provider:
    def __init__(self, cloud: Cloud, client: httpx.Client) -> None:
        self.client = client
        self.client.headers["X-Auth-Token"] = cloud.session()

    def asks(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        url = f"/openstack/regions/{REGION}/{path}"
        return self.client.request(method, url, json=body, headers=headers)

    def has(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.asks(method, path, body, **headers)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def makes(self, path: str, kind: str, **wanted: Any) -> Any:
        return self.has("POST", path, {kind: wanted})[kind]

    def gone(self, path: str) -> bool:
        return self.asks("GET", path).status_code == 404


@pytest.fixture(scope="module")
def provider(cloud: Cloud) -> Iterator[Provider]:
    with httpx.Client(base_url=cloud.url, timeout=60, trust_env=False) as client:
        yield Provider(cloud, client)


def test_the_image_that_an_apply_announces_is_as_it_was_asked_for(provider: Provider) -> None:
    wanted = {
        "name": "portal",
        "disk_format": "qcow2",
        "container_format": "bare",
        "protected": False,
        "visibility": "private",
        "yui_declares": "cloud-init",
    }
    made = provider.has("POST", f"{GLANCE}/images", wanted)
    assert made["status"] == "queued"
    read = provider.has("GET", f"{GLANCE}/images/{made['id']}")
    assert wanted.items() <= read.items()
    # What is there besides would be a property, and differ from what was asked for with each plan.
    usual = set(provider.has("GET", f"{GLANCE}/schemas/image")["properties"])
    assert {name for name in read if name not in usual and not name.startswith("os_")} == {
        "yui_declares"
    }
    provider.has("DELETE", f"{GLANCE}/images/{made['id']}")


@pytest.mark.long
def test_an_apply_makes_the_portal_and_a_destroy_takes_it_away(
    cloud: Cloud, provider: Provider
) -> None:
    network = provider.makes(f"{NEUTRON}/networks", "network", name="lgwan")["id"]
    assert provider.has("GET", f"{NEUTRON}/networks/{network}")["network"]["status"] == "ACTIVE"
    for query in ("name=lgwan", f"id={network}&status=ACTIVE"):
        (found,) = provider.has("GET", f"{NEUTRON}/networks?{query}")["networks"]
        assert (found["id"], found["name"]) == (network, "lgwan")
    group = _makes_the_group(provider)
    key = {"name": "vendor", "public_key": ED25519}
    assert provider.makes(f"{NOVA}/os-keypairs", "keypair", **key)["name"] == "vendor"
    server = _makes_the_server(cloud, provider, network)
    volume = provider.makes(f"{CINDER}/volumes", "volume", name="documents", size=1)["id"]
    _until(cloud, provider, f"{CINDER}/volumes/{volume}", "volume", "available")
    at = f"{NOVA}/servers/{server}/os-volume_attachments"
    attachment = provider.makes(at, "volumeAttachment", volumeId=volume)["id"]
    _until(cloud, provider, f"{CINDER}/volumes/{volume}", "volume", "in-use")
    assert provider.has("GET", f"{at}/{attachment}")["volumeAttachment"]["volumeId"] == volume

    def detached() -> bool:
        """It asks again and again, and takes 400 for not yet."""
        if provider.gone(f"{at}/{attachment}"):
            return True
        assert provider.asks("DELETE", f"{at}/{attachment}").status_code in (202, 400, 404)
        return False

    cloud.until(detached)
    _until(cloud, provider, f"{CINDER}/volumes/{volume}", "volume", "available")
    for path in (f"{CINDER}/volumes/{volume}", f"{NOVA}/servers/{server}"):
        provider.has("DELETE", path)
        cloud.until(lambda path=path: provider.gone(path))  # type: ignore[misc]
    for path in (
        f"{NOVA}/os-keypairs/vendor",
        f"{NEUTRON}/security-groups/{group}",
        f"{NEUTRON}/networks/{network}",
    ):
        provider.has("DELETE", path)
        assert provider.gone(path)


def _makes_the_group(provider: Provider) -> str:
    said = {"name": "portal", "description": "The portal's web server"}
    group = str(provider.makes(f"{NEUTRON}/security-groups", "security_group", **said)["id"])
    for port in (80, 22):
        wanted = {
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": port,
            "port_range_max": port,
            "remote_ip_prefix": "10.20.0.0/16",
            "security_group_id": group,
        }
        path = f"{NEUTRON}/security-group-rules"
        made = provider.makes(path, "security_group_rule", **wanted)["id"]
        read = provider.has("GET", f"{path}/{made}")["security_group_rule"]
        assert wanted.items() <= read.items()
    rules = provider.has("GET", f"{NEUTRON}/security-groups/{group}")["security_group"]
    ways = [rule["direction"] for rule in rules["security_group_rules"]]
    assert sorted(ways) == ["egress", "ingress", "ingress"]
    return group


def _makes_the_server(cloud: Cloud, provider: Provider, network: str) -> str:
    flavors = provider.has("GET", f"{NOVA}/flavors/detail")["flavors"]
    (flavor,) = (each["id"] for each in flavors if each["name"] == "m1.small")
    asked = (EXAMPLES / "user-data.yaml").read_bytes()
    made = provider.makes(
        f"{NOVA}/servers",
        "server",
        name="portal",
        imageRef="tiny",
        flavorRef=flavor,
        key_name="vendor",
        security_groups=[{"name": "portal"}],
        networks=[{"uuid": network}],
        config_drive=False,
        user_data=base64.b64encode(asked).decode(),
    )["id"]
    path = f"{NOVA}/servers/{made}"
    server = _until(cloud, provider, path, "server", "ACTIVE")
    (address,) = server["addresses"]["lgwan"]
    assert address["OS-EXT-IPS:type"] == "fixed"
    assert address["OS-EXT-IPS-MAC:mac_addr"]
    assert server["security_groups"] == [{"name": "portal"}]
    assert (server["key_name"], server["flavor"]["id"]) == ("vendor", flavor)
    assert provider.has("GET", f"{NOVA}/flavors/{flavor}")["flavor"]["name"] == "m1.small"
    version = {"OpenStack-API-Version": "compute 2.26"}
    assert provider.has("GET", f"{path}/tags", None, **version) == {"tags": []}
    return str(made)


def _until(cloud: Cloud, provider: Provider, path: str, kind: str, status: str) -> Any:
    cloud.until(lambda: provider.has("GET", path)[kind]["status"] == status)
    return provider.has("GET", path)[kind]
