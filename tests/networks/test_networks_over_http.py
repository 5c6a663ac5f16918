"""Members see their networks, say who reaches what, and offer each other services; hosts are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.http.tokens import new_token
from control_plane.model.access import Role, Token
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import Fenced
from control_plane.model.ids import HostId, ServerId
from control_plane.model.tenant import MunicipalityCode
from tenants.networks.bindings import end_with
from tenants.networks.models import HostNetworkOut
from tenants.networks.plans import HostNetworks
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, NOW, QUICKLY, UJI, Api, Prepared, pool, prepared, problem_of

__all__ = ["prepared"]

SAPPORO = "011002"
RECORDS = f"m{MIKASA}-resident-records-application"


def apart() -> dict[str, list[Any]]:
    """As `pool`, with hosts that keep members apart."""
    described = pool()
    for number, host in enumerate(described["hosts"], 11):
        host["connection"] = {
            "driver": "simulated",
            "bridge": "s{segment}",
            "tunnel_address": f"192.0.2.{number}",
        }
    return described


@pytest.fixture(scope="module")
def two_towns(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """三笠市 and 宇治市 in two prefectures, each with 住民記録, on hosts that keep them apart."""
    folder = tmp_path_factory.mktemp("two-towns")
    with prepared.copied(folder) as api:
        answer = api.put("/v1/pool", json=apart())
        assert answer.status_code == 200, answer.text
        api.join(MIKASA)
        api.join(UJI)
    return Prepared(folder / "state.db", prepared.token)


@pytest.fixture
def api(two_towns: Prepared, tmp_path: Path) -> Iterator[Api]:
    """A state of the test's own."""
    with two_towns.copied(tmp_path) as api:
        yield api


def a(api: Api, role: Role, tenant: str | None = None) -> Api:
    """With a token that was put into the state, since nobody may give every role."""
    fresh = new_token(QUICKLY)
    with api.store.write() as tx:
        tx.add_token(Token(fresh.id, fresh.hash, role, tenant, f"a {role}"))
    return api.with_token(fresh.text)


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def neutrons(town: Api, path: str) -> Any:
    """What OpenStack's network API tells the member."""
    token = {"X-Auth-Token": town.operator_token}
    return ok(town.get(f"/openstack/regions/hokkaido/network/v2.0/{path}", headers=token))


def plan(api: Api, host: str) -> dict[str, Any]:
    shown = ok(api.get(f"/v1/hosts/{host}/network"))
    return HostNetworkOut.model_validate(shown).model_dump(mode="json")


def hosts_of(api: Api, prefix: str = "") -> list[str]:
    """Those that carry any network."""
    found = [h["id"] for h in api.get("/v1/hosts").json()["items"]]
    return [h for h in found if h.startswith(prefix) and plan(api, h)["segments"]]


def report(api: Api, *hosts: str) -> None:
    """These hosts say that they have made their present plans so."""
    for host in hosts or hosts_of(api):
        tag = api.get(f"/v1/hosts/{host}/network").headers["etag"].strip('"')
        ok(api.get(f"/v1/hosts/{host}/network?applied={tag}"))


def binding_of(**changes: Any) -> dict[str, Any]:
    return {
        "name": "住民票の写し",
        "consumer": UJI,
        "servers": [RECORDS],
        "port": 8443,
        "reason": "広域交付のため",
        **changes,
    }


def test_a_member_that_joins_has_a_network_in_its_zone_and_hosts_are_told_of_it(api: Api) -> None:
    town = api.tenant(MIKASA)
    (network,) = ok(town.get("/v1/networks"))["items"]
    assert network["zone"] == "mynumber"
    assert network["subnets"] == [{"addresses": "10.77.17.0/28", "gateway": "10.77.17.1"}]
    assert network["segment"] is None
    servers = {s["id"]: s["address"] for s in ok(town.get("/v1/servers"))["items"]}
    assert sorted(servers.values()) == ["10.77.17.2/28", "10.77.17.3/28"]
    told = [
        p for h in hosts_of(api, "hokkaido") for s in plan(api, h)["segments"] for p in s["ports"]
    ]
    assert {(p["server"], f"{p['address']}/28") for p in told} == set(servers.items())
    segments = {h: {s["number"] for s in plan(api, h)["segments"]} for h in hosts_of(api)}
    ours = {n for h, found in segments.items() if h.startswith("hokkaido") for n in found}
    theirs = {n for h, found in segments.items() if h.startswith("kyoto") for n in found}
    assert len(ours) == len(theirs) == 1
    assert ours != theirs


