"""Who wants to know what happened last is not sent through all that happened before."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.model.operation import Event, Severity
from tests.api.conftest import MEMBERS, MIKASA, NOW, UJI, Api, problem_of


@pytest.fixture
def busy(api: Api) -> Api:
    """Ten events of 三笠市, ten of 宇治市 between them."""
    with api.store.write() as tx:
        tx.add_tenant(MEMBERS[0])
        for number in range(20):
            tenant = MIKASA if number % 2 else UJI
            happened = Event(
                f"test.{number}", "server:x", NOW, Severity.INFO, "It.", "それ。", tenant
            )
            tx.add_event(happened)
    return api


def numbers(page: dict[str, Any]) -> list[int]:
    return [item["sequence"] for item in page["items"]]


def backwards(api: Api, path: str, limit: int) -> list[list[int]]:
    """All pages from the newest back."""
    pages: list[list[int]] = []
    before = ""
    while True:
        page = api.get(f"{path}?newest=true&limit={limit}{before}").json()
        pages.append(numbers(page))
        if page["previous"] is None:
            return pages
        before = f"&before={page['previous']}"


@pytest.mark.parametrize("path", ["/v1/events", "/v1/audit"])
@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_pages_from_the_newest_back_hold_everything_once(busy: Api, path: str, limit: int) -> None:
    everything = numbers(busy.get(f"{path}?limit=1000").json())
    pages = backwards(busy, path, limit)
    assert [number for page in reversed(pages) for number in page] == everything
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


def test_what_comes_after_the_newest_is_asked_for_as_ever(busy: Api) -> None:
    newest = busy.get("/v1/events?newest=true&limit=2").json()
    assert busy.get(f"/v1/events?after={newest['next']}").json()["items"] == []
    with busy.store.write() as tx:
        tx.add_event(Event("test.new", "server:x", NOW, Severity.INFO, "It.", "それ。"))
    (new,) = busy.get(f"/v1/events?after={newest['next']}").json()["items"]
    assert new["kind"] == "test.new"


def test_the_newest_end_where_after_says(busy: Api) -> None:
    last = numbers(busy.get("/v1/events?newest=true&limit=1").json())[0]
    page = busy.get(f"/v1/events?newest=true&after={last - 3}&limit=10").json()
    assert (numbers(page), page["previous"]) == ([last - 2, last - 1, last], None)
    nothing = busy.get(f"/v1/events?newest=true&after={last}").json()
    assert (nothing["items"], nothing["next"], nothing["previous"]) == ([], last, None)


def test_a_member_pages_through_its_own_alone(busy: Api) -> None:
    town = busy.tenant(MIKASA)
    pages = backwards(town, "/v1/events", 3)
    own = numbers(town.get("/v1/events?limit=1000").json())
    assert [number for page in reversed(pages) for number in page] == own
    items = town.get("/v1/events?limit=1000").json()["items"]
    assert len([item for item in items if item["kind"].startswith("test.")]) == 10


@pytest.mark.parametrize("query", ["before=0", "before=x", f"before={10**30}", "newest=perhaps"])
def test_a_place_that_is_none_is_refused(untouched_api: Api, query: str) -> None:
    problem_of(untouched_api.get(f"/v1/events?{query}"), 422, "request-invalid")
