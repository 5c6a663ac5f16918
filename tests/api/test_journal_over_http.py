"""Events, operations and the audit trail, and waiting for them without polling."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from control_plane.journal.progress import settle_all
from control_plane.model.operation import Event, Severity
from control_plane.model.workload import Seen
from tests.api.conftest import MIKASA, NOW, UJI, Api, problem_of


def events(api: Api, **params: Any) -> dict[str, Any]:
    answer = api.get("/v1/events", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_events_are_read_onwards_from_where_one_was(api: Api) -> None:
    api.join(MIKASA)
    first = events(api, limit=1)
    rest = events(api, after=first["next"])
    together = first["items"] + rest["items"]
    assert together == events(api)["items"]
    numbers = [event["sequence"] for event in together]
    assert numbers == sorted(set(numbers))
    nothing = events(api, after=rest["next"])
    assert nothing == {"items": [], "next": rest["next"], "previous": None}


def test_an_event_is_told_in_both_languages(api: Api) -> None:
    api.join(MIKASA)
    joined = events(api)["items"][-1]
    assert joined["kind"] == "member.joined"
    assert "三笠市" in joined["ja"]
    assert "Resident records" in joined["en"]
    assert joined["tenant"] == MIKASA


def test_who_waits_for_events_is_answered_when_one_happens(api: Api) -> None:
    after = events(api)["next"]
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: found.append(events(api, after=after, wait=60)))
    waiting.start()
    with api.store.write() as tx:
        tx.add_event(Event("host.suspect", "host:x", NOW, Severity.WARNING, "Look.", "確認"))
    waiting.join(timeout=60)
    assert [event["kind"] for event in found[0]["items"]] == ["host.suspect"]


def test_who_waits_in_vain_is_answered_with_nothing_new(untouched_api: Api) -> None:
    after = events(untouched_api)["next"]
    assert events(untouched_api, after=after, wait=0.1) == {
        "items": [],
        "next": after,
        "previous": None,
    }


def test_a_member_that_waits_is_not_woken_by_anothers_events(api: Api) -> None:
    api.join(MIKASA)
    town = api.tenant(MIKASA)
    after = events(town)["next"]
    api.join(UJI)
    assert events(town, after=after, wait=0.2) == {"items": [], "next": after, "previous": None}


@pytest.mark.parametrize(
    "query", ["after=-1", "wait=61", "wait=-1", "wait=nan", "after=x", f"after={10**30}"]
)
def test_a_wait_is_bounded(untouched_api: Api, query: str) -> None:
    problem_of(untouched_api.get(f"/v1/events?{query}"), 422, "request-invalid")


def test_a_joins_operation_counts_the_servers_that_run(api: Api) -> None:
    joined = api.join(MIKASA)
    path = f"/v1/operations/{joined['id']}"
    servers = api.get("/v1/servers").json()["items"]
    api.see(servers[0]["id"], Seen.RUNNING)
    assert [api.get(path).json()[key] for key in ("state", "done", "total")] == ["running", 1, 2]
    api.see(servers[1]["id"], Seen.RUNNING)
    assert [api.get(path).json()[key] for key in ("state", "done", "total")] == ["done", 2, 2]
    api.see_all(Seen.NOWHERE)
    assert api.get(path).json()["state"] == "done"


def test_who_waits_for_an_operation_is_answered_when_it_gets_on(api: Api) -> None:
    joined = api.join(MIKASA)
    found: list[dict[str, Any]] = []
    path = f"/v1/operations/{joined['id']}?wait=60"
    waiting = threading.Thread(target=lambda: found.append(api.get(path).json()))
    waiting.start()
    time.sleep(0.1)  # So that it truly waits; being early changes nothing of what is asserted.
    api.see_all()
    waiting.join(timeout=60)
    assert found[0]["state"] == "done" or found[0]["done"] > 0


def test_an_operation_that_has_ended_is_not_waited_for(api: Api) -> None:
    joined = api.join(MIKASA)
    api.see_all()
    assert api.get(f"/v1/operations/{joined['id']}?wait=60").json()["state"] == "done"


def test_an_operation_that_nobody_looks_at_is_settled_all_the_same(api: Api) -> None:
    api.join(MIKASA)
    assert settle_all(api.store, NOW) == 0
    api.see_all()
    assert settle_all(api.store, NOW) == 1
    assert settle_all(api.store, NOW) == 0
    last = events(api)["items"][-1]
    assert (last["kind"], last["tenant"]) == ("operation.done", MIKASA)


def test_operations_are_listed_newest_first_page_by_page(api: Api) -> None:
    api.join(MIKASA)
    server = api.get("/v1/servers").json()["items"][0]["id"]
    for verb in ("stop", "start", "stop"):
        assert api.post(f"/v1/servers/{server}/{verb}").status_code == 202
    everything = api.get("/v1/operations").json()
    assert everything["next"] is None
    assert len(everything["items"]) == 4
    first = api.get("/v1/operations?limit=3").json()
    second = api.get(f"/v1/operations?limit=3&cursor={first['next']}").json()
    assert first["items"] + second["items"] == everything["items"]
    assert second["next"] is None


def test_an_operation_that_does_not_exist_is_not_found_however_long_one_would_wait(
    untouched_api: Api,
) -> None:
    problem_of(untouched_api.get("/v1/operations/op-no-such?wait=60"), 404, "operation-not-found")


def test_every_change_stands_in_the_audit_trail(api: Api) -> None:
    api.join(MIKASA)
    server = api.get("/v1/servers").json()["items"][0]["id"]
    town = api.tenant(MIKASA)
    town.post(f"/v1/servers/{server}/stop")
    api.post(f"/v1/servers/{server}/migrate")
    api.post("/v1/hosts/kyoto-1/drain")
    api.post("/v1/hosts/kyoto-1/return")
    api.post(
        "/v1/hosts/kyoto-1/fence",
        json={"statement": "I stand before the rack.", "method": "word"},
    )
    trail = api.get("/v1/audit").json()["items"]
    assert [entry["action"] for entry in trail] == [
        "token.issue",
        "pool.apply",
        "member.join",
        "token.issue",
        "server.stop",
        "server.migrate",
        "host.drain",
        "host.return",
        "host.fence",
    ]
    stop = trail[4]
    assert (stop["role"], stop["tenant"]) == ("member-admin", MIKASA)
    assert stop["fields"]["label"] == f"town {MIKASA}"


def test_many_who_wait_are_served_by_one_look_at_the_state(api: Api) -> None:
    after = events(api)["next"]
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(len(events(api, after=after, wait=60)["items"]))
        )
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    with api.store.write() as tx:
        tx.add_event(Event("host.suspect", "host:x", NOW, Severity.WARNING, "Look.", "確認"))
    for thread in threads:
        thread.join(timeout=60)
    assert found == [1] * 12


def test_when_too_many_wait_the_next_is_answered_at_once(api: Api) -> None:
    api.app.state.edge.watch.most_waiting = 0
    after = events(api)["next"]
    assert events(api, after=after, wait=60) == {"items": [], "next": after, "previous": None}
