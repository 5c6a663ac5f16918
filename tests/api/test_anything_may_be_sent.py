"""Whatever is sent, the answer is a refusal or a success, never a fault, and never half a change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Api
from tests.thoroughness import examples

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["kyoto", "012220", "resident-records", "m1.small", "word", "operator"]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4)
    ),
    max_leaves=12,
)

FIELDS = {
    "/v1/members": ["code", "blueprints", "region", "name", "kana", "prefecture", "population"],
    "/v1/explain": ["region", "flavor", "count", "zone"],
    "/v1/tokens": ["role", "label", "tenant", "expires_in_days"],
    "/v1/hosts/kyoto-1/fence": ["statement", "method"],
    "/v1/pool": ["regions", "sites", "hosts", "flavors"],
    "/v1/images": ["name", "version", "path", "provenance", "sha256", "declares", "requirements"],
}


@pytest.mark.long
@pytest.mark.parametrize("path", sorted(FIELDS))
@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_body_is_answered_without_a_fault(untouched_api: Api, path: str, data: Any) -> None:
    named = st.dictionaries(st.sampled_from(FIELDS[path]), anything, max_size=7)
    body = data.draw(anything | named)
    answer = untouched_api.request(
        "PUT" if path == "/v1/pool" else "POST",
        f"{path}?dry_run=true",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code < 500, (body, answer.text)
    if not answer.is_success:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"count": 1' + b"0" * 5000 + b"}",
        b'{"region": "\\ud800"}',
        b'{"region": NaN, "flavor": Infinity}',
        b'{"region": "kyoto", "region": "kyoto"}',
        b'"' + b"\\u0000" * 100 + b'"',
        b"\x00" * 100,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
@pytest.mark.parametrize("path", ["/v1/explain", "/v1/members", "/v1/pool"])
def test_json_at_its_edges_is_refused(untouched_api: Api, path: str, body: bytes) -> None:
    before = untouched_api.contents()
    method = "PUT" if path == "/v1/pool" else "POST"
    answer = untouched_api.request(
        method, path, content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert untouched_api.contents() == before


@pytest.mark.parametrize(
    "path", ["/v1/hosts/%ff%fe", "/v1/hosts/%00", "/v1/hosts?cursor=%ff", "/v1/servers?tenant=%ff"]
)
def test_bytes_that_are_no_text_are_no_fault(untouched_api: Api, path: str) -> None:
    answer = untouched_api.get(path)
    assert answer.status_code < 500, answer.text
