"""Whatever goes wrong is told as a problem document, in the reader's language, without internals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.conftest import Api, problem_of


def test_an_unknown_path_is_a_problem(untouched_api: Api) -> None:
    problem_of(untouched_api.get("/v1/nothing"), 404, "no-such-path")


def test_a_method_that_a_path_lacks_is_a_problem_that_names_the_others(untouched_api: Api) -> None:
    answer = untouched_api.request("DELETE", "/v1/hosts")
    assert problem_of(answer, 405, "method-not-allowed")["fields"] == {"allowed": ["GET"]}
    assert answer.headers["allow"] == "GET"


def test_a_body_that_is_not_json_is_a_problem(untouched_api: Api) -> None:
    for body in (b"{", b"\xff\xfe", b"", b"[" * 100_000):
        answer = untouched_api.post(
            "/v1/explain", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422), (body[:9], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_mistake_in_a_body_is_told_with_its_field(untouched_api: Api) -> None:
    answer = untouched_api.post(
        "/v1/explain", json={"flavor": 3, "count": 0, "zone": "dmz", "colour": "red"}
    )
    found = problem_of(answer, 422, "request-invalid")
    mistakes = {each["field"]: each["en"] for each in found["fields"]["mistakes"]}
    assert mistakes == {
        "region": "is missing",
        "flavor": "must be text",
        "count": "must be at least 1",
        "zone": "must be mynumber, lgwan or internet",
        "colour": "is not known here",
    }


def test_what_was_sent_is_not_repeated_in_the_answer(untouched_api: Api) -> None:
    answer = untouched_api.post(
        "/v1/explain", json={"region": "SECRET " * 50, "flavor": "m1.small"}
    )
    problem_of(answer, 422, "request-invalid")
    assert "SECRET" not in answer.text


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("ja", "見つかりません"),
        ("ja-JP, en;q=0.5", "見つかりません"),
        ("fr, en;q=0.2, ja;q=0.9", "見つかりません"),
        ("en, ja;q=0.9", "Not found"),
        ("fr", "Not found"),
        ("ja;q=nonsense", "Not found"),
        (",;,q=", "Not found"),
    ],
)
def test_the_reader_chooses_the_language(untouched_api: Api, language: str, expected: str) -> None:
    answer = untouched_api.get("/v1/hosts/nowhere", headers={"Accept-Language": language})
    found = problem_of(answer, 404, "host-not-found")
    assert found["title"] == expected
    assert answer.headers["content-language"] == ("ja" if expected == "見つかりません" else "en")
    assert "nowhere" in found["detail"]


def test_validation_mistakes_are_told_in_japanese_too(untouched_api: Api) -> None:
    answer = untouched_api.post(
        "/v1/explain", json={"region": "kyoto"}, headers={"Accept-Language": "ja"}
    )
    assert problem_of(answer, 422, "request-invalid")["detail"] == "flavor を指定してください。"


def test_a_body_beyond_the_limit_is_refused_whether_announced_or_streamed(
    untouched_api: Api,
) -> None:
    big = b'"' + b"x" * (1024 * 1024) + b'"'
    problem_of(untouched_api.put("/v1/pool", content=big), 413, "request-too-large")

    def trickle() -> Iterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    problem_of(untouched_api.put("/v1/pool", content=trickle()), 413, "request-too-large")


@pytest.mark.long
def test_a_fault_of_ours_tells_nothing_of_our_inside(api: Api) -> None:
    def broken() -> None:
        raise RuntimeError("password=hunter2 at /srv/secret")

    api.app.add_api_route("/v1/broken", broken)
    answer = api.get("/v1/broken")
    problem_of(answer, 500, "internal-error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text


def test_the_request_id_is_the_callers_where_it_is_sound(untouched_api: Api) -> None:
    sound = untouched_api.get("/v1/hosts", headers={"X-Request-Id": "ticket-2026.04.01"})
    assert sound.headers["x-request-id"] == "ticket-2026.04.01"
    for unsound in ("short", "x" * 65, "spaces in it", "<script>alert(1)</script>"):
        answer = untouched_api.get("/v1/nothing", headers={"X-Request-Id": unsound})
        assert answer.headers["x-request-id"] != unsound
        problem_of(answer, 404, "no-such-path")


def test_answers_are_neither_cached_nor_sniffed(untouched_api: Api) -> None:
    headers = untouched_api.get("/v1/flavors").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("cursor", ["!!!", "%00", "YQ==YQ", "あ", "/w", "x" * 300])
def test_a_cursor_that_is_none_of_ours_is_a_problem(untouched_api: Api, cursor: str) -> None:
    answer = untouched_api.get("/v1/hosts", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_list_read_page_by_page_holds_everything_once(untouched_api: Api) -> None:
    found, cursor = [], None
    while True:
        params = {"limit": 4, **({} if cursor is None else {"cursor": cursor})}
        page = untouched_api.get("/v1/hosts", params=params).json()
        assert len(page["items"]) <= 4
        found += [host["id"] for host in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"{region}-{n}" for region in ("hokkaido", "kyoto") for n in (1, 2, 3)]


@pytest.mark.parametrize("limit", [0, -1, 1001, "many", 10**30])
def test_a_page_has_a_sensible_size(untouched_api: Api, limit: object) -> None:
    problem_of(untouched_api.get(f"/v1/hosts?limit={limit}"), 422, "request-invalid")
