"""Long lists are written without a model, and say exactly what the model declares and the thing itself says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from control_plane.http.paging import Page, cursor_to
from control_plane.journal.models import Audit, Events, OperationOut
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import Suspect
from control_plane.model.ids import HostId
from control_plane.model.operation import Event, Severity
from control_plane.model.workload import Moving, Placed, Power, Seen, Stranded
from control_plane.pool.models import HostOut
from tenants.models import MemberOut, ServerOut, SystemOut
from tests.api.conftest import MIKASA, NOW, UJI, Api, problem_of

EVIDENCE = FenceEvidence(HostId("kyoto-1"), FenceKind.OPERATOR_WORD, NOW, "me", "It is off.")


@pytest.fixture
def joined(api: Api) -> Api:
    """Two members, whose servers are in every state that a list tells apart."""
    api.join(MIKASA, "resident-records", "library")
    api.join(UJI)
    with api.store.write() as tx:
        servers = tx.servers()
        assert len(servers) >= 6
        hosts = [host.id for host in tx.hosts(tx.region_of(servers[0].id))]
        kinds: list[dict[str, Any]] = [
            {"seen": Seen.RUNNING},
            {"seen": Seen.RUNNING, "power": Power.STOPPED},
            {"placement": Stranded(EVIDENCE)},
            {"deleting": True},
            {"seen": Seen.UNKNOWN},
        ]
        for server, kind in zip(servers, kinds, strict=False):
            tx.save_server(replace(server, **kind))
        placed = servers[0].placement
        assert isinstance(placed, Placed)
        moving = Moving(placed.host, next(host for host in hosts if host != placed.host))
        tx.save_server(replace(tx.server(servers[0].id), placement=moving))
    return api


def test_a_server_in_the_list_is_the_server_itself(joined: Api) -> None:
    for asker in (joined, joined.tenant(MIKASA)):
        answer = asker.get("/v1/servers")
        page = Page[ServerOut].model_validate_json(answer.content, strict=True)
        assert page.model_dump(mode="json") == answer.json()
        assert len({server.status for server in page.items}) > 3 or asker is not joined
        for item in answer.json()["items"]:
            assert item == asker.get(f"/v1/servers/{item['id']}").json()


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/members", Page[MemberOut]),
        ("/v1/systems", Page[SystemOut]),
        ("/v1/operations", Page[OperationOut]),
        ("/v1/events", Events),
    ],
)
def test_a_list_is_what_its_model_writes(joined: Api, path: str, model: Any) -> None:
    for asker in (joined, joined.tenant(MIKASA)):
        answer = asker.get(path)
        assert answer.json()["items"]
        assert model.model_validate_json(answer.content).model_dump(mode="json") == answer.json()
    hosts = joined.get("/v1/hosts")
    assert Page[HostOut].model_validate_json(hosts.content).model_dump(mode="json") == hosts.json()
    audit = joined.get("/v1/audit").content
    assert len(Audit.model_validate_json(audit).items) > 1


def test_pages_of_every_size_hold_each_thing_once(joined: Api) -> None:
    for path in ("/v1/servers", "/v1/systems", "/v1/members", "/v1/hosts", "/v1/operations"):
        whole = joined.get(path).json()["items"]
        for limit in (1, 2, len(whole), len(whole) + 1):
            found: list[Any] = []
            query = f"limit={limit}"
            while True:
                page = joined.get(f"{path}?{query}").json()
                found += page["items"]
                assert len(page["items"]) <= limit
                if page["next"] is None:
                    break
                query = f"limit={limit}&cursor={page['next']}"
            assert found == whole


def test_filters_choose_what_the_servers_themselves_say(joined: Api) -> None:
    servers = joined.get("/v1/servers").json()["items"]
    for name in ("tenant", "system", "status", "zone", "name"):
        for value in {server[name] for server in servers}:
            found = joined.get(f"/v1/servers?{name}={value}").json()["items"]
            assert found == [server for server in servers if server[name] == value], (name, value)
    begun = joined.get(f"/v1/servers?name=m{MIKASA}*").json()["items"]
    assert begun == [server for server in servers if server["name"].startswith(f"m{MIKASA}")]
    on = joined.get("/v1/servers?host=hokkaido-1").json()["items"]
    assert on == [s for s in servers if "hokkaido-1" in (s["host"], s["moving_to"])]


def test_hosts_operations_and_events_are_chosen_by_what_they_say(joined: Api) -> None:
    joined.set_health("kyoto-1", Suspect(NOW, "management"))
    joined.post("/v1/hosts/kyoto-2/drain")
    chosen = {
        "/v1/hosts?health=suspect": ["kyoto-1"],
        "/v1/hosts?duty=draining": ["kyoto-2"],
        "/v1/hosts?region=kyoto&health=up": ["kyoto-2", "kyoto-3"],
    }
    for query, expected in chosen.items():
        assert [host["id"] for host in joined.get(query).json()["items"]] == expected
    problem_of(joined.get("/v1/hosts?region=nowhere"), 404, "region-not-found")
    for path in ("/v1/operations", "/v1/events"):
        everything = joined.get(path).json()["items"]
        of_uji = joined.get(f"{path}?tenant={UJI}").json()["items"]
        assert of_uji == [one for one in everything if one["tenant"] == UJI] != []
    running = joined.get("/v1/operations?state=running").json()["items"]
    assert {operation["kind"] for operation in running} == {"member.join", "host.drain"}
    assert joined.get("/v1/operations?state=failed").json()["items"] == []
    assert joined.get("/v1/events?severity=critical").json()["items"] == []


def test_a_member_reads_nothing_of_others_off_the_numbers_of_its_events(joined: Api) -> None:
    town = joined.tenant(MIKASA)
    before = town.get("/v1/events").json()
    numbers = [event["sequence"] for event in before["items"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert before["next"] == len(numbers)
    with joined.store.write() as tx:
        tx.add_events([_happened(UJI), _happened(None), _happened(MIKASA), _happened(UJI)])
        tx.add_event(_happened(MIKASA))
    after = town.get(f"/v1/events?after={before['next']}").json()
    assert [event["sequence"] for event in after["items"]] == [len(numbers) + 1, len(numbers) + 2]
    newest = town.get("/v1/events?newest=true&limit=1").json()
    assert (newest["items"][0]["sequence"], newest["previous"]) == (len(numbers) + 2,) * 2
    earlier = town.get(f"/v1/events?newest=true&limit=1&before={newest['previous']}").json()
    assert earlier["items"] == after["items"][:1]
    assert town.get(f"/v1/events?tenant={UJI}").json()["items"] == []
    everything = joined.get("/v1/events?limit=1000").json()["items"]
    assert len({event["sequence"] for event in everything}) == len(everything)


def _happened(tenant: str | None) -> Event:
    return Event("test.done", "test:1", NOW, Severity.INFO, "Done.", "完了。", tenant)


def test_a_filter_that_names_nothing_is_refused_and_changes_nothing(joined: Api) -> None:
    for query in ("status=fast", "zone=moon", "name=a*b", "name=", "limit=0", "limit=1001"):
        problem_of(joined.get(f"/v1/servers?{query}"), 422, "request-invalid")
    for cursor in ("%00", "AAAA", cursor_to("ü"), "=", cursor_to("a b"), "a" * 201):
        answer = joined.get("/v1/servers", params={"cursor": cursor})
        assert answer.status_code in (400, 422), cursor


def test_a_list_that_is_the_same_is_not_sent_again(joined: Api) -> None:
    for path in ("/v1/hosts", "/v1/operations", "/v1/events", "/v1/audit"):
        tag = joined.get(path).headers["etag"]
        assert joined.get(path, headers={"If-None-Match": tag}).status_code == 304
    first = joined.get("/v1/servers")
    again = joined.get("/v1/servers", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = joined.tenant(MIKASA).get(
        "/v1/servers", headers={"If-None-Match": first.headers["etag"]}
    )
    assert other.status_code == 200
    joined.see(first.json()["items"][0]["id"], Seen.NOWHERE)
    joined.see(first.json()["items"][-1]["id"], Seen.RUNNING)
    changed = joined.get("/v1/servers", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
