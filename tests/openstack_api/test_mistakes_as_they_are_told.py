"""What is wrong with a request to OpenStack's interfaces is one sentence in the service's own shape."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from control_plane.model.access import Role
from tests.api.conftest import MIKASA, Prepared
from tests.openstack_api.test_every_route import token_of

REGIONAL = "/openstack/regions/hokkaido"
VOLUMES = f"{REGIONAL}/volume/v3/volumes"
SERVERS = f"{REGIONAL}/compute/v2.1/servers"
NETWORK = f"{REGIONAL}/network/v2.0"
IMAGES = f"{REGIONAL}/image/v2/images"
PATCH = "application/openstack-images-v2.1-json-patch"


@pytest.fixture(scope="module")
def asked(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with prepared.copied(tmp_path_factory.mktemp("mistakes")) as api:
        api.join(MIKASA)
        token = token_of(api, Role.MEMBER_ADMIN)

        def ask(method: str, path: str, **more: Any) -> httpx.Response:
            headers = {"X-Auth-Token": token, **more.pop("headers", {})}
            return api.client.request(method, path, headers=headers, **more)

        yield ask


def _rule(**more: Any) -> dict[str, Any]:
    rule = {"security_group_id": "g", "direction": "ingress"}
    return {"security_group_rule": {**rule, **more}}


@pytest.mark.parametrize(
    ("path", "body", "en", "ja"),
    [
        (VOLUMES, {"volume": {"size": 1, "name": "x" * 51}},
         "volume.name must have at most 50 characters.",
         "volume.name は 50 文字以内で指定してください。"),
        (VOLUMES, {"volume": {"size": True}}, "volume.size must be a whole number.",
         "volume.size は整数で指定してください。"),
        (f"{NETWORK}/security-group-rules", _rule(description="x\0"),
         "security_group_rule.description holds the unprintable character U+0000.",
         "security_group_rule.description に表示できない文字 U+0000 が含まれています。"),
        (f"{NETWORK}/security-group-rules", _rule(remote_ip_prefix="::/0"),
         "security_group_rule.remote_ip_prefix must be an IPv4 network such as 10.20.0.0/16.",
         "security_group_rule.remote_ip_prefix は 10.20.0.0/16 のような IPv4 ネットワークで指定してください。"),
        (f"{NETWORK}/security-group-rules", _rule(port_range_min=True, port_range_max=5),
         "security_group_rule.port_range_min must be a whole number.",
         "security_group_rule.port_range_min は整数で指定してください。"),
        (IMAGES, {"name": "mine", "min_disk": True}, "min_disk must be a whole number.",
         "min_disk は整数で指定してください。"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_field_as_it_was_written(
    asked: Any, path: str, body: dict[str, Any], en: str, ja: str
) -> None:
    for language, sentence in (("en", en), ("ja", ja)):
        answer = asked("POST", path, json=body, headers={"Accept-Language": language})
        assert answer.status_code == 400, answer.text
        said = answer.json()
        inner = said if "message" in said else next(iter(said.values()))
        assert inner["message"] == sentence


@pytest.mark.parametrize("count", ["min_count", "max_count"])
def test_true_counts_no_servers(asked: Any, count: str) -> None:
    server = {"name": "a", "flavorRef": "m1.small", "imageRef": "tiny", "networks": "auto"}
    answer = asked("POST", SERVERS, json={"server": {**server, count: True}})
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == f"server.{count} must be a whole number."


def test_a_size_written_as_text_is_taken_as_cinder_takes_it(asked: Any) -> None:
    made = asked("POST", VOLUMES, json={"volume": {"size": "1", "name": "as-text"}})
    assert made.status_code == 202, made.text
    grown = {"os-extend": {"new_size": True}}
    answer = asked("POST", f"{VOLUMES}/{made.json()['volume']['id']}/action", json=grown)
    assert answer.status_code == 400
    assert "new_size" in answer.json()["badRequest"]["message"]


def test_a_path_of_a_patch_is_told_what_a_path_is(asked: Any) -> None:
    answer = asked(
        "PATCH",
        f"{IMAGES}/tiny",
        json=[{"op": "add", "path": "x", "value": "y"}],
        headers={"Content-Type": PATCH},
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("[0].path must be / and the name of one property")
