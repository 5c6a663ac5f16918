"""Every route, walked by a stranger, by a member, and by another member."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from tests.api.backups import BACKUP_BODIES, FOR_BACKUPS
from tests.api.capacity import may_have_much
from tests.api.conftest import MIKASA, UJI, Api, pool, problem_of

OPEN = {("GET", "/healthz"), ("GET", "/v1/sign-in")}

FOR_MEMBERS = {
    ("GET", "/v1/members"),
    ("GET", "/v1/members/{code}"),
    ("PATCH", "/v1/members/{code}"),
    ("GET", "/v1/members/{code}/quota"),
    ("GET", "/v1/quotas"),
    ("GET", "/v1/reclaims"),
    ("GET", "/v1/reclaims/{reclaim_id}"),
    ("GET", "/v1/blueprints"),
    ("GET", "/v1/blueprints/{blueprint}"),
    ("GET", "/v1/catalogue/size"),
    ("GET", "/v1/flavors"),
    ("GET", "/v1/images"),
    ("GET", "/v1/images/{image}"),
    ("DELETE", "/v1/images/{image}"),
    ("PUT", "/v1/images/{image}/description"),
    ("GET", "/v1/images/{image}/file"),
    ("POST", "/v1/servers/{server}/image"),
    ("GET", "/v1/container-groups"),
    ("POST", "/v1/container-groups"),
    ("GET", "/v1/container-groups/{container_group}"),
    ("PUT", "/v1/container-groups/{container_group}"),
    ("DELETE", "/v1/container-groups/{container_group}"),
    ("GET", "/v1/images/uploads"),
    ("POST", "/v1/images/uploads"),
    ("GET", "/v1/images/uploads/{upload}"),
    ("PUT", "/v1/images/uploads/{upload}"),
    ("POST", "/v1/images/uploads/{upload}/complete"),
    ("DELETE", "/v1/images/uploads/{upload}"),
    ("GET", "/v1/members/{code}/image-quota"),
    ("GET", "/v1/images/standard"),
    ("GET", "/v1/systems"),
    ("GET", "/v1/servers"),
    ("GET", "/v1/servers/{server}"),
    ("GET", "/v1/servers/{server}/console"),
    ("POST", "/v1/servers/{server}/stop"),
    ("POST", "/v1/servers/{server}/start"),
    ("POST", "/v1/servers"),
    ("PATCH", "/v1/servers/{server}"),
    ("DELETE", "/v1/servers/{server}"),
    ("POST", "/v1/servers/{server}/reboot"),
    ("POST", "/v1/servers/{server}/resize"),
    ("POST", "/v1/servers/{server}/shelve"),
    ("POST", "/v1/servers/{server}/unshelve"),
    ("POST", "/v1/servers/{server}/rename"),
    ("GET", "/v1/servers/{server}/notes"),
    ("PATCH", "/v1/servers/{server}/notes"),
    ("POST", "/v1/servers/{server}/rebuild"),
    ("GET", "/v1/servers/{server}/security-groups"),
    ("PUT", "/v1/servers/{server}/security-groups"),
    ("GET", "/v1/networks"),
    ("POST", "/v1/networks"),
    ("GET", "/v1/networks/{network}"),
    ("PATCH", "/v1/networks/{network}"),
    ("DELETE", "/v1/networks/{network}"),
    ("PUT", "/v1/networks/{network}/offices"),
    ("GET", "/v1/security-groups"),
    ("POST", "/v1/security-groups"),
    ("GET", "/v1/security-groups/{group}"),
    ("PUT", "/v1/security-groups/{group}"),
    ("DELETE", "/v1/security-groups/{group}"),
    ("GET", "/v1/keypairs"),
    ("POST", "/v1/keypairs"),
    ("GET", "/v1/keypairs/{keypair}"),
    ("DELETE", "/v1/keypairs/{keypair}"),
    ("GET", "/v1/server-groups"),
    ("POST", "/v1/server-groups"),
    ("GET", "/v1/server-groups/{server_group}"),
    ("DELETE", "/v1/server-groups/{server_group}"),
    ("POST", "/v1/servers/{server}/resize/confirm"),
    ("POST", "/v1/servers/{server}/resize/revert"),
    ("GET", "/v1/bindings"),
    ("POST", "/v1/bindings"),
    ("GET", "/v1/bindings/{binding}"),
    ("POST", "/v1/bindings/{binding}/revoke"),
    ("GET", "/v1/volumes"),
    ("POST", "/v1/volumes"),
    ("GET", "/v1/volumes/{volume}"),
    ("PATCH", "/v1/volumes/{volume}"),
    ("POST", "/v1/volumes/{volume}/grow"),
    ("DELETE", "/v1/volumes/{volume}"),
    ("GET", "/v1/servers/{server}/volumes"),
    ("POST", "/v1/servers/{server}/volumes"),
    ("DELETE", "/v1/servers/{server}/volumes/{volume}"),
    ("GET", "/v1/servers/{server}/snapshots"),
    ("POST", "/v1/servers/{server}/snapshots"),
    ("GET", "/v1/snapshots"),
    ("GET", "/v1/snapshots/{snapshot}"),
    ("POST", "/v1/snapshots/{snapshot}/restore"),
    ("DELETE", "/v1/snapshots/{snapshot}"),
    ("GET", "/v1/systems/{system}"),
    ("GET", "/v1/repositories"),
    ("GET", "/v1/repositories/{repository}"),
    ("GET", "/v1/repository-upkeep"),
    ("GET", "/v1/region-links"),
    ("GET", "/v1/members/{code}/location-rule"),
    ("PUT", "/v1/members/{code}/location-rule"),
    ("DELETE", "/v1/members/{code}/location-rule"),
    ("GET", "/v1/disasters"),
    ("GET", "/v1/systems/{system}/backup-policy"),
    ("PUT", "/v1/systems/{system}/backup-policy"),
    ("DELETE", "/v1/systems/{system}/backup-policy"),
    ("GET", "/v1/systems/{system}/backup-forecast"),
    ("POST", "/v1/systems/{system}/backups"),
    ("GET", "/v1/backup-status"),
    ("GET", "/v1/recovery-points"),
    ("GET", "/v1/recovery-points/{point}"),
    ("POST", "/v1/recovery-points/{point}/restore"),
    ("GET", "/v1/restores"),
    ("GET", "/v1/restores/{restore}"),
    ("POST", "/v1/restores/{restore}/cancel"),
    ("GET", "/v1/restore-tests"),
    ("GET", "/v1/scrub-findings"),
    ("GET", "/v1/members/{code}/backup-copy"),
    ("GET", "/v1/members/{code}/backup-copy/object"),
    ("POST", "/v1/members/{code}/backup-copy/taken"),
    ("GET", "/v1/members/{code}/backup-keys"),
    ("POST", "/v1/members/{code}/backup-keys"),
    ("POST", "/v1/backup-keys/{task}/agree"),
    ("POST", "/v1/backup-keys/{task}/cancel"),
    ("POST", "/v1/systems"),
    ("DELETE", "/v1/systems/{system}"),
    ("GET", "/v1/events"),
    ("GET", "/v1/operations"),
    ("GET", "/v1/operations/{operation_id}"),
    ("GET", "/v1/operations/{operation_id}/stream"),
    ("GET", "/v1/events/stream"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/audit/export"),
    ("GET", "/v1/audit/heads"),
    ("GET", "/v1/me"),
    ("GET", "/v1/users"),
    ("POST", "/v1/users"),
    ("GET", "/v1/users/{user_id}"),
    ("PATCH", "/v1/users/{user_id}"),
    ("DELETE", "/v1/users/{user_id}"),
    ("GET", "/v1/service-accounts"),
    ("POST", "/v1/service-accounts"),
    ("GET", "/v1/service-accounts/{account_id}"),
    ("DELETE", "/v1/service-accounts/{account_id}"),
    ("GET", "/v1/service-accounts/{account_id}/tokens"),
    ("POST", "/v1/service-accounts/{account_id}/tokens"),
    ("GET", "/v1/break-glass"),
    ("GET", "/v1/break-glass/{grant_id}"),
    ("POST", "/v1/members/{code}/leave"),
    ("POST", "/v1/members/{code}/leave/cancel"),
    ("POST", "/v1/members/{code}/leave/confirm"),
    ("GET", "/v1/members/{code}/export"),
    ("GET", "/v1/members/{code}/export/file"),
    ("GET", "/v1/tokens"),
    ("POST", "/v1/tokens"),
    ("DELETE", "/v1/tokens/{token_id}"),
}
"""What a member's token may use, for its own things. All else is for operators."""