def test_offices_reach_the_network_once_hosts_have_made_it_so(api: Api) -> None:
    town = api.tenant(MIKASA)
    path = f"/v1/networks/m{MIKASA}-mynumber"
    read = town.get(path)
    assert read.json()["in_effect"] == "unknown"
    report(api)
    assert town.get(path).json()["in_effect"] == "in-effect"
    body = {"offices": ["172.20.8.0/22", "172.20.0.0/22"]}
    rehearsed = ok(town.put(f"{path}/offices?dry_run=true", json=body))
    assert rehearsed["diff"][0]["to"] == ["172.20.0.0/22", "172.20.8.0/22"]
    assert town.get(path).json() == {**read.json(), "in_effect": "in-effect"}
    tag = {"If-Match": read.headers["etag"]}
    assert ok(town.put(f"{path}/offices", json=body, headers=tag))["generation"] == 2
    problem_of(town.put(f"{path}/offices", json=body, headers=tag), 412, "network-changed")
    assert town.get(path).json()["in_effect"] == "not-yet"
    (host, *others) = hosts_of(api, "hokkaido")
    passages = plan(api, host)["passages"]
    between = {
        "source": "172.20.0.0/22",
        "target": "10.77.17.0/28",
        "protocol": "any",
        "ports": None,
    }
    assert between in passages
    assert {**between, "source": between["target"], "target": between["source"]} in passages
    report(api, host)
    behind = {h["host"]: h["in_effect"] for h in ok(api.get("/v1/host-networks"))["items"]}
    assert behind[host] == "in-effect"
    assert {behind[other] for other in others} == {"not-yet"}
    report(api, *others)
    assert town.get(path).json()["in_effect"] == "in-effect"
    # Whoever loses power has to say it again.
    with api.store.write() as tx:
        standing = tx.host(HostId(host))
        proof = FenceEvidence(HostId(host), FenceKind.REDFISH_POWER_OFF, NOW, "bmc", "off")
        tx.save_host(replace(standing, health=Fenced(NOW, proof)))
        assert HostId(host) not in tx.applied_networks()
    assert "network.offices" in {e["action"] for e in town.get("/v1/audit").json()["items"]}
    assert api.tenant(UJI).get(path).status_code == 404


def test_nobody_gets_around_bindings_by_calling_others_addresses_offices(api: Api) -> None:
    town, other = api.tenant(MIKASA), api.tenant(UJI)
    path = f"/v1/networks/m{MIKASA}-mynumber/offices"
    ok(other.put(f"/v1/networks/m{UJI}-mynumber/offices", json={"offices": ["172.30.0.0/16"]}))
    for office, type in {
        "10.77.16.0/28": "office-taken",
        "10.77.17.0/24": "office-taken",
        "192.0.2.0/24": "office-taken",
        "172.30.5.0/24": "office-taken",
        "0.0.0.0/0": "office-too-wide",
        "127.0.0.0/24": "office-reserved",
    }.items():
        answer = town.put(path, json={"offices": [office]})
        problem_of(answer, 409 if type == "office-taken" else 422, type)
        assert UJI not in answer.text
    problem_of(town.put(path, json={"offices": ["172.20.0.1/16"]}), 422, "request-invalid")
    described = apart()
    described["sites"][0]["guest_network"] = "172.30.0.0/20"
    described["sites"].append({**described["sites"][0], "id": "new", "storage_pools": []})
    described["sites"][0]["guest_network"] = "10.77.17.0/24"
    problem_of(api.put("/v1/pool", json=described), 409, "guest-network-is-office")


