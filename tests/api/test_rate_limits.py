"""Whoever hurries is told to wait, and nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.app import Options, create_app
from control_plane.http.rate_limits import Buckets, Rate, RateLimits
from control_plane.model.units import Seconds
from tests.api.conftest import MIKASA, UJI, Api, Prepared, problem_of, standard_catalogue
from tests.api.in_process import InProcess

LIMITS = RateLimits(
    token=Rate(1, 5), member=Rate(1, 8), consortium=Rate(1, 50), stranger=Rate(1, 3)
)


@pytest.fixture
def limited(prepared: Prepared, tmp_path: Path) -> Iterator[Api]:
    """Time stands still, so that buckets hold what they hold."""
    with prepared.copied(tmp_path) as api:
        api.join(MIKASA)
        api.join(UJI)
        app = create_app(api.store, api.world, Options(standard_catalogue(), limits=LIMITS))
        with InProcess(app) as client:
            yield replace(api, app=app, client=client)


def statuses(api: Api, count: int) -> list[int]:
    return [api.get("/v1/flavors").status_code for _ in range(count)]


def test_a_member_that_hammers_is_told_when_to_come_back_and_another_is_served(
    limited: Api,
) -> None:
    hasty, calm = limited.tenant(MIKASA), limited.tenant(UJI)
    assert statuses(hasty, 20) == [200] * 5 + [429] * 15
    assert statuses(calm, 5) == [200] * 5
    refused = hasty.get("/v1/flavors")
    problem = problem_of(refused, 429, "rate-limited")
    assert problem["fields"] == {"policy": "token", "retry_after": 1}
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit"] == '"token";r=0;t=5'
    limited.world.clock.sleep(Seconds(2))
    assert statuses(hasty, 3) == [200, 200, 429]


def test_tokens_of_one_member_share_what_the_member_has(limited: Api) -> None:
    one, other = limited.tenant(MIKASA), limited.tenant(MIKASA)
    assert statuses(one, 5) == [200] * 5
    assert statuses(other, 4) == [200] * 3 + [429]
    assert problem_of(other.get("/v1/flavors"), 429, "rate-limited")["fields"]["policy"] == "member"
    assert statuses(limited, 10) == [200] * 10


def test_an_answer_says_how_much_is_left(limited: Api) -> None:
    answer = limited.tenant(MIKASA).get("/v1/flavors")
    assert answer.headers["ratelimit"] == '"token";r=4;t=1'
    assert answer.headers["ratelimit-policy"] == '"token";q=5;w=5, "member";q=8;w=8'


def test_strangers_who_guess_are_stopped_and_known_tokens_beside_them_are_not(
    limited: Api,
) -> None:
    stranger = limited.with_token("yui_aaaaaaaaaaaaaaaa_" + "a" * 43)
    assert statuses(stranger, 6) == [401] * 3 + [429] * 3
    refused = stranger.get("/v1/flavors")
    assert problem_of(refused, 429, "rate-limited")["fields"]["policy"] == "stranger"
    assert refused.headers["retry-after"] == "1"
    assert statuses(limited, 3) == [200] * 3


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    buckets = Buckets("stranger", Rate(1, 1), most=10)
    assert all(buckets.take(f"192.0.2.{n}", Seconds(0)).allowed for n in range(100))
    assert len(buckets._buckets) == 10
    assert not buckets.take("192.0.2.99", Seconds(0)).allowed


def test_without_limits_nobody_is_held_up(api: Api) -> None:
    assert set(statuses(api, 60)) == {200}