CONTAINER = {
    "name": "web",
    "image": "registry.example.jp/web@sha256:" + "0" * 64,
    "vcpus": 1,
    "memory_mib": 64,
}

BODIES: dict[tuple[str, str], Any] = {
    ("PUT", "/v1/pool"): pool(),
    ("POST", "/v1/hosts/{host_id}/fence"): {"statement": "I pulled the plug.", "method": "word"},
    ("POST", "/v1/systems"): {"name": "own", "zone": "lgwan", "tier": 2},
    ("POST", "/v1/servers"): {
        "servers": [
            {
                "name": "web",
                "system": f"m{MIKASA}-resident-records",
                "flavor": "m1.small",
                "image": "tiny",
            }
        ]
    },
    ("PATCH", "/v1/servers/{server}"): {"protected": False},
    ("POST", "/v1/volumes"): {"name": "data", "size_gib": 5, "region": "kyoto"},
    ("PATCH", "/v1/volumes/{volume}"): {"protected": False},
    ("POST", "/v1/volumes/{volume}/grow"): {"size_gib": 9},
    ("POST", "/v1/servers/{server}/volumes"): {"volume": "vol-1"},
    ("POST", "/v1/servers/{server}/snapshots"): {"name": "before-update"},
    ("PUT", "/v1/servers/{server}/security-groups"): {"groups": [f"m{MIKASA}-default"]},
    ("POST", "/v1/networks"): {"zone": "lgwan"},
    ("PATCH", "/v1/networks/{network}"): {"name": "records"},
    ("PUT", "/v1/networks/{network}/offices"): {"offices": ["172.20.0.0/16"]},
    ("POST", "/v1/security-groups"): {"name": "web", "rules": []},
    ("PUT", "/v1/security-groups/{group}"): {"rules": []},
    ("POST", "/v1/keypairs"): {"name": "laptop"},
    ("POST", "/v1/server-groups"): {"name": "apart"},
    ("POST", "/v1/bindings"): {
        "name": "certificates",
        "consumer": UJI,
        "servers": [f"m{MIKASA}-resident-records-application"],
        "port": 443,
        "reason": "A test.",
    },
    ("POST", "/v1/servers/{server}/resize"): {"flavor": "m1.large"},
    ("POST", "/v1/servers/{server}/rename"): {"name": "renamed"},
    ("PATCH", "/v1/servers/{server}/notes"): {"labels": {"a": "b"}},
    ("POST", "/v1/servers/{server}/rebuild"): {"image": "tiny"},
    ("POST", "/v1/members"): {"code": "262048", "blueprints": ["facility-booking"]},
    ("PUT", "/v1/members/{code}/quota"): {
        "guaranteed": {"vcpus": 0, "memory_mib": 0, "disk_gib": 0},
        "quota": {"vcpus": 9, "memory_mib": 9999, "disk_gib": 99},
    },
    ("POST", "/v1/regions/{region_id}/reclaims"): {"vcpus": 1},
    ("POST", "/v1/members/{code}/reject"): {"reason": "The council has not decided yet."},
    ("POST", "/v1/members/{code}/connect"): {"statement": "Its servers answered our ping."},
    ("POST", "/v1/members/{code}/leave"): {"reason": "Two towns become one."},
    ("POST", "/v1/members/{code}/leave/reject"): {"reason": "The council has not decided yet."},
    ("POST", "/v1/members/{code}/leave/cancel"): {"reason": "The council decided otherwise."},
    ("POST", "/v1/members/{code}/leave/confirm"): {"statement": "We have read all of it."},
    ("POST", "/v1/members/{code}/leave/waive"): {"reason": "The town hall has closed."},
    ("PATCH", "/v1/members/{code}"): {"contact": {"email": "dx@city.example.jp"}},
    **BACKUP_BODIES,
    ("POST", "/v1/explain"): {"region": "kyoto", "flavor": "m1.small"},
    ("POST", "/v1/tokens"): {"role": "member-user", "label": "mine"},
    ("POST", "/v1/users"): {
        "issuer": "https://id.example.jp",
        "subject": "sato",
        "name": "佐藤",
        "role": "member-user",
    },
    ("PATCH", "/v1/users/{user_id}"): {"disabled": True},
    ("POST", "/v1/service-accounts"): {"name": "backup", "role": "member-user"},
    ("POST", "/v1/service-accounts/{account_id}/tokens"): {},
    ("POST", "/v1/break-glass"): {
        "role": "approver",
        "reason": "No approver can be reached.",
        "minutes": 30,
    },
    ("PATCH", "/v1/images/{image}"): {"shared": True},
    ("PUT", "/v1/images/{image}/description"): {"name": "office"},
    ("POST", "/v1/servers/{server}/image"): {"name": "office"},
    ("PUT", "/v1/members/{code}/image-quota"): {"gib": 10},
    ("POST", "/v1/container-groups"): {
        "name": "portal",
        "system": f"m{MIKASA}-resident-records",
        "containers": [CONTAINER],
    },
    ("PUT", "/v1/container-groups/{container_group}"): {"containers": [CONTAINER]},
    ("POST", "/v1/images/uploads"): {
        "name": "office",
        "version": "1",
        "provenance": "a test",
        "size_bytes": 10,
        "sha256": "0" * 64,
    },
    ("POST", "/v1/images/uploads/{upload}/complete"): {},
    ("POST", "/v1/images"): {
        "name": "x",
        "version": "1",
        "path": "x.img",
        "provenance": "a test",
    },
}


