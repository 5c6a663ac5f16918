"""Every route of the OpenStack API, asked by another municipality of the same region for what 三笠市 has:
it is answered as for what never was, and no list tells of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from control_plane.model.access import PERMISSIONS, Role
from tests.access.test_the_walk import SAPPORO, Town, as_role, in_order, statements, town
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, SAGA_TAKEO, Api, api, prepared
from tests.openstack_api.needs import BODIES, NEEDS
from tests.openstack_api.needs.route import Route

__all__ = ["api", "prepared", "town"]

AT = "/openstack/regions/hokkaido"
NETWORK, COMPUTE = f"{AT}/network/v2.0", f"{AT}/compute/v2.1"
PATCH = {
    "content": '[{"op": "replace", "path": "/name", "value": "x"}]',
    "headers": {"Content-Type": "application/openstack-images-v2.1-json-patch"},
}


BYTES = {"content": b"x", "headers": {"Content-Type": "application/octet-stream"}}


@dataclass
class Asker:
    """A session of a municipality's, and the names that it asks by."""

    api: Api
    token: str

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        latest = {"OpenStack-API-Version": "compute 2.96"}
        headers = {"X-Auth-Token": self.token} | latest | more.pop("headers", {})
        return self.api.client.request(method, path, headers=headers, **more)

    def walk(self, route: Route, names: dict[str, str]) -> httpx.Response:
        """That route, of the thing that `names` has for it."""
        known = {"region": "hokkaido", "project": SAPPORO.code.text, **names}
        path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: known.get(m[1], "zzzz-0000"), route[1])
        if route[0] == "PATCH":
            return self.ask("PATCH", path, **PATCH)
        if route[1].endswith("/file"):
            return self.ask(route[0], path, **BYTES)
        body = BODIES.get(route)
        return self.ask(route[0], path, **({} if body is None else {"json": body}))


