"""Requests drawn from the API's own description, right ones and wrong ones, for every operation and role.

Whatever is sent, nothing is a fault of ours, and every answer is one that the description declares.
`make fuzz-api` draws ten thousand, for every role; here are some for each operation, in the name of
one role each, the same ones each time.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.api.conftest import MIKASA, UJI, Api, Prepared
from tests.api.disks import add_disks

load_all_checks()

CASES = int(os.environ.get("YUI_FUZZ_CASES", "0"))
"""How many requests in all; 0 for the few of every day."""
EVERY_DAY = 4

HELD = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "unsupported_method",
        "allow_header_conformance",
    )
]
OF_THE_SCHEMA = CHECKS.get_one("response_schema_conformance")
ROLES = ("operator", "auditor", "member-admin", "member-user")


@pytest.fixture(scope="module")
def target(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A pool with two members, on which everything is tried."""
    with prepared.copied(tmp_path_factory.mktemp("fuzzed")) as api:
        api.join(MIKASA)
        api.join(UJI)
        with api.store.write() as tx:
            add_disks(tx, tx.servers(MIKASA)[0])
        yield api


def token_of(api: Api, role: str) -> str:
    wanted: dict[str, Any] = {"role": role, "label": f"fuzzing {role}"}
    if role.startswith("member"):
        wanted["tenant"] = MIKASA
    answer = api.post("/v1/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def things(api: Api) -> dict[str, str]:
    """Something that exists for each name that stands in a path."""
    with api.store.read() as tx:
        return {
            "server": tx.servers(MIKASA)[0].id,
            "system": tx.systems(MIKASA)[0].id,
            "operation_id": tx.operations(MIKASA, 1)[0].id,
            "host_id": "kyoto-1",
            "region_id": "kyoto",
            "code": MIKASA,
            "volume": "vol-mikasa",
            "snapshot": "snap-mikasa",
            "network": f"m{MIKASA}-mynumber",
            "group": f"m{MIKASA}-default",
            "id": "tiny",
            "blueprint": "library",
        }


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_no_request_is_answered_otherwise_than_described(target: Api, role: str) -> None:
    document = target.client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    each = max(EVERY_DAY, math.ceil(CASES / (len(operations) * len(ROLES))))
    if not CASES:
        # Every operation has its turn with one of the roles.
        operations = operations[ROLES.index(role) :: len(ROLES)]
    # Kept apart from the token that is fuzzed, which a request may revoke.
    token, known = token_of(target, role), things(target)
    broken: list[str] = []
    answers: Counter[int] = Counter()
    for operation in operations:
        try:
            _try(target, operation, token, known, each, answers)
        except BaseExceptionGroup as group:
            broken += [f"{operation.label}: {error}" for error in group.exceptions]
        except Exception as error:
            broken.append(f"{operation.label}: {type(error).__name__}: {error}")
    print(f"{role}: {answers.total()} requests, {dict(sorted(answers.items()))}")
    assert answers[200], "nothing was ever read"
    assert answers[422], "nothing was ever wrong"
    assert not broken, f"{len(broken)} operations:\n" + "\n---\n".join(broken)


def _try(  # noqa: PLR0917
    api: Api,
    operation: Any,
    token: str,
    known: dict[str, str],
    each: int,
    answers: Counter[int],
) -> None:
    drawn = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    # OpenAPI 3.1 calls a stream a text; what checks it takes that for each of its events.
    stream = operation.path.endswith("/stream")
    checks = [held for held in HELD if not (stream and held is OF_THE_SCHEMA)]

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
        if exists and case.path_parameters:
            case.path_parameters = {**case.path_parameters, **_among(known, case.path_parameters)}
        # A wait is bounded by the description, and longer than a test may take.
        if case.query and "wait" in case.query:
            case.query = {**case.query, "wait": "0"}
        if stream:
            case.query = {**(case.query or {}), "seconds": "0"}
        arguments = case.as_transport_kwargs(base_url="http://testserver")
        arguments.pop("cookies", None)
        arguments["headers"] = {
            **arguments.get("headers", {}),
            "Authorization": f"Bearer {token}",
        }
        try:
            request = api.client.build_request(**arguments)
        except (UnicodeEncodeError, ValueError):
            # What HTTP itself can't carry.
            return
        answer = api.client.send(request)
        answers[answer.status_code] += 1
        case.validate_response(answer, checks=checks)

    send()


def _among(known: dict[str, str], wanted: dict[str, Any]) -> dict[str, str]:
    return {name: known[name] for name in wanted if name in known}
