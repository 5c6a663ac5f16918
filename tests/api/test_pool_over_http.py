"""The pool described, drained, fenced and explained through the API."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod
from control_plane.model.host_health import Confirmed, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.workload import Seen
from tests.api.conftest import MIKASA, NOW, UJI, Api, pool, problem_of, region


def host(api: Api, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/v1/hosts/{name}").json()
    return found


def test_a_described_host_is_cleaned_before_it_carries_anything(empty_api: Api) -> None:
    applied = empty_api.put("/v1/pool", json=pool()).json()
    assert applied["dry_run"] is False
    assert applied["hosts"]["added"] == [
        f"{name}-{number}" for name in ("hokkaido", "kyoto") for number in (1, 2, 3)
    ]
    found = host(empty_api, "kyoto-1")
    assert (found["health"], found["duty"], found["standing"]) == ("cleaning", "in-service", "gone")
    assert found["capacity"] == {"vcpus": 8, "memory_mib": 16384}
    assert "host:kyoto-1" in found["domains"]


def test_the_pool_that_is_read_can_be_put_back_and_changes_nothing(untouched_api: Api) -> None:
    described = untouched_api.get("/v1/pool").json()
    hosts = untouched_api.get("/v1/hosts").json()
    applied = untouched_api.put("/v1/pool", json=described).json()
    for thing in ("regions", "sites", "hosts", "flavors"):
        assert applied[thing]["added"] == applied[thing]["changed"] == []
        assert applied[thing]["removed"] == []
        assert applied[thing]["unchanged"] == len(described[thing])
    assert untouched_api.get("/v1/hosts").json() == hosts


def test_a_rehearsed_description_says_what_would_change_and_changes_nothing(
    untouched_api: Api,
) -> None:
    before = untouched_api.contents()
    described = pool()
    described["hosts"][0]["memory"] = "32 GiB"
    described["hosts"] = described["hosts"][:-1]
    answer = untouched_api.put("/v1/pool?dry_run=true", json=described).json()
    assert answer["dry_run"] is True
    assert answer["hosts"]["changed"] == ["hokkaido-1"]
    assert answer["hosts"]["removed"] == ["kyoto-3"]
    assert untouched_api.contents() == before


def test_what_nobody_uses_leaves_with_its_description(api: Api) -> None:
    described = region("kyoto", "京都府", "10.77.16.0/24") | {"flavors": pool()["flavors"][:1]}
    applied = api.put("/v1/pool", json=described).json()
    assert applied["regions"]["removed"] == ["hokkaido"]
    assert applied["sites"]["removed"] == ["hokkaido-dc"]
    assert applied["flavors"]["removed"] == ["m1.large", "m1.medium", "m1.xlarge"]
    assert [h["id"] for h in api.get("/v1/hosts").json()["items"]] == [
        "kyoto-1",
        "kyoto-2",
        "kyoto-3",
    ]


@pytest.mark.parametrize(("key", "type"), [("hosts", "host-in-use"), ("flavors", "flavor-in-use")])
def test_what_carries_servers_does_not_leave_and_nothing_else_changes_either(
    api: Api, key: str, type: str
) -> None:
    api.join(MIKASA)
    used = {server["host"] for server in api.get("/v1/servers").json()["items"]} | {"m1.small"}
    described = pool()
    described[key] = [each for each in described[key] if each["id"] not in used]
    described["hosts"][-1]["memory"] = "32 GiB"
    before = api.contents()
    problem_of(api.put("/v1/pool", json=described), 409, type)
    assert api.contents() == before


def test_a_host_is_not_made_smaller_than_what_was_promised_on_it(api: Api) -> None:
    api.join(UJI)
    described = pool()
    for each in described["hosts"]:
        each["memory"] = "6 GiB"
    before = api.contents()
    found = problem_of(api.put("/v1/pool", json=described), 409, "pool-breaks-promise")
    assert "kyoto" in found["detail"]
    assert api.contents() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["hosts"][0].update(memory="16 cups"), "hosts[0].memory"),
        (lambda p: p["hosts"][0].update(site="nowhere"), "hosts[0].site"),
        (lambda p: p["hosts"].append(p["hosts"][0]), "hosts[6]"),
        (lambda p: p["flavors"][0].update(vcpus=0), "flavors[0].vcpus"),
        (lambda p: p["flavors"][0].update(vcpus=-(10**400)), "flavors[0].vcpus"),
        (lambda p: p["sites"][0].update(guest_network="10.0.0.0/99"), "sites[0].guest_network"),
        (lambda p: p.update(colour="red"), "colour"),
        (lambda p: p.pop("hosts") and p.update(hosts={"a": 1}), "hosts"),
    ],
)
def test_a_malformed_description_is_told_where_and_what_and_changes_nothing(
    untouched_api: Api, change: Any, said: str
) -> None:
    described = pool()
    change(described)
    before = untouched_api.contents()
    answer = untouched_api.put("/v1/pool", json=described)
    found = problem_of(answer, 422, "pool-file-invalid")
    assert said in found["detail"]
    assert found["fields"]["expected"]
    assert untouched_api.contents() == before


def test_a_drain_is_an_operation_that_ends_when_the_host_is_empty(api: Api) -> None:
    api.join(MIKASA)
    api.see_all()
    name = api.get("/v1/servers").json()["items"][0]["host"]
    answer = api.post(f"/v1/hosts/{name}/drain")
    assert answer.status_code == 202
    operation = answer.json()
    carried = host(api, name)["servers"]
    assert (operation["kind"], operation["total"]) == ("host.drain", carried + 1)
    assert (host(api, name)["duty"], host(api, name)["standing"]) == ("draining", "closed")
    problem_of(api.post(f"/v1/hosts/{name}/drain"), 409, "host-draining")
    # Back in service before it was empty: the drain has come to nothing, and says so.
    assert api.post(f"/v1/hosts/{name}/return").json()["duty"] == "in-service"
    ended = api.get(f"/v1/operations/{operation['id']}").json()
    assert (ended["state"], ended["error"]["type"]) == ("failed", "superseded")


def test_a_rehearsed_drain_tells_where_each_server_would_go(api: Api) -> None:
    api.join(MIKASA)
    server = api.get("/v1/servers").json()["items"][0]
    before = api.contents()
    plan = api.post(f"/v1/hosts/{server['host']}/drain?dry_run=true").json()
    assert plan["stuck"] == []
    assert server["id"] in [move["server"] for move in plan["moves"]]
    assert all(move["target"] != server["host"] for move in plan["moves"])
    assert api.contents() == before


def test_returning_a_host_that_is_in_service_changes_nothing(untouched_api: Api) -> None:
    before = untouched_api.contents()
    assert untouched_api.post("/v1/hosts/kyoto-1/return").json()["duty"] == "in-service"
    assert untouched_api.contents() == before


def test_a_dead_host_is_not_drained(api: Api) -> None:
    api.set_health("kyoto-1", Confirmed(NOW, ("network", "storage")))
    before = api.contents()
    problem_of(api.post("/v1/hosts/kyoto-1/drain"), 409, "host-down")
    assert api.contents() == before


@pytest.mark.parametrize("verb", ["drain", "return"])
def test_who_has_read_an_older_host_changes_nothing(api: Api, verb: str) -> None:
    tag = api.get("/v1/hosts/kyoto-1").headers["etag"]
    assert api.post("/v1/hosts/kyoto-1/drain", headers={"If-Match": tag}).status_code == 202
    before = api.contents()
    answer = api.post(f"/v1/hosts/kyoto-1/{verb}", headers={"If-Match": tag})
    problem_of(answer, 412, "host-changed")
    problem_of(
        api.post(f"/v1/hosts/kyoto-1/{verb}", headers={"If-Match": "W/nonsense"}),
        412,
        "if-match-invalid",
    )
    assert api.contents() == before


@pytest.mark.parametrize("method", ["word", "power-off"])
def test_a_fence_request_waits_for_the_reconciler_under_a_name(api: Api, method: str) -> None:
    statement = "I stand before the rack and its lights are off."
    answer = api.post("/v1/hosts/kyoto-2/fence", json={"statement": statement, "method": method})
    assert answer.status_code == 202
    assert (answer.json()["by"], answer.json()["dry_run"]) == ("first operator", False)
    with api.store.read() as tx:
        (word,) = tx.fence_words()
    assert (word.host, word.statement, word.method) == ("kyoto-2", statement, FenceMethod(method))
    assert host(api, "kyoto-2")["health"] == "up"
    (event,) = [e for e in api.get("/v1/events").json()["items"] if e["kind"] == "host.fence-asked"]
    assert statement in event["en"]


def test_a_rehearsed_fence_records_nothing(untouched_api: Api) -> None:
    before = untouched_api.contents()
    body = {"statement": "I stand before the rack.", "method": "word"}
    answer = untouched_api.post("/v1/hosts/kyoto-2/fence?dry_run=true", json=body)
    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert untouched_api.contents() == before


@pytest.mark.parametrize(
    "body",
    [
        {"statement": "off", "method": "word"},
        {"statement": "x" * 501, "method": "word"},
        {"statement": "I saw it.\nHost is fine.", "method": "word"},
        {"statement": "I stand before the rack.", "method": "prayer"},
        {"method": "word"},
        {},
    ],
)
def test_a_fence_request_without_a_proper_statement_is_refused(
    untouched_api: Api, body: dict[str, str]
) -> None:
    before = untouched_api.contents()
    problem_of(untouched_api.post("/v1/hosts/kyoto-2/fence", json=body), 422, "request-invalid")
    assert untouched_api.contents() == before


def test_a_host_that_is_fenced_already_needs_no_word(api: Api) -> None:
    evidence = FenceEvidence(
        HostId("kyoto-1"), FenceKind.REDFISH_POWER_OFF, NOW, "bmc kyoto-1", "Read back as off."
    )
    dead = Up(NOW).suspect(NOW, "network").confirm(NOW, "storage")
    api.set_health("kyoto-1", dead.fence(evidence))
    assert host(api, "kyoto-1")["fence"]["by"] == "bmc kyoto-1"
    before = api.contents()
    body = {"statement": "I stand before the rack.", "method": "word"}
    problem_of(api.post("/v1/hosts/kyoto-1/fence", json=body), 409, "host-fenced")
    assert api.contents() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/hosts/nowhere"),
        ("POST", "/v1/hosts/nowhere/drain"),
        ("POST", "/v1/hosts/nowhere/return"),
        ("POST", "/v1/hosts/nowhere/fence"),
        ("GET", "/v1/hosts?region=nowhere"),
        ("GET", "/v1/regions/nowhere/certificate"),
        ("POST", "/v1/regions/nowhere/certificate/check"),
    ],
)
def test_what_does_not_exist_is_not_found(untouched_api: Api, method: str, path: str) -> None:
    body = {"statement": "I stand before the rack.", "method": "word"}
    before = untouched_api.contents()
    more = {"json": body} if path.endswith("fence") else {}
    answer = untouched_api.request(method, path, **more)
    assert answer.status_code == 404, answer.text
    assert "nowhere" in answer.json()["detail"]
    assert untouched_api.contents() == before


@pytest.mark.parametrize("name", ["UPPER", "-x", "x" * 64, "a b", "%2e%2e", "ホスト"])
def test_a_name_that_cannot_be_one_is_refused(untouched_api: Api, name: str) -> None:
    answer = untouched_api.get(f"/v1/hosts/{name}")
    assert answer.status_code in (400, 404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_explain_tells_where_servers_would_go_and_writes_nothing(untouched_api: Api) -> None:
    before = untouched_api.contents()
    answer = untouched_api.post(
        "/v1/explain", json={"region": "kyoto", "flavor": "m1.large", "count": 3, "zone": "lgwan"}
    ).json()
    assert answer["fits"] is True
    assert answer["refusal"] is None
    assert len(answer["servers"]) == 3
    for spot in answer["servers"]:
        (refuge,) = spot["refuges"]
        assert refuge == {"failure": f"host:{spot['host']}", "host": refuge["host"]}
        assert refuge["host"] != spot["host"]
    assert untouched_api.contents() == before


def test_explain_tells_why_servers_would_not_fit(untouched_api: Api) -> None:
    before = untouched_api.contents()
    answer = untouched_api.post(
        "/v1/explain",
        json={"region": "kyoto", "flavor": "m1.xlarge", "count": 3},
        headers={"Accept-Language": "ja"},
    )
    assert answer.status_code == 200
    found = answer.json()
    assert (found["fits"], found["servers"]) == (False, [])
    assert found["refusal"]["shortfall"] > 0
    assert found["refusal"]["nearest"].startswith("kyoto-")
    assert found["refusal"]["en"] != found["refusal"]["ja"]
    assert untouched_api.contents() == before


@pytest.mark.parametrize(
    ("body", "type"),
    [
        ({"region": "nowhere", "flavor": "m1.small"}, "region-not-found"),
        ({"region": "kyoto", "flavor": "m9.huge"}, "flavor-not-found"),
        ({"region": "kyoto", "flavor": "m1.small", "count": 501}, "request-invalid"),
        ({"region": "kyoto", "flavor": "m1.small", "count": "many"}, "request-invalid"),
        ({"region": "kyoto", "flavor": "../etc"}, "request-invalid"),
        ([], "request-invalid"),
    ],
)
def test_a_question_about_what_does_not_exist_is_a_mistake_in_the_body(
    untouched_api: Api, body: Any, type: str
) -> None:
    problem_of(untouched_api.post("/v1/explain", json=body), 422, type)


def test_the_reserve_is_the_worst_failure_and_not_the_sum_of_all(api: Api) -> None:
    api.join(UJI)
    found = api.get("/v1/regions/kyoto/certificate").json()
    by_host = {each["host"]: each["reserve"] for each in found["reserve"]["by_host"]}
    total = found["reserve"]["total"]
    assert total["memory_mib"] == sum(each["memory_mib"] for each in by_host.values())
    assert 0 < found["reserve"]["hosts_worth"] <= 1.01
    for each in api.get("/v1/hosts?region=kyoto").json()["items"]:
        expected = by_host.get(each["id"], {"vcpus": 0, "memory_mib": 0})
        assert each["reserved"] == expected
        assert each["used"]["memory_mib"] + each["reserved"]["memory_mib"] <= 16384


def test_a_certificate_that_a_death_has_opened_says_exactly_what_is_uncovered(api: Api) -> None:
    api.join(UJI)
    api.see_all(Seen.RUNNING)
    used = {server["host"] for server in api.get("/v1/servers").json()["items"]}
    for name in ("kyoto-1", "kyoto-2", "kyoto-3"):
        if name not in used or len(used) > 1:
            api.set_health(name, Confirmed(NOW, ("network", "storage")))
            used.discard(name)
    found = api.post("/v1/regions/kyoto/certificate/check").json()
    assert found["uncovered"] or not found["valid"]
    for refusal in found["uncovered"]:
        assert refusal["failure"]
        assert refusal["en"]
        assert refusal["ja"]
    entry = api.get("/v1/audit").json()["items"][-1]
    assert entry["action"] == "certificate.check"
    assert entry["fields"]["uncovered"] == len(found["uncovered"])


def test_while_a_failure_is_under_way_only_what_is_proved_is_promised_for_the_next(
    api: Api,
) -> None:
    api.join(UJI)
    api.see_all(Seen.RUNNING)
    calm = api.get("/v1/regions/kyoto/certificate").json()
    assert (calm["valid"], calm["under_way"]) == (True, None)
    first = min(server["host"] for server in api.get("/v1/servers").json()["items"])
    others = {"kyoto-1", "kyoto-2", "kyoto-3"} - {first}
    api.set_health(first, Suspect(NOW, "network"))
    found = api.get("/v1/regions/kyoto/certificate").json()
    assert found["under_way"]["hosts"] == [first]
    assert found["under_way"]["servers"] > 0
    assert found["valid"] is (found["under_way"]["survives_next"] and not found["violations"])
    for other in others:
        api.set_health(other, Confirmed(NOW, ("network", "storage")))
    found = api.post("/v1/regions/kyoto/certificate/check").json()
    assert found["valid"] is False
    assert found["under_way"]["survives_next"] is False
    assert found["under_way"]["en"]
    assert found["under_way"]["ja"]
    named = {(refusal["failure"], refusal["server"]) for refusal in found["uncovered"]}
    assert len(named) == len(found["uncovered"]) > 0


def test_flavors_are_listed_for_everybody(untouched_api: Api) -> None:
    found = untouched_api.get("/v1/flavors").json()["items"]
    assert {"id": "m1.small", "vcpus": 1, "memory_mib": 2048, "disk_gib": 10} in found
