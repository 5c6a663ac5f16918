"""How these tests ask: on the wire as a member's session, and over `/v1` as the same account."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.conftest import MIKASA
from tests.openstack_api.cloud import REGION, Cloud
from tests.plain_http import ask as plainly

_SESSIONS: dict[tuple[str, str], str] = {}


def ask(cloud: Cloud, method: str, path: str, member: str = MIKASA, **more: Any) -> httpx.Response:
    """As it is on the wire, in the member's own region."""
    region = REGION if member == MIKASA else "kyoto"
    url = f"{cloud.url}/openstack/regions/{region}/network{path}"
    whose = (cloud.url, member)
    if whose not in _SESSIONS:
        _SESSIONS[whose] = cloud.session(member)
    headers = {"X-Auth-Token": _SESSIONS[whose]} | more.pop("headers", {})
    return plainly(method, url, headers=headers, timeout=60, **more)


def v1(cloud: Cloud, method: str, path: str, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {cloud.account().token}"}
    answer = plainly(method, cloud.url + path, headers=headers, timeout=60, **more)
    assert answer.is_success, answer.text
    return answer.json()


def fault(answer: httpx.Response, status: int, type: str) -> str:
    """What a refusal says, which is of that status and Neutron's type."""
    assert answer.status_code == status, answer.text
    error = answer.json()["NeutronError"]
    assert error["type"] == type
    assert error["detail"] == ""
    return str(error["message"])
