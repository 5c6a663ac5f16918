"""Capacity in three numbers, as members read it and as the consortium sets it."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import MIKASA, UJI, Api, problem_of

NOTHING = {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}


def quota(api: Api, code: str = MIKASA) -> dict[str, Any]:
    answer = api.get(f"/v1/members/{code}/quota")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["ETag"] == f'"g{found["generation"]}"'
    return found


def times(amounts: dict[str, int], factor: int) -> dict[str, int]:
    return {name: factor * amount for name, amount in amounts.items()}


def more(amounts: dict[str, int], vcpus: int) -> dict[str, int]:
    return {**amounts, "vcpus": amounts["vcpus"] + vcpus}


def test_a_new_member_is_guaranteed_what_its_systems_use(api: Api) -> None:
    api.join(MIKASA)
    found = quota(api)
    assert found["guaranteed"] == found["used"]
    assert found["used"]["vcpus"] > 0
    assert found["borrowed"] == found["unproved"] == NOTHING
    assert found["quota"]["vcpus"] == -(-3 * found["guaranteed"]["vcpus"] // 2)
    assert 0 < found["borrowable"]["vcpus"] <= found["quota"]["vcpus"] - found["used"]["vcpus"]


def test_a_larger_guarantee_is_held_and_shown_apart_from_what_runs(api: Api) -> None:
    api.join(MIKASA)
    before = quota(api)
    body = {"guaranteed": more(before["used"], 3), "quota": times(before["quota"], 3)}
    rehearsed = api.put(f"/v1/members/{MIKASA}/quota?dry_run=true", json=body)
    assert rehearsed.status_code == 200, rehearsed.text
    assert rehearsed.json()["before"]["guaranteed"] == before["guaranteed"]
    assert rehearsed.json()["after"]["guaranteed"] == body["guaranteed"]
    assert quota(api) == before
    answer = api.put(
        f"/v1/members/{MIKASA}/quota", json=body, headers={"Idempotency-Key": "quota-12345"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == quota(api)
    certificate = api.get("/v1/regions/hokkaido/certificate").json()
    assert certificate["valid"]
    assert certificate["holdings"] == {
        "count": 3,
        "total": {"vcpus": 3, "memory_mib": 0},
        "unproved": [],
    }
    hosts = api.get("/v1/hosts").json()["items"]
    assert sum(host["guaranteed"]["vcpus"] for host in hosts) == 3
    assert sum(host["used"]["vcpus"] for host in hosts) == before["used"]["vcpus"]
    said = api.get("/v1/events").json()["items"][-1]
    assert (said["kind"], said["tenant"]) == ("quota.set", MIKASA)


def test_what_cannot_be_guaranteed_is_refused_in_a_dry_run_too(api: Api) -> None:
    api.join(MIKASA)
    before = quota(api)
    body = {"guaranteed": more(before["used"], 20), "quota": times(before["quota"], 30)}
    for query in ("?dry_run=true", ""):
        answer = api.put(f"/v1/members/{MIKASA}/quota{query}", json=body)
        problem_of(answer, 409, "guarantee-does-not-fit")
    assert quota(api) == before
    swapped = {"guaranteed": body["quota"], "quota": body["guaranteed"]}
    answer = api.put(f"/v1/members/{MIKASA}/quota", json=swapped)
    problem_of(answer, 422, "guarantee-beyond-quota")


def test_a_quota_that_changed_meanwhile_is_not_overwritten(api: Api) -> None:
    api.join(MIKASA)
    before = quota(api)
    body = {"guaranteed": before["guaranteed"], "quota": times(before["quota"], 2)}
    tag = {"If-Match": f'"g{before["generation"]}"'}
    assert api.put(f"/v1/members/{MIKASA}/quota", json=body, headers=tag).status_code == 200
    again = api.put(f"/v1/members/{MIKASA}/quota", json=body, headers=tag)
    problem_of(again, 412, "quota-changed")


def test_a_member_reads_its_own_capacity_alone_and_sets_none(api: Api) -> None:
    api.join(MIKASA)
    api.join(UJI)
    assert [one["tenant"] for one in api.get("/v1/quotas").json()["items"]] == [MIKASA, UJI]
    town = api.tenant(MIKASA)
    assert [one["tenant"] for one in town.get("/v1/quotas").json()["items"]] == [MIKASA]
    problem_of(town.get(f"/v1/members/{UJI}/quota"), 404, "tenant-not-found")
    body = {"guaranteed": NOTHING, "quota": NOTHING}
    answer = town.put(f"/v1/members/{MIKASA}/quota", json=body)
    problem_of(answer, 403, "permission-missing")
