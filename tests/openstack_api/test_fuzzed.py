"""Requests drawn from the description of the OpenStack API, right ones and wrong ones, and bodies that
are nothing: each is answered in the service's own shape, and none is a fault of ours."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from control_plane.model.ids import GroupId, KeyPairId
from control_plane.model.keypair import KeyPair
from control_plane.model.server_group import ServerGroup
from control_plane.model.tenant import MunicipalityCode
from tenants.openstack_api.description import description, openstack_routes
from tenants.openstack_api.image.patching import MEDIA_TYPE
from tenants.openstack_api.services import Service, service_of
from tests.api.conftest import MIKASA, NOW, UJI, Api, Prepared
from tests.api.disks import add_disks
from tests.openstack_api.test_every_route import filled

schemathesis.serializer.alias(MEDIA_TYPE, "application/json")

CASES = int(os.environ.get("YUI_FUZZ_CASES", "0"))
"""How many requests in all; 0 for the few of every day."""
EVERY_DAY = 2

NOTHINGS = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"[" * 2000 + b"]" * 2000,
    b'{"a": NaN}',
    b'{"server": {"name": 1e999}}',
    b"\xff\xfe",
    b'{"server": null, "volume": [], "network": 1, "security_group": "", "image": {}}',
]


@pytest.fixture(scope="module")
def target(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with prepared.copied(tmp_path_factory.mktemp("fuzzed")) as api:
        api.join(MIKASA)
        api.join(UJI)
        with api.store.write() as tx:
            add_disks(tx, tx.servers(MIKASA)[0])
            mine = MunicipalityCode(MIKASA)
            tx.add_server_group(ServerGroup(GroupId("grp-mikasa"), mine, "apart", "user-9", NOW))
            tx.add_keypair(
                KeyPair(KeyPairId("key-mikasa"), mine, "laptop", "ssh-ed25519 AAAA", "00:11",
                        "user-9", NOW)
            )  # fmt: skip
        yield api


def token_of(api: Api, role: str = "member-admin") -> str:
    made = api.post("/v1/tokens", json={"role": role, "tenant": MIKASA, "label": "fuzz"})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


_INTERNAL = re.compile(r"constrained-|literal\[|function-|_printable|\[key\]|list\[")
"""What pydantic calls the kinds of a value."""


def check(answer: httpx.Response, asked: str) -> None:
    """A 501 says that something is not there; every other 5xx is ours."""
    assert answer.status_code < 500 or answer.status_code == 501, f"{asked}: {answer.text}"
    if answer.status_code < 400 or answer.request.method == "HEAD":
        return
    body = answer.json()
    if answer.status_code == 401:
        assert set(body) == {"error"}, asked
        return
    match service_of(answer.request.url.path):
        case Service.IDENTITY:
            said = body["error"]["message"]
        case Service.NETWORK:
            said = body["NeutronError"]["message"]
        case Service.IMAGE:
            said = body["message"]
        case _:
            ((_, fault),) = body.items()
            assert fault["code"] == answer.status_code, asked
            said = fault["message"]
    assert said, asked
    assert not _INTERNAL.search(said), f"{asked}: {said}"


@pytest.mark.long
def test_no_request_is_a_fault_of_ours(target: Api) -> None:
    schema = schemathesis.openapi.from_dict(description(target.app))
    operations = [found.ok() for found in schema.get_all_operations()]
    each = max(EVERY_DAY, math.ceil(CASES / max(1, len(operations))))
    token = token_of(target)
    answers: Counter[int] = Counter()
    with target.store.read() as tx:
        known = {
            "region": "hokkaido",
            "project": MIKASA,
            "server": tx.servers(MIKASA)[0].id,
            "volume": "vol-mikasa",
            "snapshot": "snap-mikasa",
            "network": f"m{MIKASA}-lgwan",
            "image": "tiny",
            "group": f"m{MIKASA}-default",
            "port": f"port-{tx.servers(MIKASA)[0].id}",
            "keypair": "laptop",
            "server_group": "grp-mikasa",
        }

    for operation in operations:
        drawn = st.one_of(
            operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
            operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        )

        @settings(
            max_examples=each,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=drawn, exists=st.booleans())
        def send(case: Any, exists: bool) -> None:
            given = dict(case.path_parameters or {})
            right = known if exists else {"region": "hokkaido"}
            case.path_parameters = {**given, **{k: v for k, v in right.items() if k in given}}
            arguments = case.as_transport_kwargs(base_url="http://testserver")
            arguments.pop("cookies", None)
            headers = {
                k: v for k, v in arguments.get("headers", {}).items() if k != "X-Subject-Token"
            }
            arguments["headers"] = {**headers, "X-Auth-Token": token, "X-Subject-Token": "none"}
            try:
                request = target.client.build_request(**arguments)
            except (UnicodeEncodeError, ValueError, httpx.InvalidURL):
                # What HTTP itself can't carry.
                return
            answer = target.client.send(request)
            answers[answer.status_code] += 1
            check(answer, f"{case.method} {case.path}")

        send()
    print(f"{answers.total()} requests, {dict(sorted(answers.items()))}")
    assert answers[200], "nothing was ever read"
    assert answers[400], "nothing was ever wrong"


@pytest.mark.long
def test_bodies_that_are_nothing_are_refused_and_change_nothing(target: Api) -> None:
    token, before = token_of(target), target.contents()
    before.pop("tokens")
    for route in openstack_routes(target.app):
        for method in sorted(route.methods & {"POST", "PUT", "PATCH"}):
            if re.search(r"/file$", route.path):
                continue
            for nothing in NOTHINGS:
                headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
                answer = target.client.request(
                    method, filled(route.path), headers=headers, content=nothing
                )
                check(answer, f"{method} {route.path} {nothing[:40]!r}")
                assert answer.status_code >= 400, (method, route.path, nothing[:40], answer.text)
    after = target.contents()
    after.pop("tokens")
    assert after == before