def test_security_groups_are_made_changed_worn_and_removed_once_nothing_uses_them(api: Api) -> None:
    town = api.tenant(MIKASA)
    default = f"m{MIKASA}-default"
    assert ok(town.get(f"/v1/servers/{RECORDS}/security-groups"))["groups"] == [default]
    rules = [
        {"direction": "ingress", "protocol": "tcp", "ports": "443", "offices": True},
        {"direction": "ingress", "protocol": "tcp", "ports": "8000-8010", "remote_group": default},
    ]
    made = town.post("/v1/security-groups", json={"name": "窓口", "rules": rules})
    group = ok(made, 201)
    assert [{k: v for k, v in r.items() if v} for r in group["rules"]] == rules
    path = f"/v1/security-groups/{group['id']}"
    problem_of(
        town.post("/v1/security-groups", json={"name": "窓口"}), 409, "security-group-exists"
    )
    ok(town.put(f"/v1/servers/{RECORDS}/security-groups", json={"groups": [group["id"]]}))
    problem_of(town.request("DELETE", path), 409, "security-group-in-use")
    (port,) = {
        str(sorted(f"{r['direction']} {r['protocol']} {r['ports']}" for r in p["rules"]))
        for h in hosts_of(api, "hokkaido")
        for s in plan(api, h)["segments"]
        for p in s["ports"]
        if p["server"].startswith(RECORDS)
    }
    # No offices are declared yet, so the rule for them lets nobody in.
    assert port == "['ingress tcp [8000, 8010]']"
    allowed = {"rules": [{"direction": "ingress", "protocol": "icmp"}]}
    changed = town.put(path, json=allowed, headers={"If-Match": made.headers["etag"]})
    assert ok(changed)["generation"] == 2
    stale = town.put(path, json={"rules": []}, headers={"If-Match": made.headers["etag"]})
    problem_of(stale, 412, "security-group-changed")
    ok(town.put(f"/v1/servers/{RECORDS}/security-groups", json={"groups": [default]}))
    ok(town.request("DELETE", path))
    problem_of(
        town.request("DELETE", f"/v1/security-groups/{default}"), 409, "security-group-default"
    )
    problem_of(town.get(path), 404, "security-group-not-found")
    for rule in (
        {"direction": "ingress", "protocol": "icmp", "ports": "1"},
        {"direction": "ingress", "protocol": "tcp", "ports": "0-70000"},
        {"direction": "ingress", "remote": "10.0.0.0/8", "offices": True},
    ):
        body = {"name": "x", "rules": [rule]}
        problem_of(town.post("/v1/security-groups", json=body), 422, "request-invalid")
    theirs = {"direction": "ingress", "remote_group": f"m{UJI}-default"}
    answer = town.post("/v1/security-groups", json={"name": "x", "rules": [theirs]})
    problem_of(answer, 422, "security-group-not-found")


