"""Two operators who describe the pool at once never overwrite each other unseen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, pool, problem_of


def with_flavor(name: str) -> dict[str, Any]:
    described = pool()
    size = {"id": name, "vcpus": 1, "memory": "1 GiB", "disk": "10 GiB"}
    return {**described, "flavors": [*described["flavors"], size]}


def flavors(api: Api) -> set[str]:
    return {flavor["id"] for flavor in api.get("/v1/flavors").json()["items"]}


def test_a_description_that_rests_on_an_older_one_is_refused_and_changes_nothing(api: Api) -> None:
    read_by_both = api.get("/v1/pool").headers["etag"]
    first = api.put("/v1/pool", json=with_flavor("first"), headers={"If-Match": read_by_both})
    assert first.status_code == 200, first.text
    second = api.put("/v1/pool", json=with_flavor("second"), headers={"If-Match": read_by_both})
    problem = problem_of(second, 412, "pool-changed")
    assert "described anew" in problem["detail"]
    assert "first" in flavors(api)
    assert "second" not in flavors(api)
    read_again = api.get("/v1/pool").headers["etag"]
    third = api.put("/v1/pool", json=with_flavor("second"), headers={"If-Match": read_again})
    assert third.status_code == 200, third.text
    assert "second" in flavors(api)


def test_the_refusal_is_one_sentence_in_japanese_too(untouched_api: Api) -> None:
    answer = untouched_api.put(
        "/v1/pool",
        json=with_flavor("mine"),
        headers={"If-Match": f'"{"0" * 32}"', "Accept-Language": "ja"},
    )
    assert "読み取り後に変更" in problem_of(answer, 412, "pool-changed")["detail"]


def test_a_dry_run_is_refused_for_the_same_reason(untouched_api: Api) -> None:
    answer = untouched_api.put(
        "/v1/pool?dry_run=true", json=pool(), headers={"If-Match": f'"{"0" * 32}"'}
    )
    problem_of(answer, 412, "pool-changed")


def test_the_same_pool_has_the_same_tag_whatever_happens_on_it(api: Api) -> None:
    before = api.get("/v1/pool").headers["etag"]
    api.post("/v1/hosts/kyoto-1/drain")
    assert api.get("/v1/pool").headers["etag"] == before


@pytest.mark.parametrize("tag", ['"g3"', "nonsense", 'W/"x"'])
def test_a_tag_that_is_none_of_the_pools_is_refused(untouched_api: Api, tag: str) -> None:
    answer = untouched_api.put("/v1/pool", json=pool(), headers={"If-Match": tag})
    problem_of(answer, 412, "if-match-invalid")


def test_without_a_tag_the_last_description_counts(api: Api) -> None:
    assert api.put("/v1/pool", json=with_flavor("mine")).status_code == 200
    assert "mine" in flavors(api)
