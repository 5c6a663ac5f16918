"""Members make, restart, resize, rebuild and delete servers of their own, through the API and down to
simulated hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.model.ids import ImageId, ServerId
from tests.api.conftest import MIKASA, TINY, UJI, Api, problem_of
from tests.api.town import Town


@pytest.fixture
def town(api: Api) -> Town:
    return Town(api)


def test_many_servers_are_made_with_one_call_and_followed_by_one_operation(town: Town) -> None:
    answer = town.create(town.ask(count=2, anti_affinity="web"), town.ask(name="batch"))
    begun = town.api.get(answer.headers["location"]).json()
    assert (begun["state"], begun["done"], begun["total"]) == ("running", 0, 3)
    ended = town.ended(answer)
    assert (ended["state"], ended["done"]) == ("done", 3)
    with town.operator.store.read() as tx:
        webs = [server for server in tx.servers() if server.name.startswith("web-")]
    assert len({server.placement for server in webs}) == 2
    assert {town.show(name)["status"] for name in ("web-1", "web-2", "batch")} == {"active"}
    assert town.promise_holds()


def test_all_are_made_or_none(town: Town) -> None:
    before = town.operator.contents()
    problem_of(
        town.create(town.ask(), town.ask(name="big", flavor="m1.xlarge", count=3)), 409, "no-room"
    )
    assert town.operator.contents() == before


@pytest.mark.parametrize(
    ("wrong", "type"),
    [
        ({"system": "m262048-library"}, "system-not-found"),
        ({"flavor": "m9.none"}, "flavor-not-found"),
        ({"image": "none"}, "image-not-found"),
        ({"count": 201}, "request-invalid"),
        ({"user_data": "x" * 65_537}, "request-invalid"),
        ({"name": "Web"}, "request-invalid"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(
    town: Town, wrong: dict[str, Any], type: str
) -> None:
    before = town.operator.contents()
    problem_of(town.create(town.ask(**wrong)), 422, type)
    assert town.operator.contents() == before


def test_another_members_own_image_is_one_that_never_was(town: Town) -> None:
    server = town.made()["id"]
    with town.operator.store.write() as tx:
        for name, owner in (("img-theirs", UJI), ("img-own", MIKASA)):
            tx.put_image(replace(tx.image(TINY.id), id=ImageId(name), owner=owner, private=True))
    problem_of(town.create(town.ask(name="x", image="img-theirs")), 422, "image-not-found")
    rebuild = f"/v1/servers/{server}/rebuild"
    answer = town.api.post(rebuild, json={"image": "img-theirs"})
    problem_of(answer, 422, "image-not-found")
    assert town.api.post(rebuild, json={"image": "img-own"}).status_code == 202
    assert town.create(town.ask(name="y", image="img-own")).status_code == 202


def test_a_name_is_used_once(town: Town) -> None:
    town.made()
    problem_of(town.create(town.ask()), 409, "server-name-taken")
    problem_of(town.create(town.ask(name="a"), town.ask(name="a")), 422, "server-name-twice")


def test_a_rehearsal_tells_what_would_change_and_what_it_costs(town: Town) -> None:
    before = town.operator.contents()
    answer = town.create(town.ask(count=2, flavor="m1.medium"), params={"dry_run": "true"})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert [(one["op"], one["path"], one["from"]) for one in plan["diff"]] == [
        ("add", "/servers/web-1", None),
        ("add", "/servers/web-2", None),
    ]
    assert plan["capacity"] == {"vcpus": 4, "memory_mib": 8192, "disk_gib": 20}
    promise = plan["certificate"]
    assert (promise["valid"], promise["refuges_changed"]) == (True, 2)
    assert promise["reserve_hosts_after"] >= promise["reserve_hosts_before"]
    assert town.operator.contents() == before


def test_the_same_request_sent_twice_makes_one_server(town: Town) -> None:
    headers = {"Idempotency-Key": "once-and-only-once"}
    first = town.create(town.ask(), headers=headers)
    again = town.create(town.ask(), headers=headers)
    assert first.json() == again.json()
    assert len(town.api.get("/v1/servers?name=web").json()["items"]) == 1


def test_what_cloud_init_is_to_do_reaches_the_host(town: Town) -> None:
    server = town.made(user_data="#cloud-config\npackages: [nginx]\n")
    with town.operator.store.read() as tx:
        host = tx.host(tx.server(ServerId(server["id"])).placement.host)  # type: ignore[union-attr]
    machine = town.operator.world.machine(host)
    assert machine.definitions[ServerId(server["id"])].user_data == (
        "#cloud-config\npackages: [nginx]\n"
    )


@pytest.mark.parametrize("hard", [True, False])
def test_a_restarted_server_boots_anew_where_it_stands(town: Town, hard: bool) -> None:
    server = town.made()
    before = booted(town, server)
    ended = town.ended(town.api.post(f"/v1/servers/{server['id']}/reboot", json={"hard": hard}))
    assert ended["state"] == "done"
    assert booted(town, server) > before
    assert town.show("web")["status"] == "active"
    kinds = [event["kind"] for event in town.api.get("/v1/events?limit=1000").json()["items"]]
    assert "server.stopped" not in kinds, "a restart that was asked for alarms nobody"


def booted(town: Town, server: dict[str, Any]) -> int:
    with town.operator.store.read() as tx:
        return tx.server(ServerId(server["id"])).booted


def test_a_stopped_server_is_not_restarted(town: Town) -> None:
    server = town.made()
    town.ended(town.api.post(f"/v1/servers/{server['id']}/stop"))
    problem_of(town.api.post(f"/v1/servers/{server['id']}/reboot"), 409, "server-stopped")


def test_a_server_grows_while_it_runs_and_the_promise_is_made_anew(town: Town) -> None:
    server = town.made()
    answer = town.api.post(f"/v1/servers/{server['id']}/resize", json={"flavor": "m1.large"})
    assert town.ended(answer)["state"] == "done"
    grown = town.show("web")
    assert (grown["flavor"], grown["size"]) == ("m1.large", {"vcpus": 4, "memory_mib": 8192})
    assert (grown["status"], grown["restart_needed"]) == ("active", True)
    assert town.promise_holds()
    town.ended(town.api.post(f"/v1/servers/{server['id']}/reboot"))
    assert town.show("web")["restart_needed"] is False


def test_a_server_that_cannot_grow_where_it_is_moves_and_grows(town: Town) -> None:
    server = town.made()
    town.create(town.ask(name="large", flavor="m1.large"), town.ask(name="mid", flavor="m1.medium"))
    town.settle()
    before = town.show_as_operator("web")
    for beside in ("large", "mid"):
        to = {"target": before["host"]}
        town.operator.post(f"/v1/servers/{town.show(beside)['id']}/migrate", json=to)
        town.settle()
        assert town.show_as_operator(beside)["host"] == before["host"]
    used = town.api.get(f"/v1/members/{MIKASA}/quota").json()["used"]
    asked = {"flavor": "m1.large"}
    path = f"/v1/servers/{server['id']}/resize"
    plan = town.api.post(f"{path}?dry_run=true", json=asked).json()
    assert plan["diff"][0] == {
        "op": "replace", "path": "/servers/web/status", "from": "active", "to": "migrating",
    }  # fmt: skip
    assert plan["certificate"]["valid"] is True
    answer = town.api.post(path, json=asked)
    during = town.api.get(f"/v1/members/{MIKASA}/quota").json()["used"]
    assert during["vcpus"] == used["vcpus"] + plan["capacity"]["vcpus"]
    assert town.promise_holds()
    assert (town.show("web")["status"], town.show("web")["flavor"]) == ("migrating", "m1.small")
    assert town.ended(answer)["state"] == "done"
    after = town.show_as_operator("web")
    assert (after["flavor"], after["status"]) == ("m1.large", "active")
    assert after["host"] != before["host"]
    assert town.api.get(f"/v1/members/{MIKASA}/quota").json()["used"] == during
    assert town.promise_holds()


def test_a_size_for_which_there_is_no_refuge_is_refused(town: Town) -> None:
    server = town.made()
    town.create(town.ask(name="other", count=2, flavor="m1.large"))
    before = town.operator.contents()
    answer = town.api.post(f"/v1/servers/{server['id']}/resize", json={"flavor": "m1.xlarge"})
    assert problem_of(answer, 409, "no-room")["fields"]["workload"] == server["id"]
    assert town.operator.contents() == before


def test_a_rehearsed_resize_names_what_changes(town: Town) -> None:
    server = town.made()
    before = town.operator.contents()
    answer = town.api.post(
        f"/v1/servers/{server['id']}/resize?dry_run=true", json={"flavor": "m1.medium"}
    )
    plan = answer.json()
    assert plan["diff"][0] == {
        "op": "replace",
        "path": "/servers/web/flavor",
        "from": "m1.small",
        "to": "m1.medium",
    }
    assert plan["capacity"] == {"vcpus": 1, "memory_mib": 2048, "disk_gib": 0}
    assert town.operator.contents() == before


def test_a_rebuilt_server_has_an_empty_disk_and_its_old_address(town: Town) -> None:
    server = town.made()
    volumes = town.operator.world.around.pools["hokkaido-pool"].volumes  # type: ignore[index]
    volumes[ServerId(server["id"])].notes.append("written by the guest")
    ended = town.ended(town.api.post(f"/v1/servers/{server['id']}/rebuild", json={"image": "tiny"}))
    assert ended["state"] == "done"
    assert volumes[ServerId(server["id"])].notes == []
    rebuilt = town.show("web")
    assert (rebuilt["id"], rebuilt["address"], rebuilt["status"]) == (
        server["id"],
        server["address"],
        "active",
    )


def test_a_deleted_server_gives_back_its_disk_its_address_and_its_room(town: Town) -> None:
    server = town.made()
    ended = town.ended(town.delete(f"/v1/servers/{server['id']}"))
    assert ended["state"] == "done"
    problem_of(town.api.get(f"/v1/servers/{server['id']}"), 404, "server-not-found")
    volumes = town.operator.world.around.pools["hokkaido-pool"].volumes  # type: ignore[index]
    assert ServerId(server["id"]) not in volumes
    assert town.made()["address"] == server["address"]


def test_a_protected_server_and_its_disk_are_not_deleted(town: Town) -> None:
    server = town.made(protected=True)
    problem_of(town.delete(f"/v1/servers/{server['id']}"), 409, "server-protected")
    problem_of(town.delete(f"/v1/systems/{town.system}"), 409, "system-protected")
    rebuilt = town.api.post(f"/v1/servers/{server['id']}/rebuild", json={"image": "tiny"})
    problem_of(rebuilt, 409, "server-protected")
    freed = town.api.request("PATCH", f"/v1/servers/{server['id']}", json={"protected": False})
    assert freed.json()["protected"] is False
    assert town.ended(town.delete(f"/v1/servers/{server['id']}"))["state"] == "done"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/reboot", {}),
        ("POST", "/resize", {"flavor": "m1.large"}),
        ("POST", "/rebuild", {"image": "tiny"}),
        ("PATCH", "", {"protected": True}),
        ("DELETE", "", None),
    ],
)
def test_who_has_read_an_older_server_or_belongs_elsewhere_changes_nothing(
    town: Town, method: str, path: str, body: Any
) -> None:
    server = town.made()
    town.operator.join(UJI, "facility-booking")
    neighbour = town.operator.tenant(UJI)
    before = town.operator.contents()
    whole = f"/v1/servers/{server['id']}{path}"
    more: dict[str, Any] = {} if body is None else {"json": body}
    problem_of(neighbour.request(method, whole, **more), 404, "server-not-found")
    problem_of(
        town.api.request(method, whole, headers={"If-Match": '"g999"'}, **more),
        412,
        "server-changed",
    )
    rehearsed = town.api.request(method, f"{whole}?dry_run=true", **more)
    assert rehearsed.status_code == 200, rehearsed.text
    assert rehearsed.json()["dry_run"] is True
    assert town.operator.contents() == before


def test_a_member_takes_a_system_more_and_gives_it_up_again(town: Town) -> None:
    added = town.ended(town.api.post("/v1/systems", json={"blueprint": "library"}))
    assert (added["kind"], added["state"]) == ("system.add", "done")
    system = town.api.get(f"/v1/systems/m{MIKASA}-library").json()
    assert (system["state"], system["running"]) == ("running", system["servers"])
    problem_of(town.api.post("/v1/systems", json={"blueprint": "library"}), 409, "system-exists")
    removed = town.ended(town.delete(f"/v1/systems/m{MIKASA}-library"))
    assert removed["state"] == "done"
    problem_of(town.api.get(f"/v1/systems/m{MIKASA}-library"), 404, "system-not-found")
    assert town.api.get(f"/v1/servers?system=m{MIKASA}-library").json()["items"] == []


def test_a_system_that_is_being_removed_takes_no_more_servers(town: Town) -> None:
    town.made()
    town.delete(f"/v1/systems/{town.system}")
    problem_of(town.create(town.ask(name="late")), 409, "system-deleting")


@pytest.mark.parametrize(
    ("body", "status", "type"),
    [
        ({"blueprint": "library", "tenant": UJI}, 422, "tenant-not-found"),
        ({"blueprint": "no-such"}, 422, "blueprint-not-found"),
        ({"name": "x"}, 422, "system-unclear"),
        ({"name": "x", "zone": "lgwan", "tier": 0}, 422, "request-invalid"),
    ],
)
def test_systems_that_cannot_be_added_are_refused(
    town: Town, body: dict[str, Any], status: int, type: str
) -> None:
    town.operator.join(UJI, "facility-booking")
    before = town.operator.contents()
    problem_of(town.api.post("/v1/systems", json=body), status, type)
    assert town.operator.contents() == before