QUERIES = {
    "/v1/catalogue/size": "?population=8040",
    "/v1/systems/{system}/backup-forecast": "?repository=hill",
    "/v1/events/stream": "?seconds=0",
    "/v1/members/{code}/backup-copy/object": "?key=repository.json&repository=hill",
    "/v1/images/uploads/{upload}": "?offset=0",
    "/v1/members/{code}/export/file": "?path=manifest.json",
    "/v1/operations/{operation_id}/stream": "?seconds=0",
}


_DESCRIBED: dict[str, Any] = {}


def routes(api: Api) -> Iterator[tuple[str, str]]:
    """Every method and path pattern, from the description that the API gives of itself: asked of the first
    one, since all have the same and each takes a second to put it together."""
    if not _DESCRIBED:
        _DESCRIBED.update(api.client.get("/openapi.json").json()["paths"])
    for path, operations in _DESCRIBED.items():
        for method in operations:
            yield method.upper(), path


def fill(api: Api, path: str) -> str:
    """The path with the names of things of 三笠市 and of hosts that exist."""
    return filled(path, names(api))


def filled(path: str, names: dict[str, str]) -> str:
    return (path + QUERIES.get(path, "")).format(**names)


def names(api: Api) -> dict[str, str]:
    with api.store.read() as tx:
        server = tx.servers(MIKASA)[0].id
        operation = tx.operations(MIKASA, 1)[0].id
        token = tx.tokens(MIKASA)[0].id if tx.tokens(MIKASA) else tx.tokens()[0].id
    return dict(
        host_id="kyoto-1",
        region_id="kyoto",
        server=server,
        system=f"m{MIKASA}-resident-records",
        operation_id=operation,
        token_id=token,
        code=MIKASA,
        user_id="user-none",
        account_id="account-none",
        grant_id="bg-none",
        network=f"m{MIKASA}-mynumber",
        volume="vol-none",
        snapshot="snap-none",
        group="sg-none",
        binding="binding-none",
        keypair="key-none",
        server_group="grp-none",
        reclaim_id="rc-none",
        image="tiny",
        upload="img-none",
        container_group="cg-none",
        blueprint="library",
        point="rp-none",
        restore="rs-none",
        task="kt-none",
        **FOR_BACKUPS,
    )