def test_what_one_member_offers_passes_once_another_person_approved_it_until_either_side_ends_it(
    api: Api,
) -> None:
    town, other, approver = api.tenant(MIKASA), api.tenant(UJI), a(api, Role.APPROVER)
    report(api)
    asked = ok(town.post("/v1/bindings", json=binding_of()), 201)
    path = f"/v1/bindings/{asked['id']}"
    assert asked["state"] == "requested"
    assert not [p for h in hosts_of(api) for p in plan(api, h)["passages"]]
    seen = ok(other.get(path))
    assert (seen["provider"], seen["addresses"], seen["servers"]) == (MIKASA, [], None)
    assert (seen["requested_by"], seen["in_effect"]) == (None, None)
    assert a(api, Role.MEMBER_ADMIN, SAPPORO).get(path).status_code == 404
    problem_of(town.post(f"{path}/approve"), 403, "permission-missing")
    rehearsed = ok(approver.post(f"{path}/approve?dry_run=true"))
    assert rehearsed["diff"][0]["to"] == "approved"
    ok(approver.post(f"{path}/approve"))
    problem_of(approver.post(f"{path}/refuse"), 409, "binding-decided")
    seen = ok(other.get(path))
    assert len(seen["addresses"]) == 1
    assert seen["in_effect"] == "not-yet"
    passage = {
        "source": "10.77.16.0/28",
        "target": f"{seen['addresses'][0]}/32",
        "protocol": "tcp",
        "ports": [8443, 8443],
    }
    for side in ("hokkaido", "kyoto"):
        for host in hosts_of(api, side):
            carried = plan(api, host)
            if len(carried["segments"]) == 2:
                assert carried["passages"] == [passage]
    assert any(len(plan(api, h)["segments"]) == 2 for h in hosts_of(api, "hokkaido"))
    assert any(len(plan(api, h)["segments"]) == 2 for h in hosts_of(api, "kyoto"))
    report(api)
    assert ok(other.get(path))["in_effect"] == "in-effect"
    ok(other.post(f"{path}/revoke"))
    assert ok(town.get(path))["state"] == "revoked"
    assert ok(town.get(path))["in_effect"] == "not-yet"
    assert not [p for h in hosts_of(api) for p in plan(api, h)["passages"]]
    problem_of(other.post(f"{path}/revoke"), 409, "binding-ended")
    problem_of(approver.post(f"{path}/approve"), 409, "binding-decided")


def test_both_members_read_of_a_binding_in_their_own_trail_and_not_who_of_the_others_people_it_was(
    api: Api,
) -> None:
    town, other, approver = api.tenant(MIKASA), api.tenant(UJI), a(api, Role.APPROVER)
    path = f"/v1/bindings/{ok(town.post('/v1/bindings', json=binding_of()), 201)['id']}"
    ok(approver.post(f"{path}/approve"))
    ok(town.post(f"{path}/revoke"))
    for member, label in ((town, f"town {MIKASA}"), (other, f"member:{MIKASA}")):
        trail = [e for e in member.get("/v1/audit").json()["items"] if "binding" in e["action"]]
        assert [(e["action"], e["fields"]["label"]) for e in trail] == [
            ("binding.request", label),
            ("binding.approve", "a approver"),
            ("binding.revoke", label),
        ]
        assert trail[0]["fields"]["service"] == "tcp/8443"
        told = [e["kind"] for e in member.get("/v1/events").json()["items"]]
        assert [k for k in told if k.startswith("binding")] == [
            "binding.requested",
            "binding.approved",
            "binding.revoked",
        ]
    assert f"town {MIKASA}" not in other.get("/v1/audit").text


def test_whoever_uses_what_a_leaving_member_offers_is_told_that_it_ends(api: Api) -> None:
    town, other = api.tenant(MIKASA), api.tenant(UJI)
    ok(town.post("/v1/bindings", json=binding_of()), 201)
    with api.store.write() as tx:
        end_with(tx, MunicipalityCode(MIKASA), NOW)
        tx.drop_networks(MIKASA)
    last = other.get("/v1/events").json()["items"][-1]
    assert last["kind"] == "binding.revoked"
    assert f"ends, since {MIKASA} leaves" in last["en"]
    entry = other.get("/v1/audit").json()["items"][-1]
    assert (entry["principal"], entry["fields"]["state"]) == ("leaving", "revoked")
    assert ok(other.get("/v1/bindings"))["items"] == []


