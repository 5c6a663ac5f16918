"""A municipality joins through the API: what comes of it, and what is refused with nothing changed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from control_plane.model.addressing import mac_of
from control_plane.model.ids import HostId
from control_plane.model.workload import Seen
from control_plane.placement import check
from tests.api.conftest import MIKASA, SAGA_TAKEO, UJI, Api, pool, problem_of, region


def test_joining_needs_only_a_code_and_the_systems_wanted(api: Api) -> None:
    answer = api.post(
        "/v1/members",
        json={"code": MIKASA, "blueprints": ["resident-records", "facility-booking"]},
    )
    assert answer.status_code == 202
    operation = answer.json()
    assert answer.headers["location"] == f"/v1/operations/{operation['id']}"
    assert (operation["kind"], operation["subject"]) == ("member.join", f"member:{MIKASA}")
    assert (operation["state"], operation["done"], operation["total"]) == ("running", 0, 3)
    (member,) = api.get("/v1/members").json()["items"]
    assert member == {
        "code": MIKASA,
        "name": "三笠市",
        "kana": "みかさし",
        "prefecture": "北海道",
        "population": 8040,
        "band": "under-50k",
        "state": "approved",
        "since": member["since"],
    }
    servers = {server["name"]: server for server in api.get("/v1/servers").json()["items"]}
    assert sorted(servers) == [
        "m012220-facility-booking-application",
        "m012220-resident-records-application",
        "m012220-resident-records-database",
    ]
    database = servers["m012220-resident-records-database"]
    assert (database["tier"], database["zone"], database["status"]) == (0, "mynumber", "building")
    assert database["start_order"] < servers["m012220-resident-records-application"]["start_order"]
    assert len({server["address"] for server in servers.values()}) == 3
    assert {server["mac"] for server in servers.values()} == {
        mac_of(server["id"]) for server in servers.values()
    }
    assert all(server["host"].startswith("hokkaido-") for server in servers.values())


def test_a_larger_town_gets_larger_servers(api: Api) -> None:
    api.join(UJI)
    assert {server["flavor"] for server in api.get("/v1/servers").json()["items"]} == {"m1.large"}


def test_joining_leaves_a_certificate_that_holds(api: Api) -> None:
    api.join(MIKASA, "resident-records", "facility-booking")
    found = api.get("/v1/regions/hokkaido/certificate").json()
    assert found["valid"] is True
    assert found["violations"] == found["uncovered"] == []
    assert (found["servers"], found["refuges"]) == (3, 3)
    assert found["reserve"]["total"]["memory_mib"] > 0
    with api.store.read() as tx:
        assert check(tx.ledger(tx.region_of(tx.servers()[0].id))) == ()


def test_a_rehearsed_join_tells_hosts_and_refuges_and_changes_nothing(untouched_api: Api) -> None:
    before = untouched_api.contents()
    answer = untouched_api.post(
        "/v1/members?dry_run=true", json={"code": MIKASA, "blueprints": ["resident-records"]}
    )
    assert answer.status_code == 200
    plan = answer.json()
    assert (plan["dry_run"], plan["region"], plan["member"]["name"]) == (True, "hokkaido", "三笠市")
    assert [server["blueprint"] for server in plan["servers"]] == ["resident-records"] * 2
    for server in plan["servers"]:
        (refuge,) = server["refuges"]
        assert refuge["failure"] == f"host:{server['host']}"
        assert refuge["host"] != server["host"]
    assert untouched_api.contents() == before


def test_what_the_register_lacks_may_be_given(api: Api) -> None:
    answer = api.post(
        "/v1/members",
        json={
            "code": "012254",
            "blueprints": ["facility-booking"],
            "name": "滝川市",
            "kana": "たきかわし",
            "prefecture": "北海道",
            "population": 39_490,
        },
    )
    assert answer.status_code == 202, answer.text
    assert api.get("/v1/members").json()["items"][0]["name"] == "滝川市"


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"code": "999999"}, 422, "municipality-code-malformed", "is no prefecture"),
    ({"code": "１２３４５６"}, 422, "municipality-code-malformed", "six digits"),
    ({"code": "01222"}, 422, "municipality-code-malformed", "six digits"),
    ({"code": "012221"}, 422, "municipality-code-check-digit", "01222 takes 0"),
    ({"code": "012238"}, 422, "municipality-unknown", "not in the member register"),
    ({"code": SAGA_TAKEO}, 422, "no-region-serves", "No region serves 佐賀県"),
    ({"region": "kyoto"}, 422, "region-does-not-serve", "serves 京都府 and not 北海道"),
    ({"region": "atlantis"}, 422, "region-not-found", "atlantis"),
    ({"blueprints": ["tax"]}, 422, "blueprint-not-found", "property-tax"),
    ({"blueprints": ["facility-booking"] * 2}, 422, "blueprint-twice", "asked for twice"),
    ({"blueprints": []}, 422, "request-invalid", "at least 1"),
    ({"blueprints": ["a"] * 51}, 422, "request-invalid", "at most 50"),
    ({"blueprints": "resident-records"}, 422, "request-invalid", "must be a list"),
    ({"prefecture": "京都府"}, 422, "prefecture-wrong", "lies in 北海道"),
    ({"population": -1}, 422, "request-invalid", "at least 0"),
    ({"population": 10**12}, 422, "request-invalid", "at most"),
    ({"population": 1.5}, 422, "request-invalid", "whole number"),
    ({"name": "三笠\u202e市"}, 422, "request-invalid", "U+202E"),
    ({"name": "三笠市\x00"}, 422, "request-invalid", "U+0000"),
    ({"name": "笠" * 101}, 422, "request-invalid", "at most 100"),
    ({"name": "   "}, 422, "request-invalid", "at least 1"),
    ({"code": None}, 422, "request-invalid", "must be text"),
    ({"owner": "me"}, 422, "request-invalid", "not known here"),
]


@pytest.mark.parametrize(("changed", "status", "type", "said"), REFUSED)
def test_a_mistaken_join_is_refused_in_a_sentence_and_changes_nothing(
    untouched_api: Api, changed: dict[str, Any], status: int, type: str, said: str
) -> None:
    before = untouched_api.contents()
    body = {"code": MIKASA, "blueprints": ["resident-records"], **changed}
    answer = untouched_api.post(
        "/v1/members", json=body, headers={"Idempotency-Key": "a-mistaken-join"}
    )
    assert said in problem_of(answer, status, type)["detail"]
    japanese = untouched_api.post("/v1/members", json=body, headers={"Accept-Language": "ja"})
    assert problem_of(japanese, status, type)["detail"] != answer.json()["detail"]
    assert untouched_api.contents() == before


def test_a_member_joins_once(api: Api) -> None:
    api.join(MIKASA)
    before = api.contents()
    answer = api.post("/v1/members", json={"code": MIKASA, "blueprints": ["facility-booking"]})
    assert MIKASA in problem_of(answer, 409, "tenant-exists")["detail"]
    assert api.contents() == before


def test_a_blueprint_whose_image_nobody_has_added_is_refused(empty_api: Api) -> None:
    empty_api.put("/v1/pool", json=pool())
    before = empty_api.contents()
    answer = empty_api.post(
        "/v1/members", json={"code": MIKASA, "blueprints": ["resident-records"]}
    )
    assert "needs the image 'tiny'" in problem_of(answer, 422, "image-not-found")["detail"]
    assert empty_api.contents() == before


def test_a_blueprint_whose_flavor_the_pool_lacks_is_refused(api: Api) -> None:
    described = pool()
    described["flavors"] = [f for f in described["flavors"] if f["id"] != "m1.small"]
    assert api.put("/v1/pool", json=described).status_code == 200
    before = api.contents()
    answer = api.post("/v1/members", json={"code": MIKASA, "blueprints": ["resident-records"]})
    assert "m1.small" in problem_of(answer, 422, "flavor-not-found")["detail"]
    assert api.contents() == before


def test_a_join_that_does_not_fit_is_refused_with_what_lacks_and_changes_nothing(
    api: Api,
) -> None:
    described = pool()
    for flavor in described["flavors"]:
        flavor["vcpus"] = 9
    assert api.put("/v1/pool", json=described).status_code == 200
    before = api.contents()
    answer = api.post(
        "/v1/members",
        json={"code": MIKASA, "blueprints": ["facility-booking", "resident-records"]},
        headers={"Idempotency-Key": "does-not-fit"},
    )
    found = problem_of(answer, 409, "no-room")
    assert found["fields"]["shortfall"] > 0
    assert found["fields"]["proof"] == "proved-impossible"
    assert api.contents() == before


def test_the_pool_never_promises_more_than_it_can_keep(api: Api) -> None:
    """宇治市 takes 4 vCPU for each of two servers: two such members fill what N+1 leaves."""
    api.join(UJI)
    with api.store.read() as tx:
        used = {s.placement for s in tx.servers()}
    assert used
    second = {
        "code": "262129",
        "name": "京丹後市",
        "kana": "きょうたんごし",
        "prefecture": "京都府",
        "population": 120_000,
        "blueprints": ["resident-records"],
    }
    answers = [api.post("/v1/members", json=second)]
    third = {**second, "code": "262081", "name": "向日市", "kana": "むこうし"}
    answers.append(api.post("/v1/members", json=third))
    assert [answer.status_code for answer in answers] == [202, 409]
    problem_of(answers[1], 409, "no-room")
    assert api.get("/v1/regions/kyoto/certificate").json()["valid"] is True


def test_a_member_that_comes_back_gets_servers_with_new_ids(api: Api) -> None:
    api.join(MIKASA, "facility-booking")
    with api.store.write() as tx:
        (before,) = tx.servers()
        tx.remove_server(before.id)
        tx.remove_system(before.system)
        tx.remove_tenant(before.tenant)
    api.join(MIKASA, "facility-booking")
    with api.store.read() as tx:
        (after,) = tx.servers()
    assert after.name == before.name
    assert after.id != before.id
    assert mac_of(after.id) != mac_of(before.id)


def test_two_joins_at_once_do_not_both_get_the_last_room(api: Api) -> None:
    codes = [("262129", "京丹後市"), ("262081", "向日市"), ("262102", "八幡市"), (UJI, "宇治市")]
    answers: list[int] = []

    def join(code: str, name: str) -> None:
        body = {
            "code": code,
            "name": name,
            "kana": "かな",
            "prefecture": "京都府",
            "population": 150_000,
            "blueprints": ["resident-records"],
        }
        answers.append(api.post("/v1/members", json=body).status_code)

    threads = [threading.Thread(target=join, args=each) for each in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [202, 202, 409, 409]
    with api.store.read() as tx:
        assert check(tx.ledger(tx.host(HostId("kyoto-1")).region)) == ()
        assert len(tx.servers()) == 4


def test_a_region_that_names_no_prefecture_takes_whoever_asks_for_it(api: Api) -> None:
    described = pool()
    spare = region("spare", "x", "10.77.18.0/24")
    spare["regions"][0]["prefectures"] = []
    described = {key: described[key] + spare.get(key, []) for key in described}
    assert api.put("/v1/pool", json=described).status_code == 200
    answer = api.post(
        "/v1/members?dry_run=true",
        json={"code": SAGA_TAKEO, "region": "spare", "blueprints": ["facility-booking"]},
    )
    # Its hosts are being cleaned, so it is the room that is missing and not the right to it.
    problem_of(answer, 409, "no-room")


def test_systems_tell_how_many_of_their_servers_run(api: Api) -> None:
    api.join(MIKASA)
    database, application = sorted(
        api.get("/v1/servers").json()["items"], key=lambda server: server["start_order"]
    )

    def system() -> tuple[int, int, str]:
        (found,) = api.get("/v1/systems").json()["items"]
        assert (found["name_ja"], found["name_en"]) == ("住民記録", "Resident records")
        return found["running"], found["servers"], found["state"]

    assert system() == (0, 2, "building")
    api.see(database["id"], Seen.RUNNING)
    assert system() == (1, 2, "degraded")
    api.see(application["id"], Seen.RUNNING)
    assert system() == (2, 2, "running")
    for server in (database, application):
        api.post(f"/v1/servers/{server['name']}/stop")
        api.see(server["id"], Seen.STOPPED)
    assert system() == (0, 2, "stopped")


def test_the_catalogue_is_there_for_everybody_to_read(untouched_api: Api) -> None:
    found = {b["id"]: b for b in untouched_api.get("/v1/blueprints").json()["items"]}
    assert set(found) > {"resident-records", "facility-booking"}
    assert found["resident-records"]["servers"][0]["flavors"]["under-50k"] == "m1.small"


def test_one_system_is_shown_whole_and_by_version(untouched_api: Api) -> None:
    shown = untouched_api.get("/v1/blueprints/seal-registration").json()
    assert (shown["version"], shown["versions"]) == (1, [1])
    assert (shown["name_ja"], shown["standard_task"]) == ("印鑑登録", "印鑑登録")
    assert (shown["needs"], shown["zone"]) == (["resident-records"], "mynumber")
    assert shown["service_hours"][0]["opens"] == "06:30"
    assert shown["backup"]["rpo_hours"] == 1
    assert shown["start_sequence"] == [["database"], ["application"]]
    assert shown["stop_sequence"] == [["application"], ["database"]]
    assert untouched_api.get("/v1/blueprints/seal-registration?version=1").json() == shown
    absent = untouched_api.get("/v1/blueprints/seal-registration?version=2")
    assert "there is 1" in problem_of(absent, 404, "blueprint-not-found")["detail"]
    mistyped = untouched_api.get("/v1/blueprints/seal-registraton")
    assert "seal-registration" in problem_of(mistyped, 404, "blueprint-not-found")["detail"]


def test_what_a_set_of_systems_takes_is_told_by_population(untouched_api: Api) -> None:
    def size(query: str) -> Any:
        return untouched_api.get(f"/v1/catalogue/size?{query}").json()

    one = size("population=60000&blueprint=seal-registration&blueprint=seal-registration")
    assert (one["band"], one["total"]["servers"]) == ("50k-100k", 2)
    assert one["total"] == {
        "servers": 2,
        "size": {"vcpus": 2, "memory_mib": 4096},
        "disk_gib": 20,
    }
    assert [lack["missing"] for lack in one["lacks"]] == ["resident-records"]
    everything = size("population=60000")
    assert everything["lacks"] == []
    assert len(everything["systems"]) == len(untouched_api.get("/v1/blueprints").json()["items"])
    unknown = untouched_api.get("/v1/catalogue/size?population=1&blueprint=nothing")
    problem_of(unknown, 404, "blueprint-not-found")
    problem_of(untouched_api.get("/v1/catalogue/size"), 422, "request-invalid")


def test_a_pool_without_the_sizes_that_blueprints_name_is_told_so(empty_api: Api) -> None:
    answer = empty_api.get("/v1/catalogue/size?population=1&blueprint=library")
    assert "m1.small" in problem_of(answer, 404, "flavor-not-found")["detail"]


def test_a_rehearsed_join_warns_of_what_a_system_lacks(api: Api) -> None:
    answer = api.post(
        "/v1/members?dry_run=true", json={"code": MIKASA, "blueprints": ["seal-registration"]}
    )
    (lack,) = answer.json()["lacks"]
    assert (lack["blueprint"], lack["missing"], lack["needed"]) == (
        "seal-registration",
        "resident-records",
        True,
    )
    assert "印鑑" not in lack["en"]
    assert "resident-records" in lack["ja"]
