"""Servers stopped, started, moved and looked at through the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.model.host_health import Confirmed
from control_plane.model.ids import HostId, ServerId
from control_plane.model.workload import Moving, Seen
from tests.api.conftest import MIKASA, NOW, Api, problem_of


@pytest.fixture
def server(api: Api) -> dict[str, Any]:
    """The one server of 三笠市's facility booking, seen running."""
    api.join(MIKASA, "facility-booking")
    api.see_all()
    return read(api)


def read(api: Api) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = api.get("/v1/servers").json()["items"]
    return found


def operation(api: Api, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = api.get(answer.headers["location"]).json()
    return found


def test_a_server_is_found_by_its_id_and_by_its_name(api: Api, server: dict[str, Any]) -> None:
    by_id = api.get(f"/v1/servers/{server['id']}")
    by_name = api.get(f"/v1/servers/{server['name']}")
    assert by_id.json() == by_name.json() == server
    assert by_id.headers["etag"] == f'"g{server["generation"]}"'
    assert server["id"].startswith(server["name"])
    assert len(server["id"]) <= 63


def test_a_member_stops_and_starts_its_own_server(api: Api, server: dict[str, Any]) -> None:
    town = api.tenant(MIKASA)
    stop = town.post(f"/v1/servers/{server['id']}/stop")
    assert operation(town, stop)["state"] == "running"
    assert (read(api)["power"], read(api)["status"]) == ("stopped", "stopping")
    assert read(api)["generation"] == server["generation"] + 1
    api.see(server["id"], Seen.STOPPED)
    assert operation(town, stop)["state"] == "done"
    start = town.post(f"/v1/servers/{server['id']}/start")
    assert (operation(town, start)["state"], read(api)["status"]) == ("running", "building")
    api.see(server["id"], Seen.RUNNING)
    assert operation(town, start)["state"] == "done"


def test_a_stopped_server_keeps_its_room_and_its_refuge(api: Api, server: dict[str, Any]) -> None:
    before = api.get("/v1/regions/hokkaido/certificate").json()
    api.post(f"/v1/servers/{server['id']}/stop")
    after = api.get("/v1/regions/hokkaido/certificate").json()
    assert (after["refuges"], after["reserve"]) == (before["refuges"], before["reserve"])


def test_stopping_what_is_to_be_stopped_leaves_its_generation(
    api: Api, server: dict[str, Any]
) -> None:
    api.post(f"/v1/servers/{server['id']}/stop")
    generation = read(api)["generation"]
    api.see(server["id"], Seen.STOPPED)
    again = api.post(f"/v1/servers/{server['id']}/stop")
    assert operation(api, again)["state"] == "done"
    assert read(api)["generation"] == generation


def test_a_stop_that_was_overtaken_by_a_start_says_so(api: Api, server: dict[str, Any]) -> None:
    stop = api.post(f"/v1/servers/{server['id']}/stop")
    api.post(f"/v1/servers/{server['id']}/start")
    ended = operation(api, stop)
    assert (ended["state"], ended["error"]["type"]) == ("failed", "superseded")


def test_what_ended_stays_ended_whatever_happens_later(api: Api, server: dict[str, Any]) -> None:
    stop = api.post(f"/v1/servers/{server['id']}/stop")
    api.see(server["id"], Seen.STOPPED)
    assert operation(api, stop)["state"] == "done"
    api.post(f"/v1/servers/{server['id']}/start")
    assert operation(api, stop)["state"] == "done"


@pytest.mark.parametrize("then", ["start", "reboot", "shelve"])
def test_what_had_ended_before_the_next_thing_was_asked_for_is_on_record_as_done(
    api: Api, server: dict[str, Any], then: str
) -> None:
    before = api.post(f"/v1/servers/{server['id']}/{'stop' if then == 'start' else 'start'}")
    api.see(server["id"], Seen.STOPPED if then == "start" else Seen.RUNNING)
    asked = api.post(f"/v1/servers/{server['id']}/{then}")
    assert asked.status_code == 202, asked.text
    assert operation(api, before)["state"] == "done"


@pytest.mark.parametrize("what", ["servers", "systems"])
def test_a_join_that_had_ended_is_done_though_a_server_of_it_is_deleted(
    api: Api, server: dict[str, Any], what: str
) -> None:
    path = {"servers": server["id"], "systems": server["system"]}[what]
    assert api.request("DELETE", f"/v1/{what}/{path}").status_code == 202
    (join,) = [o for o in api.get("/v1/operations").json()["items"] if o["kind"] == "member.join"]
    assert join["state"] == "done"


@pytest.mark.parametrize("verb", ["stop", "start", "migrate"])
def test_a_rehearsal_changes_nothing(api: Api, server: dict[str, Any], verb: str) -> None:
    before = api.contents()
    answer = api.post(f"/v1/servers/{server['id']}/{verb}?dry_run=true")
    assert answer.status_code == 200, answer.text
    assert api.contents() == before


@pytest.mark.parametrize("verb", ["stop", "start", "migrate"])
def test_who_has_read_an_older_server_changes_nothing(
    api: Api, server: dict[str, Any], verb: str
) -> None:
    api.post(f"/v1/servers/{server['id']}/stop")
    before = api.contents()
    answer = api.post(
        f"/v1/servers/{server['id']}/{verb}", headers={"If-Match": f'"g{server["generation"]}"'}
    )
    problem_of(answer, 412, "server-changed")
    assert api.contents() == before


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_server_that_is_being_removed_is_neither_stopped_nor_started(
    api: Api, server: dict[str, Any], verb: str
) -> None:
    with api.store.write() as tx:
        tx.save_server(replace(tx.server(ServerId(server["id"])), deleting=True))
    before = api.contents()
    problem_of(api.post(f"/v1/servers/{server['id']}/{verb}"), 409, "server-deleting")
    assert api.contents() == before


def test_a_migration_holds_both_hosts_and_ends_when_it_has_arrived(
    api: Api, server: dict[str, Any]
) -> None:
    moved = api.post(f"/v1/servers/{server['id']}/migrate")
    assert operation(api, moved)["state"] == "running"
    moving = read(api)
    assert (moving["status"], moving["host"]) == ("migrating", server["host"])
    assert moving["moving_to"] not in (None, server["host"])
    assert api.get("/v1/regions/hokkaido/certificate").json()["valid"] is True
    before = api.contents()
    problem_of(api.post(f"/v1/servers/{server['id']}/migrate"), 409, "server-moving")
    assert api.contents() == before
    with api.store.write() as tx:
        found = tx.server(ServerId(server["id"]))
        assert isinstance(found.placement, Moving)
        tx.save_server(replace(found, placement=found.placement.arrived()))
    assert operation(api, moved)["state"] == "done"
    assert read(api)["host"] == moving["moving_to"]


def test_a_migration_that_was_given_up_says_so(api: Api, server: dict[str, Any]) -> None:
    moved = api.post(f"/v1/servers/{server['id']}/migrate")
    with api.store.write() as tx:
        found = tx.server(ServerId(server["id"]))
        assert isinstance(found.placement, Moving)
        tx.save_server(replace(found, placement=found.placement.abandoned()))
    ended = operation(api, moved)
    assert (ended["state"], ended["error"]["type"]) == ("failed", "move-given-up")


def test_an_operator_names_the_host_to_move_to(api: Api, server: dict[str, Any]) -> None:
    target = next(
        h["id"]
        for h in api.get("/v1/hosts?region=hokkaido").json()["items"]
        if h["id"] != server["host"]
    )
    assert api.post(f"/v1/servers/{server['id']}/migrate", json={"target": target}).is_success
    assert read(api)["moving_to"] == target


def test_a_migration_to_where_it_cannot_go_is_refused(api: Api, server: dict[str, Any]) -> None:
    api.set_health("hokkaido-1", Confirmed(NOW, ("network", "storage")))
    before = api.contents()
    path = f"/v1/servers/{server['id']}/migrate"
    problem_of(api.post(path, json={"target": server["host"]}), 409, "server-already-there")
    problem_of(api.post(path, json={"target": "nowhere"}), 422, "host-not-found")
    refused = api.post(path, json={"target": "kyoto-1"})
    assert refused.status_code in (409, 422), refused.text
    problem_of(api.post(path, json={"target": 3}), 422, "request-invalid")
    problem_of(api.post(path, json={"goal": "x"}), 422, "request-invalid")
    assert api.contents() == before


@pytest.mark.parametrize("verb", ["stop", "start", "migrate"])
def test_a_server_that_does_not_exist_is_not_found(api: Api, verb: str) -> None:
    before = api.contents()
    problem_of(api.post(f"/v1/servers/no-such/{verb}"), 404, "server-not-found")
    assert api.contents() == before


def test_the_console_of_a_server_that_never_ran_is_not_there(
    api: Api, server: dict[str, Any]
) -> None:
    problem_of(api.get(f"/v1/servers/{server['id']}/console"), 409, "console-not-there")


def test_the_console_of_an_unreachable_host_is_a_problem_that_names_no_hardware(
    api: Api, server: dict[str, Any]
) -> None:
    with api.store.read() as tx:
        api.world.machine(tx.host(HostId(server["host"])))
    api.world.cut_network(HostId(server["host"]))
    answer = api.tenant(MIKASA).get(f"/v1/servers/{server['id']}/console")
    problem_of(answer, 503, "host-unreachable")
    assert server["host"] not in answer.text


@pytest.mark.parametrize("tail", [0, -1, 1024 * 1024 + 1, "all"])
def test_a_console_is_read_within_bounds(api: Api, server: dict[str, Any], tail: object) -> None:
    answer = api.get(f"/v1/servers/{server['id']}/console?tail_bytes={tail}")
    problem_of(answer, 422, "request-invalid")