@pytest.fixture
def theirs(town: Town) -> dict[str, str]:
    """What 三笠市 has, by the words that paths have for it."""
    mikasa = Asker(town.api, as_role(town.api, Role.MEMBER_ADMIN).operator_token)

    def first(path: str, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = mikasa.ask("GET", f"{NETWORK}/{path}").json()[kind][0]
        return found

    server = town.names["server"]
    user = town.names["account_id"]
    return {
        **{kind: town.names[kind] for kind in ("server", "volume", "image", "network", "group")},
        "keypair": "三笠市 laptop",
        "server_group": town.names["server_group"],
        "port": first(f"ports?device_id={server}", "ports")["id"],
        "subnet": first(f"subnets?network_id={town.names['network']}", "subnets")["id"],
        "rule": first("security-group-rules", "security_group_rules")["id"],
        "user": user,
        "credential": town.names["token_id"],
        "project_id": MIKASA,
    }


def never(names: dict[str, str]) -> dict[str, str]:
    """Names as long, that nothing has."""
    absent = {kind: f"{name[:-2]}zz" for kind, name in names.items()}
    return absent | {"port": f"port-{absent['server']}", "project_id": SAGA_TAKEO}


def seen(answer: httpx.Response, names: dict[str, str]) -> tuple[int, dict[str, str], str]:
    """The answer without its request's own ids, and with what was asked for by one name."""
    text = answer.text
    for kind, name in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(name, kind)
    headers = {k: v for k, v in answer.headers.items() if not k.endswith("request-id")}
    return answer.status_code, headers, text


@pytest.fixture
def other(town: Town) -> Asker:
    """Who may all that a member may."""
    may_have_much(town.api, SAPPORO.code.text)
    return Asker(town.api, as_role(town.api, Role.MEMBER_ADMIN, SAPPORO.code.text).operator_token)


@pytest.mark.long
def test_another_members_thing_and_one_that_never_was_are_the_same(
    town: Town, theirs: dict[str, str], other: Asker
) -> None:
    named = [r for r in NEEDS if theirs.keys() & set(re.findall(r"{(\w+)", r[1]))]
    assert {kind for kind in theirs for r in named if f"{{{kind}" in r[1]} == set(theirs)
    absent = never(theirs)
    before = town.api.contents()
    different = []
    for route in in_order(r for r in named if NEEDS[r] in PERMISSIONS[Role.MEMBER_ADMIN]):
        with statements() as for_foreign:
            foreign = other.walk(route, theirs)
        with statements() as for_absent:
            nothing = other.walk(route, absent)
        assert foreign.status_code == 404, (route, foreign.text)
        if seen(foreign, theirs) != seen(nothing, absent) or for_foreign != for_absent:
            different.append((route, foreign.text, nothing.text, for_foreign, for_absent))
    assert different == []
    assert town.api.contents() == before


def server(**more: Any) -> Any:
    wanted = {"name": "web", "flavorRef": "m1.small", "imageRef": "tiny", "networks": "auto"}
    return {"server": wanted | more}


def rule(**more: Any) -> Any:
    return {"security_group_rule": {"direction": "ingress", "protocol": "tcp", **more}}


REFERENCES: dict[str, list[tuple[str, Callable[[str], Any]]]] = {
    "image": [(f"{COMPUTE}/servers", lambda id: server(imageRef=id))],
    "network": [(f"{COMPUTE}/servers", lambda id: server(networks=[{"uuid": id}]))],
    "keypair": [(f"{COMPUTE}/servers", lambda id: server(key_name=id))],
    "group": [
        (f"{COMPUTE}/servers", lambda id: server(security_groups=[{"name": id}])),
        (f"{NETWORK}/security-group-rules", lambda id: rule(security_group_id=id)),
        (
            f"{NETWORK}/security-group-rules",
            lambda id: rule(security_group_id=f"m{SAPPORO.code}-default", remote_group_id=id),
        ),
    ],
    "server_group": [
        (f"{COMPUTE}/servers", lambda id: server() | {"os:scheduler_hints": {"group": id}})
    ],
    "project_id": [
        (f"{NETWORK}/networks", lambda id: {"network": {"name": "internet", "project_id": id}}),
        (
            f"{NETWORK}/security-groups",
            lambda id: {"security_group": {"name": "x", "tenant_id": id}},
        ),
    ],
}
"""Where bodies name things."""


def test_a_request_that_names_another_members_thing_is_refused_as_if_it_never_was(
    town: Town, theirs: dict[str, str], other: Asker
) -> None:
    made = other.ask("POST", f"{NETWORK}/networks", json={"network": {"name": "lgwan"}})
    assert made.status_code == 201, made.text
    absent = never(theirs)
    before = town.api.contents()
    for kind, (path, body) in ((k, each) for k, several in REFERENCES.items() for each in several):
        foreign = other.ask("POST", path, json=body(theirs[kind]))
        nothing = other.ask("POST", path, json=body(absent[kind]))
        assert foreign.status_code in (400, 403, 404), (kind, path, foreign.text)
        assert seen(foreign, theirs) == seen(nothing, absent), (foreign.text, nothing.text)
    assert town.api.contents() == before
    assert other.ask("POST", f"{COMPUTE}/servers", json=server()).status_code == 202


@pytest.mark.long
def test_no_list_tells_of_another_member(theirs: dict[str, str], other: Asker) -> None:
    telling = {"三笠市", *theirs.values()} - {MIKASA}
    lists = [
        route[1]
        for route in NEEDS
        if route[0] == "GET" and not set(re.findall(r"{(\w+)", route[1])) - {"region", "project"}
    ]
    assert len(lists) > 20
    for path in lists:
        at = path.format(region="hokkaido", project=SAPPORO.code)
        for query in (
            "",
            "?limit=1",
            "?all_tenants=1",
            f"?project_id={MIKASA}",
            f"?owner={MIKASA}",
        ):
            answer = other.ask("GET", at + query)
            assert answer.status_code in (200, 300, 400, 403), (at, query, answer.text)
            text = answer.text.replace(query, "")
            told = [word for word in (*telling, MIKASA) if word in text]
            assert told == [], (at, query, answer.text)
