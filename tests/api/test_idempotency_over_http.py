"""A request that is sent twice under one key is done once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from control_plane.http.in_flight import InFlight
from control_plane.model.errors import YuiError
from tests.api.conftest import MIKASA, UJI, Api, problem_of

KEY = {"Idempotency-Key": "4f9d2c1a-join-mikasa"}
JOIN = {"code": MIKASA, "blueprints": ["facility-booking"]}


def test_the_same_request_again_gets_the_same_answer_and_is_not_done_again(api: Api) -> None:
    first = api.post("/v1/members", json=JOIN, headers=KEY)
    before = api.contents()
    again = api.post("/v1/members", json=JOIN, headers=KEY)
    assert first.status_code == 202
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert api.contents() == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/members", {**JOIN, "blueprints": ["resident-records"]}),
        ("/v1/members?dry_run=true", JOIN),
        ("/v1/tokens", {"role": "operator", "label": "x"}),
    ],
)
def test_the_key_with_another_request_is_refused(api: Api, path: str, body: Any) -> None:
    api.post("/v1/members", json=JOIN, headers=KEY)
    before = api.contents()
    problem_of(api.post(path, json=body, headers=KEY), 422, "idempotency-key-reused")
    assert api.contents() == before


def test_two_people_may_choose_the_same_key(api: Api) -> None:
    api.post("/v1/members", json=JOIN, headers=KEY)
    other = api.post("/v1/tokens", json={"role": "operator", "label": "second"}).json()["token"]
    answer = api.with_token(other).post(
        "/v1/members", json={"code": UJI, "blueprints": ["facility-booking"]}, headers=KEY
    )
    assert answer.status_code == 202
    assert "idempotency-replayed" not in answer.headers


def test_a_refusal_is_not_kept_so_the_same_key_may_try_again(api: Api) -> None:
    absent = {"code": MIKASA, "blueprints": ["resident-records"], "region": "kyoto"}
    problem_of(api.post("/v1/members", json=absent, headers=KEY), 422, "region-does-not-serve")
    assert api.post("/v1/members", json=JOIN, headers=KEY).status_code == 202


def test_a_rehearsal_does_not_use_the_key_up(api: Api) -> None:
    assert api.post("/v1/members?dry_run=true", json=JOIN, headers=KEY).status_code == 200
    assert api.post("/v1/members", json=JOIN, headers=KEY).status_code == 202


@pytest.mark.parametrize("key", ["short", "x" * 129, "with space inside", "日本語のキーです"])
def test_a_key_is_visible_ascii_of_a_sensible_length(untouched_api: Api, key: str) -> None:
    before = untouched_api.contents()
    answer = untouched_api.post(
        "/v1/members",
        json=JOIN,
        headers={b"Idempotency-Key": key.encode()},  # type: ignore[dict-item]
    )
    problem_of(answer, 422, "request-invalid")
    assert untouched_api.contents() == before


def test_a_token_is_shown_once_even_to_the_key_that_asked_for_it(api: Api) -> None:
    body = {"role": "operator", "label": "night shift"}
    first = api.post("/v1/tokens", json=body, headers=KEY)
    assert first.status_code == 201
    again = api.post("/v1/tokens", json=body, headers=KEY)
    found = problem_of(again, 409, "token-shown-once")
    assert found["fields"]["id"] == first.json()["id"]
    assert first.json()["token"] not in again.text
    assert len(api.get("/v1/tokens").json()["items"]) == 2


def test_while_a_request_is_worked_on_its_key_is_in_flight() -> None:
    keys = InFlight()
    with keys.alone("somebody", "a-key"):
        with pytest.raises(YuiError) as caught, keys.alone("somebody", "a-key"):
            pass
        assert (caught.value.type, caught.value.status) == ("idempotency-key-in-flight", 409)
        with keys.alone("somebody else", "a-key"):
            pass
    with keys.alone("somebody", "a-key"):
        pass


def test_the_same_request_sent_many_times_at_once_is_done_once(api: Api) -> None:
    answers: list[tuple[int, Any]] = []

    def send() -> None:
        answer = api.post("/v1/members", json=JOIN, headers=KEY)
        answers.append((answer.status_code, answer.json()))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [body["id"] for status, body in answers if status == 202]
    in_flight = [body["type"] for status, body in answers if status != 202]
    assert len(done) >= 1
    assert len(set(done)) == 1
    assert set(in_flight) <= {"urn:yui:problem:idempotency-key-in-flight"}
    assert len(api.get("/v1/members").json()["items"]) == 1
