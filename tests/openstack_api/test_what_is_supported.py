"""The page of what is supported tells the truth."""

from __future__ import annotations

import pytest

from tenants.openstack_api.absent import ABSENT, Absent
from tenants.openstack_api.services import Service
from tenants.openstack_api.supported_page import FILE, page
from tests.openstack_api.cloud import REGION, Cloud
from tests.plain_http import ask as plainly

_VERSIONS = {
    Service.COMPUTE: "v2.1",
    Service.IMAGE: "v2",
    Service.NETWORK: "v2.0",
    Service.VOLUME: "v3",
}


def test_the_page_is_what_the_routes_make_of_it() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), (
        "run python -m tenants.openstack_api.supported_page"
    )


def test_every_route_says_what_it_does() -> None:
    assert [
        line for line in page().splitlines() if line.startswith("| ") and line.endswith("|  |")
    ] == []


@pytest.mark.parametrize("absent", ABSENT, ids=lambda each: f"{each.service} {each.path}")
def test_what_is_not_there_says_so_in_the_services_own_shape(cloud: Cloud, absent: Absent) -> None:
    if absent.service is Service.IDENTITY:
        base = f"{cloud.auth_url}"
    else:
        version = _VERSIONS[absent.service]
        base = f"{cloud.url}/openstack/regions/{REGION}/{absent.service}/{version}"
    headers = {"X-Auth-Token": cloud.session()}
    answer = plainly(absent.method, base + absent.path, headers=headers, timeout=60)
    assert answer.status_code in (404, 405, 501), answer.text
    shape = {
        Service.IDENTITY: {"error"},
        Service.NETWORK: {"NeutronError"},
        Service.IMAGE: {"message", "code", "title"},
    }
    fault = {404: {"itemNotFound"}, 405: {"badMethod"}, 501: {"notImplemented"}}
    assert set(answer.json()) == shape.get(absent.service, fault[answer.status_code])
