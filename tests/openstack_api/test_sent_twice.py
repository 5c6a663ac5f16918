"""A client that didn't hear the answer sends its request again, under the same key: it is done once."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.api.conftest import MIKASA
from tests.api.test_keypairs import ED25519
from tests.openstack_api.cloud import REGION, Cloud

HERE = f"/openstack/regions/{REGION}"
GLANCE, NEUTRON = f"{HERE}/image/v2", f"{HERE}/network/v2.0"
CINDER, NOVA = f"{HERE}/volume/v3/{MIKASA}", f"{HERE}/compute/v2.1"


class Twice:
    def __init__(self, cloud: Cloud, client: httpx.Client) -> None:
        signed_in = cloud.sign_in(cloud.account())
        self.user = signed_in.json()["token"]["user"]["id"]
        self.headers = {"X-Auth-Token": signed_in.headers["x-subject-token"]}
        self.client = client
        self.sent = 0

    def __call__(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        """The answer to a request that is sent twice, which is that to the second too."""
        first, second = self.both(method, path, body, **headers)
        assert second.status_code == first.status_code, (method, path, second.text)
        assert second.headers.get("idempotency-replayed") == "true", (method, path)
        assert second.content == first.content
        return first

    def both(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[httpx.Response, httpx.Response]:
        self.sent += 1
        key = {"Idempotency-Key": f"sent-twice-{self.sent:04}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        first, second = (
            self.client.request(method, path, json=body, headers=self.headers | key | named)
            for _ in range(2)
        )
        assert first.is_success, (method, path, first.text)
        assert "idempotency-replayed" not in first.headers
        return first, second


@pytest.fixture(scope="module")
def twice(cloud: Cloud) -> Iterator[Twice]:
    with httpx.Client(base_url=cloud.url, timeout=60, trust_env=False) as client:
        yield Twice(cloud, client)


def test_an_image_is_announced_described_and_deleted_once(twice: Twice) -> None:
    new = {"name": "twice", "disk_format": "qcow2", "container_format": "bare"}
    path = f"{GLANCE}/images/{twice('POST', f'{GLANCE}/images', new).json()['id']}"
    patch = [{"op": "replace", "path": "/name", "value": "once"}]
    kind = "application/openstack-images-v2.1-json-patch"
    assert twice("PATCH", path, patch, Content_Type=kind).json()["name"] == "once"
    twice("DELETE", path)


def test_a_volume_is_made_described_and_deleted_once(cloud: Cloud, twice: Twice) -> None:
    new = {"volume": {"name": "twice", "size": 1}}
    id = twice("POST", f"{CINDER}/volumes", new).json()["volume"]["id"]
    path = f"{CINDER}/volumes/{id}"
    cloud.until(
        lambda: (
            twice.client.get(path, headers=twice.headers).json()["volume"]["status"] == "available"
        )
    )
    assert twice("PUT", path, {"volume": {"name": "once"}}).json()["volume"]["name"] == "once"
    twice("POST", f"{path}/metadata", {"metadata": {"a": "b"}})
    twice("DELETE", path)


def test_a_network_is_made_named_and_given_back_once(twice: Twice) -> None:
    new = {"network": {"name": "lgwan"}}
    path = f"{NEUTRON}/networks/{twice('POST', f'{NEUTRON}/networks', new).json()['network']['id']}"
    assert twice("PUT", path, {"network": {"name": "once"}}).json()["network"]["name"] == "once"
    twice("DELETE", path)


def test_keys_and_groups_are_made_and_removed_once(twice: Twice) -> None:
    twice("POST", f"{NOVA}/os-keypairs", {"keypair": {"name": "twice", "public_key": ED25519}})
    twice("DELETE", f"{NOVA}/os-keypairs/twice")
    apart = {"server_group": {"name": "twice", "policies": ["anti-affinity"]}}
    made = twice("POST", f"{NOVA}/os-server-groups", apart).json()["server_group"]["id"]
    twice("DELETE", f"{NOVA}/os-server-groups/{made}")


def test_a_credential_is_issued_and_revoked_once_and_tells_its_secret_once(twice: Twice) -> None:
    at = f"/openstack/identity/v3/users/{twice.user}/application_credentials"
    new = {"application_credential": {"name": "twice"}}
    issued, again = twice.both("POST", at, new)
    made = issued.json()["application_credential"]
    assert (again.status_code, again.headers["yui-problem"]) == (409, "token-shown-once")
    assert made["secret"] not in again.text
    told = twice.client.get(at, headers=twice.headers).json()["application_credentials"]
    assert [each["id"] for each in told if each["name"] == "twice"] == [made["id"]]
    twice("DELETE", f"{at}/{made['id']}")
