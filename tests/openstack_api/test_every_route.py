"""Every route of the OpenStack API, walked by strangers and by every role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from control_plane.http.auth import Needs
from control_plane.http.tokens import new_token
from control_plane.model.access import PERMISSIONS, Role, Token
from tenants.openstack_api.description import openstack_routes
from tests.access.test_the_walk import calls
from tests.access.test_the_walk import served as served_by_v1
from tests.api.conftest import MIKASA, QUICKLY, UJI, Api, api, prepared
from tests.openstack_api.needs import BODIES, FOR_ANYBODY, NEEDS, OPEN
from tests.openstack_api.needs.route import Route

__all__ = ["api", "prepared"]


def served(api: Api) -> Iterator[tuple[Route, APIRoute]]:
    for route in openstack_routes(api.app):
        for method in route.methods - {"HEAD"}:
            yield (method, route.path), route


def filled(path: str) -> str:
    """With the region of 三笠市, its project, and names that nothing has."""
    known = {"region": "hokkaido", "project": MIKASA}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: known.get(m[1], "zzzz-0000"), path)


def send(api: Api, route: Route, token: str | None, **more: Any) -> httpx.Response:
    headers = {} if token is None else {"X-Auth-Token": token}
    headers |= {"X-Subject-Token": token or "none"} | more.pop("headers", {})
    body = BODIES.get(route)
    more = {} if body is None else {"json": body}
    return api.client.request(route[0], filled(route[1]), headers=headers, **more)


def token_of(api: Api, role: Role) -> str:
    fresh = new_token(QUICKLY)
    of = MIKASA if role.of_member else None
    with api.store.write() as tx:
        tx.add_token(Token(fresh.id, fresh.hash, role, of, f"the {role}"))
    return fresh.text


def unscoped_session_of(api: Api) -> str:
    secret = token_of(api, Role.MEMBER_ADMIN)
    given = {"secret": secret, "id": secret.split("_")[1]}
    body = {"methods": ["application_credential"], "application_credential": given}
    answer = api.client.post(
        "/openstack/identity/v3/auth/tokens",
        json={"auth": {"identity": body, "scope": "unscoped"}},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["x-subject-token"])


def test_the_tables_name_every_route_and_what_it_asks_for(api: Api) -> None:
    known = dict(served(api))
    assert set(known) == set(NEEDS) | OPEN | FOR_ANYBODY
    for route, found in known.items():
        asked = {call.permission for call in calls(found.dependant) if isinstance(call, Needs)}
        assert asked == ({NEEDS[route]} if route in NEEDS else set()), route


ONLY_HERE = {"server.interface", "subnet.add", "subnet.change", "subnet.remove", "port.add", "port.remove"}  # fmt: skip
"""What OpenStack's tools ask for, and is always refused."""

UNNAMED = {"server.act"}
"""What a body says that names no action or several."""


def test_a_change_is_called_in_the_audit_trail_as_v1_calls_it(api: Api) -> None:
    marks = [getattr(route.endpoint, "audited", None) for _, route in served_by_v1(api)]
    known = {mark.action for mark in marks if mark is not None}
    for (method, path), route in served(api):
        mark = getattr(route.endpoint, "audited", None)
        if method == "GET" or path.endswith(("/auth/tokens", "/remote-consoles")):
            assert mark is None, path
        else:
            assert mark is not None, (method, path)
            assert mark.action in known | ONLY_HERE | UNNAMED, (method, path, mark.action)


@pytest.mark.parametrize("token", [None, "yuis_aaaaaaaaaaaaaaaa_" + "x" * 43, "nonsense"])
def test_strangers_are_told_401_as_keystone_says_it(api: Api, token: str | None) -> None:
    before = api.contents()
    for route in sorted(set(NEEDS) | FOR_ANYBODY):
        answer = send(api, route, token)
        assert answer.status_code == 401, (route, answer.text)
        assert answer.json()["error"]["code"] == 401
        assert answer.headers["www-authenticate"].startswith("Keystone uri=")
    assert api.contents() == before


CHOOSING = {"/auth/projects", "/auth/domains", "/users/{user}/projects", "/users/{user}",
            "/regions", "/regions/{id}"}  # fmt: skip
"""What helps to choose a project."""


def test_a_token_for_no_project_opens_nothing_but_where_one_is_chosen(api: Api) -> None:
    opened = {
        path.removeprefix("/openstack/identity/v3")
        for (_, path), route in (*served(api), *served_by_v1(api))
        for call in calls(route.dependant)
        if isinstance(call, Needs) and call.unscoped
    }
    assert opened == CHOOSING


@pytest.mark.long
def test_a_token_for_no_project_is_refused_at_every_door_but_those_where_one_is_chosen(
    api: Api,
) -> None:
    api.join(MIKASA)
    token = unscoped_session_of(api)
    before = api.contents()
    doors = {route: route[1].removeprefix("/openstack/identity/v3") for route in NEEDS}
    for route, door in sorted(doors.items()):
        answer = send(api, route, token)
        if door in CHOOSING:
            assert answer.headers.get("yui-problem") != "token-unscoped", route
        else:
            assert answer.status_code == 403, (route, answer.text)
            assert answer.headers["yui-problem"] == "token-unscoped", route
    after = api.contents()
    for each in (before, after):
        each.pop("audit_entries", None)
    assert after == before


@pytest.mark.long
@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_let_in_where_its_permissions_say_and_finds_no_fault_of_ours(
    api: Api, role: Role
) -> None:
    api.join(MIKASA)
    api.join(UJI)
    token = token_of(api, role)
    for route in sorted(NEEDS):
        answer = send(api, route, token)
        if NEEDS[route] not in PERMISSIONS[role]:
            assert answer.status_code == 403, (route, answer.text)
            assert answer.headers["yui-problem"] == "permission-missing", route
        elif not role.of_member:
            assert answer.status_code == 403, (route, answer.text)
            assert answer.headers["yui-problem"] == "project-missing", route
        else:
            assert answer.status_code not in (401, 403, 405), (route, answer.text)
            assert answer.status_code < 500, (route, answer.text)