def test_a_binding_is_of_one_zone_and_to_another_member_that_there_is(api: Api) -> None:
    town = api.tenant(MIKASA)
    may_have_much(api, MIKASA)
    ok(town.post("/v1/systems", json={"name": "portal", "zone": "internet", "tier": 2}), 202)
    web = {"name": "web", "system": f"m{MIKASA}-own-portal", "flavor": "m1.small", "image": "tiny"}
    ok(town.post("/v1/servers", json={"servers": [web]}), 202)
    problems = {
        "binding-across-zones": {"servers": [RECORDS, "web"]},
        "binding-to-oneself": {"consumer": MIKASA},
        "tenant-not-found": {"consumer": SAPPORO},
        "municipality-code-check-digit": {"consumer": "262049"},
        "server-not-found": {"servers": [f"m{UJI}-resident-records-application"]},
        "request-invalid": {"port": 0},
    }
    for type, change in problems.items():
        problem_of(town.post("/v1/bindings", json=binding_of(**change)), 422, type)
    assert ok(town.get("/v1/bindings"))["items"] == []


def test_a_host_waits_for_another_plan_than_the_one_it_has(api: Api) -> None:
    agent = a(api, Role.AUDITOR)
    (host, *_) = hosts_of(api, "hokkaido")
    path = f"/v1/hosts/{host}/network"
    first = agent.get(path)
    had = {"If-None-Match": first.headers["etag"]}
    assert agent.get(path, headers=had).status_code == 304
    assert agent.get(f"{path}?wait=1", headers=had).headers["etag"] == first.headers["etag"]
    answers: list[httpx.Response] = []
    waiting = threading.Thread(
        target=lambda: answers.append(agent.get(f"{path}?wait=60", headers=had))
    )
    waiting.start()
    offices = {"offices": ["172.20.0.0/22"]}
    ok(api.tenant(MIKASA).put(f"/v1/networks/m{MIKASA}-mynumber/offices", json=offices))
    waiting.join()
    assert answers[0].status_code == 200
    assert answers[0].headers["etag"] != first.headers["etag"]
    assert answers[0].content == agent.get(path).content
    problem_of(agent.get("/v1/hosts/nobody/network"), 404, "host-not-found")
    problem_of(agent.get("/v1/hosts/nobody/network?applied=" + "0" * 32), 404, "host-not-found")


def test_where_a_sites_own_people_keep_members_apart_that_is_what_is_said(
    prepared: Prepared, tmp_path: Path
) -> None:
    with prepared.copied(tmp_path) as api:
        api.join(MIKASA)
        problem_of(api.get("/v1/hosts/kyoto-1/network"), 409, "host-network-by-site")
        (network,) = ok(api.tenant(MIKASA).get("/v1/networks"))["items"]
        assert (network["subnets"], network["in_effect"]) == ([], "site-managed")
        refused = api.put("/v1/pool", json=apart())
        problem_of(refused, 409, "member-prefix-in-use")


def test_looking_for_changes_takes_a_tenth_of_the_time_at_most(api: Api) -> None:
    (host, *_) = hosts_of(api, "hokkaido")
    networks, now = HostNetworks(), iter(range(100))
    path = f"/v1/networks/m{MIKASA}-mynumber/offices"
    found = []
    for number in range(15):
        ok(api.tenant(MIKASA).put(path, json={"offices": [f"172.20.{number}.0/24"]}))
        with api.store.read() as tx:
            found.append(networks.news(tx, HostId(host), lambda: float(next(now))))
    # A look takes one second here; a question that is not answered takes one too.
    looked = [number for number, plan in enumerate(found) if plan is not None]
    assert looked == [0, 9]
    assert found[0] != found[9]


