"""Container groups: on record as what they are, waiting, and holding no room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.model.ids import SystemId
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, UJI, Api, problem_of

DIGEST = "@sha256:" + "a" * 64
WEB = {
    "name": "web",
    "image": "registry.example.jp/town/web" + DIGEST,
    "vcpus": 1,
    "memory_mib": 512,
    "ports": [443],
}
GROUPS = "/v1/container-groups"


@pytest.fixture
def town(api: Api) -> Api:
    api.join(MIKASA)
    api.join(UJI)
    may_have_much(api, MIKASA)
    return api.tenant(MIKASA)


def asked(**other: Any) -> dict[str, Any]:
    said = {"name": "web", "system": f"m{MIKASA}-resident-records", "replicas": 2}
    return {**said, "containers": [WEB], **other}


def mark(api: Api, *hosts: str) -> None:
    """These hosts are for container groups."""
    with api.store.write() as tx:
        for host in tx.hosts():
            if host.id in hosts:
                tx.save_host(replace(host, traits=frozenset({"kubernetes"})))


def test_a_group_waits_for_the_platform_and_holds_no_room(api: Api, town: Api) -> None:
    used = api.get("/v1/hosts").json()["items"]
    made = town.post(GROUPS, json=asked())
    assert made.status_code == 201, made.text
    group = made.json()
    assert group["state"] == "waiting-for-platform"
    assert (group["vcpus"], group["memory_mib"], group["zone"]) == (2, 1024, "mynumber")
    assert [host["used"] for host in api.get("/v1/hosts").json()["items"]] == [
        host["used"] for host in used
    ]
    assert town.get(f"{GROUPS}/web").json() == town.get(f"{GROUPS}/{group['id']}").json() == group
    assert town.get(GROUPS).json()["items"] == [group]
    kinds = [event["kind"] for event in town.get("/v1/events").json()["items"]]
    assert kinds[-1] == "container-group.create"
    assert town.get("/v1/audit?newest=true&limit=1").json()["items"][0]["fields"] == {
        "label": f"town {MIKASA}",
        "name": "web",
        "replicas": 2,
    }


def test_a_rehearsal_keeps_nothing(api: Api, town: Api) -> None:
    before = api.contents()
    plan = town.post(f"{GROUPS}?dry_run=true", json=asked()).json()
    assert plan["diff"][0]["path"] == "/container-groups/web"
    assert plan["capacity"] == {"vcpus": 0, "memory_mib": 0, "disk_gib": 0}
    assert api.contents() == before


def test_what_hosts_for_container_groups_could_not_hold_is_refused(api: Api, town: Api) -> None:
    mark(api, "hokkaido-1")
    problem_of(town.post(GROUPS, json=asked()), 409, "no-room")
    mark(api, "hokkaido-1", "hokkaido-2", "hokkaido-3")
    made = town.post(GROUPS, json=asked())
    assert (made.status_code, made.json()["state"]) == (201, "waiting-for-platform")
    problem_of(
        town.post(GROUPS, json=asked(name="big", containers=[{**WEB, "vcpus": 16}])), 409, "no-room"
    )


def test_a_group_is_changed_by_whoever_has_read_it_and_deleted(town: Api) -> None:
    made = town.post(GROUPS, json=asked())
    tag = {"If-Match": made.headers["etag"]}
    other = {"replicas": 1, "containers": [{**WEB, "memory_mib": 256}]}
    changed = town.put(f"{GROUPS}/web", json=other, headers=tag)
    assert (changed.status_code, changed.json()["generation"]) == (200, 2)
    problem_of(town.put(f"{GROUPS}/web", json=other, headers=tag), 412, "container-group-changed")
    rehearsed = town.request("DELETE", f"{GROUPS}/web?dry_run=true").json()
    assert rehearsed["diff"][0]["op"] == "remove"
    assert town.request("DELETE", f"{GROUPS}/web").json() == changed.json()
    problem_of(town.get(f"{GROUPS}/web"), 404, "container-group-not-found")


def test_nobody_else_sees_a_group_and_it_goes_with_its_system(api: Api, town: Api) -> None:
    group = town.post(GROUPS, json=asked()).json()
    other = api.tenant(UJI)
    assert other.get(GROUPS).json()["items"] == []
    assert other.get(f"{GROUPS}?tenant={MIKASA}").json()["items"] == []
    problem_of(other.get(f"{GROUPS}/{group['id']}"), 404, "container-group-not-found")
    problem_of(other.post(GROUPS, json=asked()), 422, "system-not-found")
    assert api.get(f"{GROUPS}?tenant={MIKASA}").json()["items"] == [group]
    problem_of(town.post(GROUPS, json=asked()), 409, "container-group-exists")
    with api.store.write() as tx:
        for server in tx.servers(MIKASA):
            tx.remove_server(server.id)
        tx.remove_system(SystemId(group["system"]))
    assert api.get(GROUPS).json()["items"] == []


def allow(api: Api, vcpus: int, code: str = MIKASA) -> None:
    body = {
        "guaranteed": {"vcpus": 0, "memory_mib": 0, "disk_gib": 0},
        "quota": {"vcpus": vcpus, "memory_mib": 81_920, "disk_gib": 1000},
    }
    answer = api.put(f"/v1/members/{code}/quota", json=body)
    assert answer.status_code == 200, answer.text


def capacity(api: Api) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = api.get(f"/v1/members/{MIKASA}/quota").json()
    return found


def test_a_group_beyond_its_members_quota_is_refused(api: Api, town: Api) -> None:
    allow(api, 8)
    problem_of(town.post(GROUPS, json=asked(replicas=40)), 409, "quota-exceeded")


def test_groups_count_against_the_quota_together_and_a_refusal_names_what_is_shown(
    api: Api, town: Api
) -> None:
    used = capacity(town)["used"]
    allow(api, used["vcpus"] + 4)
    assert town.post(GROUPS, json=asked(name="a")).status_code == 201
    assert capacity(town)["borrowable"]["vcpus"] == 2
    assert town.post(GROUPS, json=asked(name="b")).status_code == 201
    shown = capacity(town)
    assert shown["used"] == used
    assert shown["borrowed"] == used
    assert shown["container_groups"] == {"vcpus": 4, "memory_mib": 2048, "disk_gib": 0}
    assert shown["borrowable"]["vcpus"] == 0
    assert town.get("/v1/quotas").json()["items"] == [shown]
    before = api.contents()
    for query in ("?dry_run=true", ""):
        answer = town.post(GROUPS + query, json=asked(name="c", replicas=1))
        problem_of(answer, 409, "quota-exceeded")
        assert answer.json()["fields"]["exceeded"] == [
            {
                "resource": "vcpus",
                "used": shown["used"]["vcpus"],
                "container_groups": shown["container_groups"]["vcpus"],
                "asked": 1,
                "quota": shown["quota"]["vcpus"],
            }
        ]
    assert api.contents() == before
    assert town.request("DELETE", f"{GROUPS}/a").status_code == 200
    assert capacity(town)["container_groups"]["vcpus"] == 2
    assert town.post(GROUPS, json=asked(name="c")).status_code == 201


def test_a_change_counts_by_what_the_group_grows(api: Api, town: Api) -> None:
    allow(api, capacity(town)["used"]["vcpus"] + 4)
    for name in ("a", "b"):
        assert town.post(GROUPS, json=asked(name=name)).status_code == 201
    larger = {"replicas": 3, "containers": [WEB]}
    problem_of(town.put(f"{GROUPS}/a", json=larger), 409, "quota-exceeded")
    same = {"replicas": 1, "containers": [{**WEB, "vcpus": 2}]}
    assert town.put(f"{GROUPS}/a", json=same).status_code == 200
    smaller = {"replicas": 1, "containers": [WEB]}
    assert town.put(f"{GROUPS}/a", json=smaller).status_code == 200
    assert town.put(f"{GROUPS}/b", json=larger).status_code == 200


def test_what_groups_leave_of_the_quota_is_all_that_servers_get(api: Api, town: Api) -> None:
    allow(api, capacity(town)["used"]["vcpus"] + 3)
    system = f"m{MIKASA}-resident-records"
    assert town.post(GROUPS, json=asked(name="a")).status_code == 201
    server = {"name": "web", "system": system, "flavor": "m1.medium", "image": "tiny"}
    problem_of(town.post("/v1/servers", json={"servers": [server]}), 409, "quota-exceeded")
    small = {**server, "flavor": "m1.small"}
    answer = town.post("/v1/servers", json={"servers": [small]})
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": 0},
        {"containers": []},
        {"containers": [{**WEB, "image": "nginx:latest"}]},
        {"containers": [{**WEB, "image": "registry.example.jp/../x" + DIGEST}]},
        {"containers": [{**WEB, "ports": [0]}]},
        {"containers": [{**WEB, "environment": {"PASSWORD": "x"}}]},
    ],
)
def test_nonsense_is_refused(town: Api, wrong: dict[str, Any]) -> None:
    problem_of(town.post(GROUPS, json=asked(**wrong)), 422, "request-invalid")


def test_two_containers_of_one_name_are_refused(town: Api) -> None:
    problem_of(town.post(GROUPS, json=asked(containers=[WEB, WEB])), 422, "container-name-twice")