def send(api: Api, method: str, path: str) -> Any:
    body = BODIES.get((method, path))
    return api.request(method, fill(api, path), **({} if body is None else {"json": body}))


@pytest.fixture
def joined(api: Api) -> Api:
    """三笠市 and 宇治市 are members."""
    api.join(MIKASA)
    api.join(UJI)
    may_have_much(api, MIKASA)
    return api


def test_the_walk_knows_every_route_that_the_app_has(joined: Api) -> None:
    walked = set(routes(joined))
    served = {
        (method, path)
        for path, methods in _served(joined.app.routes)
        for method in methods - {"HEAD"}
        if not path.startswith("/openstack/")
    }
    assert served - {("GET", "/openapi.json")} == walked
    assert walked >= FOR_MEMBERS | set(BODIES) | OPEN


def _served(found: Any) -> Iterator[tuple[str, set[str]]]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route.path, set(route.methods)
        elif hasattr(route, "routes"):
            yield from _served(route.routes)
        elif hasattr(route, "original_router"):
            yield from _served(route.original_router.routes)
        elif getattr(route, "path", "") == "/openapi.json":
            yield route.path, {"GET"}


def test_a_stranger_is_told_401_on_every_route_and_changes_nothing(joined: Api) -> None:
    before = joined.contents()
    for method, path in sorted(set(routes(joined)) - OPEN):
        body = BODIES.get((method, path))
        answer = joined.client.request(method, fill(joined, path), json=body)
        assert answer.status_code == 401, (method, path, answer.text)
    assert joined.contents() == before