def test_a_member_has_a_network_ahead_of_its_servers_and_gives_it_back_after_them(
    api: Api,
) -> None:
    town = api.tenant(MIKASA)
    may_have_much(api, MIKASA)
    body = {"zone": "lgwan", "name": "窓口"}
    planned = ok(town.post("/v1/networks?dry_run=true", json=body))["diff"][0]["to"]
    made = town.post("/v1/networks", json=body)
    network = ok(made, 201)
    assert {key: network[key] for key in planned} == planned
    assert (network["id"], network["region"]) == (f"m{MIKASA}-lgwan", "hokkaido")
    (block,) = network["subnets"]
    path = f"/v1/networks/{network['id']}"
    problem_of(town.post("/v1/networks", json=body), 409, "network-exists")
    named = {"zone": "internet", "name": "窓口"}
    problem_of(town.post("/v1/networks", json=named), 409, "network-name-taken")
    misnamed = {"zone": "internet", "name": "mynumber"}
    problem_of(town.post("/v1/networks", json=misnamed), 409, "network-name-taken")
    elsewhere = {"zone": "internet", "region": "kyoto"}
    problem_of(town.post("/v1/networks", json=elsewhere), 422, "region-does-not-serve")
    tag = {"If-Match": made.headers["etag"]}
    assert (
        ok(town.request("PATCH", path, json={"name": "counter"}, headers=tag))["name"] == "counter"
    )
    problem_of(town.request("PATCH", path, json={"name": "x"}, headers=tag), 412, "network-changed")
    assert ok(town.get(path))["name"] == "counter"
    # Its servers have the addresses that it was given before, and leave it as it was.
    ok(town.post("/v1/systems", json={"name": "portal", "zone": "lgwan", "tier": 2}), 202)
    web = {"name": "web", "system": f"m{MIKASA}-own-portal", "flavor": "m1.small", "image": "tiny"}
    ok(town.post("/v1/servers", json={"servers": [web]}), 202)
    (server,) = [s for s in ok(town.get("/v1/servers"))["items"] if s["name"] == "web"]
    assert IPv4Interface(server["address"]).network == IPv4Network(block["addresses"])
    problem_of(town.request("DELETE", path), 409, "network-in-use")
    # OpenStack's tools find the addresses by names that are known beforehand.
    (subnet,) = neutrons(town, "subnets?name=lgwan-hokkaido-dc")["subnets"]
    assert (subnet["cidr"], subnet["gateway_ip"]) == (block["addresses"], block["gateway"])
    assert subnet["allocation_pools"] == [{"start": "10.77.17.18", "end": "10.77.17.30"}]
    (port,) = neutrons(town, f"ports?device_id={server['id']}")["ports"]
    address = server["address"].partition("/")[0]
    assert port["fixed_ips"] == [{"subnet_id": subnet["id"], "ip_address": address}]
    assert port["network_id"] == subnet["network_id"] == network["id"]
    with api.store.write() as tx:
        tx.remove_server(ServerId(server["id"]))
    assert ok(town.get(path))["subnets"] == [block]
    ok(town.request("DELETE", f"{path}?dry_run=true"))
    ok(town.request("DELETE", path))
    problem_of(town.get(path), 404, "network-not-found")
    told = [e["kind"] for e in town.get("/v1/events").json()["items"]]
    assert [k for k in told if k.startswith("network.")] == [
        "network.added",
        "network.renamed",
        "network.removed",
    ]
    entries = town.get("/v1/audit").json()["items"]
    trail = {e["action"]: e["fields"] for e in entries if e["outcome"] == "done"}
    assert trail["network.add"]["zone"] == "lgwan"
    assert {"network.change", "network.remove"} <= set(trail)
    # What another was given meanwhile is not this one's any more.
    theirs = ok(api.tenant(UJI).post("/v1/networks", json={"zone": "lgwan"}), 201)
    assert theirs["subnets"][0]["addresses"] != block["addresses"]


def test_what_a_rule_is_for_stays_with_it_until_it_is_said_anew(api: Api) -> None:
    town = api.tenant(MIKASA)
    rule = {"direction": "ingress", "protocol": "tcp", "ports": "443"}
    body = {"name": "web", "description": "窓口", "rules": [{**rule, "description": "住民向け"}]}
    group = ok(town.post("/v1/security-groups", json=body), 201)
    path = f"/v1/security-groups/{group['id']}"
    again = ok(town.put(path, json={"rules": [rule]}))
    assert again["rules"] == group["rules"]
    assert (again["description"], again["generation"]) == ("窓口", 1)
    bare = ok(town.put(path, json={"description": "", "rules": [{**rule, "description": ""}]}))
    assert (bare["description"], bare["rules"][0]["description"]) == ("", "")