def test_a_member_is_told_403_on_every_route_for_operators_and_changes_nothing(
    joined: Api,
) -> None:
    town = joined.tenant(MIKASA)
    before = joined.contents()
    for method, path in sorted(set(routes(joined)) - OPEN - FOR_MEMBERS):
        answer = send(town, method, path)
        assert answer.status_code == 403, (method, path, answer.text)
        problem_of(answer, 403, "permission-missing")
    assert joined.contents() == before


@pytest.mark.long
def test_a_member_reaches_its_own_things_on_every_route_for_members(joined: Api) -> None:
    town = joined.tenant(MIKASA)
    # What ends the walk comes last: first the things that others are made of, then its own token.
    for method, path in sorted(FOR_MEMBERS, key=lambda r: (r[0] == "DELETE", "token" in r[1], r)):
        answer = send(town, method, path)
        # Nothing runs yet, or no more, so there is nothing to show or restart; but it may be asked for.
        resting = (
            "/console",
            "/reboot",
            "/start",
            "/stop",
            "/export",
            "/file",
            "/confirm",
            "/snapshots",
            "/uploads",
            "/image",
            "/description",
            "images/{image}",
            "networks/{network}",
            "/backups",
            "/resize/confirm",
            "/resize/revert",
        )
        allowed = {200, 202, 409} if path.endswith(resting) else {200, 201, 202}
        none = (
            "_id}",
            "{group}",
            "{binding}",
            "{keypair}",
            "{server_group}",
            "{volume}",
            "{snapshot}",
            "{image}",
            "{upload}",
            "{container_group}",
            "{point}",
            "{restore}",
            "{task}",
            "{repository}",
            "/backup-",
            "}/volumes",
        )
        if path == "/v1/users" or any(part in path for part in none):
            allowed |= {404, 422}
        assert answer.status_code in allowed, (method, path, answer.text)


def test_another_members_things_are_not_found_on_every_route_that_names_one(joined: Api) -> None:
    other = joined.tenant(UJI)
    before = joined.contents()
    named = {r for r in FOR_MEMBERS if "{server}" in r[1] or "{operation_id}" in r[1]}
    assert named
    for method, path in sorted(named):
        answer = send(other, method, path)
        absent = other.request(
            method,
            path.format(server="m-no-such-server", operation_id="op-no-such", volume="vol-none"),
            json=BODIES.get((method, path)),
        )
        assert answer.status_code == absent.status_code == 404, (method, path, answer.text)
        assert answer.json()["type"] == absent.json()["type"]
        assert set(answer.json()["fields"]) == set(absent.json()["fields"])
    assert joined.contents() == before


def test_another_members_things_stand_in_no_list(joined: Api) -> None:
    other = joined.tenant(UJI)
    for path in (
        "/v1/members",
        "/v1/systems",
        "/v1/servers",
        "/v1/operations",
        "/v1/events",
        "/v1/systems?tenant=012220",
        "/v1/servers?tenant=012220",
        "/v1/servers?host=kyoto-1",
        "/v1/servers?system=m012220-resident-records",
    ):
        answer = other.get(path)
        assert answer.status_code == 200, answer.text
        assert "012220" not in answer.text, path
        assert "三笠市" not in answer.text, path


def test_members_are_shown_no_hardware(joined: Api) -> None:
    town = joined.tenant(MIKASA)
    for server in town.get("/v1/servers").json()["items"]:
        assert (server["host"], server["moving_to"], server["storage"]) == (None, None, None)
    for server in joined.get("/v1/servers").json()["items"]:
        assert server["host"]
        assert server["storage"]
