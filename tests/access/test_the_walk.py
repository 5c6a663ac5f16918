"""Every route, walked by every role: on its own member's things, on another's, and on what never was."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Engine, event

from control_plane.http.auth import Needs, whoever
from control_plane.http.tokens import new_token
from control_plane.model.access import PERMISSIONS, Role, Token, roles_with
from control_plane.model.access import Permission as P
from control_plane.model.allotment import Capacity
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.identity import User
from control_plane.model.ids import (
    BindingId,
    ContainerGroupId,
    GroupId,
    ImageId,
    KeyPairId,
    ReclaimId,
    RegionId,
    SecurityGroupId,
)
from control_plane.model.image import ImageUpload
from control_plane.model.keypair import KeyPair
from control_plane.model.network import Binding, BindingState, Protocol, SecurityGroup
from control_plane.model.pool import Zone
from control_plane.model.reclaim import Notice, Reclaim, ReclaimState
from control_plane.model.server_group import ServerGroup
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.model.units import MiB, VCpu
from tests.api.backups import FOR_BACKUPS, add_backups
from tests.api.capacity import may_have_much
from tests.api.conftest import (
    MIKASA,
    NOW,
    QUICKLY,
    SAGA_TAKEO,
    TINY,
    UJI,
    Api,
    api,
    prepared,
    problem_of,
)
from tests.api.disks import add_disks
from tests.api.test_access_to_every_route import BODIES, QUERIES

__all__ = ["api", "prepared"]

Route = tuple[str, str]

SAPPORO = Tenant(MunicipalityCode("011002"), "札幌市", "さっぽろし", "北海道", 1_973_395)

OPEN: set[Route] = {("GET", "/healthz"), ("GET", "/v1/sign-in")}
"""What strangers may ask."""

FOR_ANYBODY: set[Route] = {("GET", "/v1/me")}
"""What every token may ask."""

NEEDS: dict[Route, P] = {
    ("GET", "/metrics"): P.METRICS_READ,
    ("GET", "/v1/pool"): P.POOL_READ,
    ("PUT", "/v1/pool"): P.POOL_WRITE,
    ("GET", "/v1/hosts"): P.POOL_READ,
    ("GET", "/v1/hosts/{host_id}"): P.POOL_READ,
    ("POST", "/v1/hosts/{host_id}/drain"): P.POOL_WRITE,
    ("POST", "/v1/hosts/{host_id}/return"): P.POOL_WRITE,
    ("POST", "/v1/hosts/{host_id}/fence"): P.POOL_WRITE,
    ("GET", "/v1/regions/{region_id}/certificate"): P.POOL_READ,
    ("POST", "/v1/regions/{region_id}/certificate/check"): P.POOL_READ,
    ("POST", "/v1/explain"): P.POOL_READ,
    ("GET", "/v1/flavors"): P.CATALOGUE_READ,
    ("GET", "/v1/blueprints"): P.CATALOGUE_READ,
    ("GET", "/v1/blueprints/{blueprint}"): P.CATALOGUE_READ,
    ("GET", "/v1/catalogue/size"): P.CATALOGUE_READ,
    ("GET", "/v1/members"): P.MEMBERS_READ,
    ("POST", "/v1/members"): P.MEMBERS_APPLY,
    ("GET", "/v1/members/{code}"): P.MEMBERS_READ,
    ("PATCH", "/v1/members/{code}"): P.USERS_WRITE,
    ("POST", "/v1/members/{code}/approve"): P.MEMBERS_APPROVE,
    ("POST", "/v1/members/{code}/reject"): P.MEMBERS_APPROVE,
    ("POST", "/v1/members/{code}/withdraw"): P.MEMBERS_APPLY,
    ("POST", "/v1/members/{code}/connect"): P.MEMBERS_APPLY,
    ("POST", "/v1/members/{code}/leave"): P.MEMBERS_LEAVE,
    ("POST", "/v1/members/{code}/leave/approve"): P.MEMBERS_APPROVE,
    ("POST", "/v1/members/{code}/leave/reject"): P.MEMBERS_APPROVE,
    ("POST", "/v1/members/{code}/leave/cancel"): P.MEMBERS_LEAVE,
    ("POST", "/v1/members/{code}/leave/confirm"): P.MEMBERS_LEAVE,
    ("POST", "/v1/members/{code}/leave/waive"): P.MEMBERS_APPROVE,
    ("GET", "/v1/members/{code}/export"): P.MEMBERS_LEAVE,
    ("GET", "/v1/members/{code}/export/file"): P.MEMBERS_LEAVE,
    ("GET", "/v1/members/{code}/quota"): P.QUOTAS_READ,
    ("PUT", "/v1/members/{code}/quota"): P.QUOTAS_WRITE,
    ("GET", "/v1/quotas"): P.QUOTAS_READ,
    ("POST", "/v1/regions/{region_id}/reclaims"): P.QUOTAS_WRITE,
    ("GET", "/v1/reclaims"): P.QUOTAS_READ,
    ("GET", "/v1/reclaims/{reclaim_id}"): P.QUOTAS_READ,
    ("POST", "/v1/reclaims/{reclaim_id}/carry-out"): P.QUOTAS_WRITE,
    ("POST", "/v1/reclaims/{reclaim_id}/withdraw"): P.QUOTAS_WRITE,
    ("GET", "/v1/systems"): P.SYSTEMS_READ,
    ("POST", "/v1/systems"): P.SYSTEMS_WRITE,
    ("GET", "/v1/systems/{system}"): P.SYSTEMS_READ,
    ("DELETE", "/v1/systems/{system}"): P.SYSTEMS_WRITE,
    ("GET", "/v1/servers"): P.SERVERS_READ,
    ("POST", "/v1/servers"): P.SERVERS_WRITE,
    ("GET", "/v1/servers/{server}"): P.SERVERS_READ,
    ("PATCH", "/v1/servers/{server}"): P.SERVERS_WRITE,
    ("DELETE", "/v1/servers/{server}"): P.SERVERS_WRITE,
    ("GET", "/v1/servers/{server}/refuges"): P.POOL_READ,
    ("GET", "/v1/servers/{server}/console"): P.SERVERS_CONSOLE,
    ("POST", "/v1/servers/{server}/stop"): P.SERVERS_POWER,
    ("POST", "/v1/servers/{server}/start"): P.SERVERS_POWER,
    ("POST", "/v1/servers/{server}/reboot"): P.SERVERS_POWER,
    ("POST", "/v1/servers/{server}/resize"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/rename"): P.SERVERS_WRITE,
    ("GET", "/v1/servers/{server}/notes"): P.SERVERS_READ,
    ("PATCH", "/v1/servers/{server}/notes"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/rebuild"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/shelve"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/unshelve"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/migrate"): P.SERVERS_MIGRATE,
    ("GET", "/v1/servers/{server}/security-groups"): P.NETWORKS_READ,
    ("PUT", "/v1/servers/{server}/security-groups"): P.NETWORKS_WRITE,
    ("GET", "/v1/repositories"): P.BACKUPS_READ,
    ("GET", "/v1/repository-upkeep"): P.BACKUPS_READ,
    ("POST", "/v1/repositories"): P.REPOSITORIES_WRITE,
    ("GET", "/v1/repositories/{repository}"): P.BACKUPS_READ,
    ("PATCH", "/v1/repositories/{repository}"): P.REPOSITORIES_WRITE,
    ("DELETE", "/v1/repositories/{repository}"): P.REPOSITORIES_WRITE,
    ("POST", "/v1/repositories/{repository}/check"): P.REPOSITORIES_WRITE,
    ("POST", "/v1/repositories/{repository}/rewrap"): P.REPOSITORIES_WRITE,
    ("GET", "/v1/region-links"): P.BACKUPS_READ,
    ("PUT", "/v1/region-links/{link}"): P.REPOSITORIES_WRITE,
    ("DELETE", "/v1/region-links/{link}"): P.REPOSITORIES_WRITE,
    ("GET", "/v1/members/{code}/location-rule"): P.BACKUPS_READ,
    ("PUT", "/v1/members/{code}/location-rule"): P.BACKUPS_WRITE,
    ("DELETE", "/v1/members/{code}/location-rule"): P.BACKUPS_WRITE,
    ("GET", "/v1/disasters"): P.BACKUPS_READ,
    ("POST", "/v1/disasters"): P.DISASTERS_DECLARE,
    ("POST", "/v1/disasters/{disaster}/revoke"): P.DISASTERS_DECLARE,
    ("GET", "/v1/systems/{system}/backup-policy"): P.BACKUPS_READ,
    ("PUT", "/v1/systems/{system}/backup-policy"): P.BACKUPS_WRITE,
    ("DELETE", "/v1/systems/{system}/backup-policy"): P.BACKUPS_WRITE,
    ("GET", "/v1/systems/{system}/backup-forecast"): P.BACKUPS_READ,
    ("POST", "/v1/systems/{system}/backups"): P.BACKUPS_WRITE,
    ("GET", "/v1/backup-status"): P.BACKUPS_READ,
    ("GET", "/v1/recovery-points"): P.BACKUPS_READ,
    ("GET", "/v1/recovery-points/{point}"): P.BACKUPS_READ,
    ("POST", "/v1/recovery-points/{point}/restore"): P.BACKUPS_RESTORE,
    ("GET", "/v1/restores"): P.BACKUPS_READ,
    ("GET", "/v1/restores/{restore}"): P.BACKUPS_READ,
    ("POST", "/v1/restores/{restore}/cancel"): P.BACKUPS_RESTORE,
    ("GET", "/v1/restore-tests"): P.BACKUPS_READ,
    ("GET", "/v1/scrub-findings"): P.BACKUPS_READ,
    ("GET", "/v1/members/{code}/backup-copy"): P.BACKUPS_READ,
    ("GET", "/v1/members/{code}/backup-copy/object"): P.BACKUPS_READ,
    ("POST", "/v1/members/{code}/backup-copy/taken"): P.BACKUPS_READ,
    ("GET", "/v1/members/{code}/backup-keys"): P.BACKUPS_READ,
    ("POST", "/v1/members/{code}/backup-keys"): P.BACKUP_KEYS_WRITE,
    ("POST", "/v1/backup-keys/{task}/agree"): P.BACKUP_KEYS_AGREE,
    ("POST", "/v1/backup-keys/{task}/cancel"): P.BACKUP_KEYS_WRITE,
    ("GET", "/v1/networks"): P.NETWORKS_READ,
    ("POST", "/v1/networks"): P.NETWORKS_WRITE,
    ("GET", "/v1/networks/{network}"): P.NETWORKS_READ,
    ("PATCH", "/v1/networks/{network}"): P.NETWORKS_WRITE,
    ("DELETE", "/v1/networks/{network}"): P.NETWORKS_WRITE,
    ("PUT", "/v1/networks/{network}/offices"): P.NETWORKS_WRITE,
    ("GET", "/v1/security-groups"): P.NETWORKS_READ,
    ("POST", "/v1/security-groups"): P.NETWORKS_WRITE,
    ("GET", "/v1/security-groups/{group}"): P.NETWORKS_READ,
    ("PUT", "/v1/security-groups/{group}"): P.NETWORKS_WRITE,
    ("DELETE", "/v1/security-groups/{group}"): P.NETWORKS_WRITE,
    ("GET", "/v1/keypairs"): P.SERVERS_READ,
    ("POST", "/v1/keypairs"): P.SERVERS_WRITE,
    ("GET", "/v1/keypairs/{keypair}"): P.SERVERS_READ,
    ("DELETE", "/v1/keypairs/{keypair}"): P.SERVERS_WRITE,
    ("GET", "/v1/server-groups"): P.SERVERS_READ,
    ("POST", "/v1/server-groups"): P.SERVERS_WRITE,
    ("GET", "/v1/server-groups/{server_group}"): P.SERVERS_READ,
    ("DELETE", "/v1/server-groups/{server_group}"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/resize/confirm"): P.SERVERS_WRITE,
    ("POST", "/v1/servers/{server}/resize/revert"): P.SERVERS_WRITE,
    ("GET", "/v1/bindings"): P.NETWORKS_READ,
    ("POST", "/v1/bindings"): P.NETWORKS_WRITE,
    ("GET", "/v1/bindings/{binding}"): P.NETWORKS_READ,
    ("POST", "/v1/bindings/{binding}/approve"): P.BINDINGS_APPROVE,
    ("POST", "/v1/bindings/{binding}/refuse"): P.BINDINGS_APPROVE,
    ("POST", "/v1/bindings/{binding}/revoke"): P.BINDINGS_REVOKE,
    ("GET", "/v1/hosts/{host_id}/network"): P.HOST_NETWORK_READ,
    ("GET", "/v1/host-networks"): P.HOST_NETWORK_READ,
    ("GET", "/v1/volumes"): P.VOLUMES_READ,
    ("POST", "/v1/volumes"): P.VOLUMES_WRITE,
    ("GET", "/v1/volumes/{volume}"): P.VOLUMES_READ,
    ("PATCH", "/v1/volumes/{volume}"): P.VOLUMES_WRITE,
    ("POST", "/v1/volumes/{volume}/grow"): P.VOLUMES_WRITE,
    ("DELETE", "/v1/volumes/{volume}"): P.VOLUMES_WRITE,
    ("GET", "/v1/servers/{server}/volumes"): P.VOLUMES_READ,
    ("POST", "/v1/servers/{server}/volumes"): P.VOLUMES_WRITE,
    ("DELETE", "/v1/servers/{server}/volumes/{volume}"): P.VOLUMES_WRITE,
    ("GET", "/v1/servers/{server}/snapshots"): P.VOLUMES_READ,
    ("POST", "/v1/servers/{server}/snapshots"): P.VOLUMES_WRITE,
    ("GET", "/v1/snapshots"): P.VOLUMES_READ,
    ("GET", "/v1/snapshots/{snapshot}"): P.VOLUMES_READ,
    ("POST", "/v1/snapshots/{snapshot}/restore"): P.VOLUMES_WRITE,
    ("DELETE", "/v1/snapshots/{snapshot}"): P.VOLUMES_WRITE,
    ("GET", "/v1/images"): P.IMAGES_READ,
    ("POST", "/v1/images"): P.IMAGES_SHARE,
    ("GET", "/v1/images/standard"): P.IMAGES_READ,
    ("GET", "/v1/images/{image}"): P.IMAGES_READ,
    ("POST", "/v1/images/{image}/verify"): P.IMAGES_SHARE,
    ("PATCH", "/v1/images/{image}"): P.IMAGES_SHARE,
    ("DELETE", "/v1/images/{image}"): P.IMAGES_WRITE,
    ("PUT", "/v1/images/{image}/description"): P.IMAGES_WRITE,
    ("GET", "/v1/images/{image}/file"): P.IMAGES_READ,
    ("POST", "/v1/servers/{server}/image"): P.VOLUMES_WRITE,
    ("GET", "/v1/container-groups"): P.SERVERS_READ,
    ("POST", "/v1/container-groups"): P.SERVERS_WRITE,
    ("GET", "/v1/container-groups/{container_group}"): P.SERVERS_READ,
    ("PUT", "/v1/container-groups/{container_group}"): P.SERVERS_WRITE,
    ("DELETE", "/v1/container-groups/{container_group}"): P.SERVERS_WRITE,
    ("GET", "/v1/images/uploads"): P.IMAGES_WRITE,
    ("POST", "/v1/images/uploads"): P.IMAGES_WRITE,
    ("GET", "/v1/images/uploads/{upload}"): P.IMAGES_WRITE,
    ("PUT", "/v1/images/uploads/{upload}"): P.IMAGES_WRITE,
    ("POST", "/v1/images/uploads/{upload}/complete"): P.IMAGES_WRITE,
    ("DELETE", "/v1/images/uploads/{upload}"): P.IMAGES_WRITE,
    ("GET", "/v1/members/{code}/image-quota"): P.QUOTAS_READ,
    ("PUT", "/v1/members/{code}/image-quota"): P.QUOTAS_WRITE,
    ("GET", "/v1/events"): P.EVENTS_READ,
    ("GET", "/v1/events/stream"): P.EVENTS_READ,
    ("GET", "/v1/operations"): P.OPERATIONS_READ,
    ("GET", "/v1/operations/{operation_id}/stream"): P.OPERATIONS_READ,
    ("GET", "/v1/operations/{operation_id}"): P.OPERATIONS_READ,
    ("GET", "/v1/audit"): P.AUDIT_READ,
    ("GET", "/v1/audit/export"): P.AUDIT_READ,
    ("GET", "/v1/audit/heads"): P.AUDIT_READ,
    ("GET", "/v1/tokens"): P.TOKENS_READ,
    ("POST", "/v1/tokens"): P.TOKENS_WRITE,
    ("DELETE", "/v1/tokens/{token_id}"): P.TOKENS_WRITE,
    ("GET", "/v1/users"): P.USERS_READ,
    ("POST", "/v1/users"): P.USERS_WRITE,
    ("GET", "/v1/users/{user_id}"): P.USERS_READ,
    ("PATCH", "/v1/users/{user_id}"): P.USERS_WRITE,
    ("DELETE", "/v1/users/{user_id}"): P.USERS_WRITE,
    ("GET", "/v1/service-accounts"): P.TOKENS_READ,
    ("POST", "/v1/service-accounts"): P.TOKENS_WRITE,
    ("GET", "/v1/service-accounts/{account_id}"): P.TOKENS_READ,
    ("DELETE", "/v1/service-accounts/{account_id}"): P.TOKENS_WRITE,
    ("GET", "/v1/service-accounts/{account_id}/tokens"): P.TOKENS_READ,
    ("POST", "/v1/service-accounts/{account_id}/tokens"): P.TOKENS_WRITE,
    ("GET", "/v1/break-glass"): P.AUDIT_READ,
    ("POST", "/v1/break-glass"): P.BREAK_GLASS_OPEN,
    ("GET", "/v1/break-glass/{grant_id}"): P.AUDIT_READ,
    ("POST", "/v1/break-glass/{grant_id}/close"): P.BREAK_GLASS_OPEN,
}
"""Which permission each route asks for. A new route has its line here, or this module fails."""

BEYOND: dict[tuple[Route, Role], str] = {
    (("POST", "/v1/members/{code}/leave/confirm"), Role.OPERATOR): "members-own-word",
    (("GET", "/v1/members/{code}/export/file"), Role.OPERATOR): "members-own-export",
    (("PATCH", "/v1/users/{user_id}"), Role.OPERATOR): "members-own-users",
    (("DELETE", "/v1/users/{user_id}"), Role.OPERATOR): "members-own-users",
    **{
        ((method, f"/v1/members/{{code}}/backup-copy{path}"), role): "members-own-copy"
        for role in Role
        if not role.of_member
        for method, path in (("GET", ""), ("GET", "/object"), ("POST", "/taken"))
    },
}
"""What a role may not do to a member's things although it has the permission."""

OF_MEMBERS = {"server", "system", "operation_id", "code", "user_id", "account_id", "token_id", "grant_id", "reclaim_id", "network", "group", "keypair", "server_group", "binding", "volume", "image", "upload", "container_group", "snapshot", "point", "restore", "task"}  # fmt: skip
"""The parts of paths that name a member's things."""


@dataclass
class Town:
    """三笠市 with something of everything; `absent` are names as long as `names` that nothing has."""

    api: Api
    names: dict[str, str]
    absent: dict[str, str]

    def path(self, path: str, names: dict[str, str]) -> str:
        fixed = {"host_id": "kyoto-1", "region_id": "kyoto", "blueprint": "library", **FOR_BACKUPS}
        return (path + QUERIES.get(path, "")).format(**fixed, **names)

    def send(self, who: Api, route: Route, names: dict[str, str] | None = None) -> httpx.Response:
        body = BODIES.get(route)
        more = {} if body is None else {"json": body}
        return who.request(route[0], self.path(route[1], names or self.names), **more)


@pytest.fixture
def town(api: Api) -> Town:
    api.join(MIKASA)
    api.join(UJI)
    may_have_much(api, MIKASA)
    may_have_much(api, UJI)
    with api.store.write() as tx:
        for number, tenant in enumerate((MIKASA, MIKASA, UJI)):
            tx.add_user(
                User(f"user-{number}{tenant}", tenant, "https://id.example.jp", f"s{number}",
                     f"admin of {tenant}", None, Role.MEMBER_ADMIN, False, NOW)
            )  # fmt: skip
        server = tx.servers(MIKASA)[0].id
        asked_back = Notice(MunicipalityCode(MIKASA), Capacity(VCpu(1)), Capacity(), (server,))
        tx.add_reclaim(
            Reclaim(ReclaimId("rc-0"), RegionId("hokkaido"), asked_back.due, None, (asked_back,),
                    "an approver", NOW, NOW, ReclaimState.DONE)
        )  # fmt: skip
        operation = tx.operations(MIKASA, 1)[0].id
        # A third member, so that what 三笠市 offers it is nothing of 宇治市's.
        tx.add_tenant(SAPPORO)
        add_disks(tx, tx.server(server))
        brought = replace(TINY, id=ImageId("img-mikasa"), name="office", owner=MIKASA, private=True)
        tx.put_image(brought)
        system = tx.systems(MIKASA)[0]
        tx.add_container_group(
            ContainerGroup(
                ContainerGroupId("cont-mikasa"), system.tenant, system.id, system.region, "web",
                system.zone, system.tier, 1, (Container("web", "x", VCpu(1), MiB(64)),), NOW,
            )
        )  # fmt: skip
        tx.add_image_upload(
            ImageUpload(ImageId("img-coming"), MIKASA, "mikasa", "1", "三笠市", 10, "0" * 64, NOW)
        )
        add_backups(tx, tx.systems(MIKASA)[0])
        api.world.objects("s3://hill/yui").put("repository.json", b"{}")
        group = tx.add_security_group(
            SecurityGroup(SecurityGroupId("sg-mikasa"), MunicipalityCode(MIKASA), "三笠市 web")
        )
        tx.add_server_group(
            ServerGroup(GroupId("grp-mikasa"), group.tenant, "三笠市 apart", "user-9", NOW)
        )
        tx.add_keypair(
            KeyPair(KeyPairId("key-mikasa"), group.tenant, "三笠市 laptop", "ssh-ed25519 AAAA",
                    "00:11", "user-9", NOW)
        )  # fmt: skip
        tx.add_binding(
            Binding(
                BindingId("binding-mikasa"), "三笠市 certificates", group.tenant, SAPPORO.code,
                Zone.MYNUMBER, (server,), Protocol.TCP, 443, "三笠市 offers it.",
                BindingState.REQUESTED, "user-9", NOW,
            )
        )  # fmt: skip
    made = {"name": "backup", "role": "member-user", "tenant": MIKASA}
    account = api.post("/v1/service-accounts", json=made).json()["id"]
    token = api.post("/v1/tokens", json={"label": "spare", "role": "member-user", "tenant": MIKASA})
    opened = {"tenant": MIKASA, "role": "member-user", "reason": "Nobody answers.", "minutes": 5}
    names = {
        "server": server,
        "system": f"m{MIKASA}-resident-records",
        "volume": "vol-mikasa",
        "snapshot": "snap-mikasa",
        "image": "img-mikasa",
        "upload": "img-coming",
        "container_group": "cont-mikasa",
        "network": f"m{MIKASA}-mynumber",
        "group": "sg-mikasa",
        "keypair": "key-mikasa",
        "server_group": "grp-mikasa",
        "binding": "binding-mikasa",
        "point": "rp-mikasa",
        "restore": "rs-mikasa",
        "task": "kt-mikasa",
        "operation_id": operation,
        "code": MIKASA,
        "user_id": f"user-0{MIKASA}",
        "account_id": account,
        "token_id": token.json()["id"],
        "reclaim_id": "rc-0",
        "grant_id": api.post("/v1/break-glass", json=opened).json()["id"],
    }
    absent = {kind: "z" + name[1:-1] + "z" for kind, name in names.items()}
    return Town(api, names, {**absent, "code": SAGA_TAKEO})


def served(api: Api) -> Iterator[tuple[Route, APIRoute]]:
    def walk(routes: Any) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            elif hasattr(route, "original_router"):
                yield from walk(route.original_router.routes)
            elif hasattr(route, "routes"):
                yield from walk(route.routes)

    for route in walk(api.app.routes):
        # The OpenStack API has a walk of its own.
        if not route.path.startswith("/openstack/"):
            for method in route.methods - {"HEAD"}:
                yield (method, route.path), route


def calls(dependant: Any) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


def in_order(routes: Any) -> list[Route]:
    """What reads first, what deletes last."""
    return sorted(routes, key=lambda route: (("GET", "PUT", "PATCH", "POST", "DELETE").index(route[0]), route[1]))  # fmt: skip


def as_role(api: Api, role: Role, tenant: str = MIKASA) -> Api:
    """With a token that was put into the state, since nobody may give every role."""
    fresh = new_token(QUICKLY)
    of = tenant if role.of_member else None
    with api.store.write() as tx:
        tx.add_token(Token(fresh.id, fresh.hash, role, of, f"the {role}"))
    return api.with_token(fresh.text)


def test_the_table_names_every_route_and_what_it_asks_for(api: Api) -> None:
    known = dict(served(api))
    assert set(known) == set(NEEDS) | OPEN | FOR_ANYBODY
    for route, found in known.items():
        asked = {call.permission for call in calls(found.dependant) if isinstance(call, Needs)}
        assert asked == ({NEEDS[route]} if route in NEEDS else set()), route
        if route in FOR_ANYBODY:
            assert whoever in set(calls(found.dependant)), route


@pytest.mark.long
@pytest.mark.parametrize("role", list(Role))
def test_a_role_reaches_what_its_permissions_say_and_nothing_else(town: Town, role: Role) -> None:
    who = as_role(town.api, role)
    for route in in_order(NEEDS):
        answer = town.send(who, route)
        if NEEDS[route] not in PERMISSIONS[role]:
            problem = problem_of(answer, 403, "permission-missing")
            assert problem["fields"]["permission"] == NEEDS[route]
            assert problem["fields"]["roles"] == list(roles_with(NEEDS[route]))
        elif (route, role) in BEYOND:
            problem_of(answer, 403, BEYOND[route, role])
        else:
            assert answer.status_code not in (401, 403, 404, 405), (route, answer.text)
            assert answer.status_code < 500, (route, answer.text)
    for route in FOR_ANYBODY | OPEN:
        assert town.send(who, route).status_code == 200


@pytest.mark.long
@pytest.mark.parametrize("state", ["absent", "expired", "revoked", "made up", "of another scheme"])
def test_without_a_good_token_every_route_says_so_and_nothing_changes(
    town: Town, state: str
) -> None:
    fresh = new_token(QUICKLY)
    header = {"Authorization": f"Bearer {fresh.text}"}
    if state == "absent":
        header = {}
    elif state == "of another scheme":
        header = {"Authorization": f"Basic {fresh.text}"}
    elif state == "expired":
        with town.api.store.write() as tx:
            tx.add_token(Token(fresh.id, fresh.hash, Role.OPERATOR, None, "old", NOW))
    elif state == "revoked":
        who = as_role(town.api, Role.OPERATOR)
        assert who.get("/v1/me").status_code == 200
        id = who.get("/v1/me").json()["id"]
        town.api.request("DELETE", f"/v1/tokens/{id}")
        header = {"Authorization": f"Bearer {who.operator_token}"}
    before = town.api.contents()
    for route in in_order(set(NEEDS) | FOR_ANYBODY):
        answer = town.api.client.request(
            route[0], town.path(route[1], town.names), json=BODIES.get(route), headers=header
        )
        problem_of(answer, 401, "token-missing" if state == "absent" else "token-invalid")
        assert fresh.text not in answer.text
    assert town.api.contents() == before


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the database is asked, but for the token's own row, which is remembered at times, and for
    the transaction around it."""
    asked: list[str] = []

    def listen(_: Any, __: Any, statement: str, *___: Any) -> None:
        if not statement.startswith(("SELECT tokens.", "BEGIN")):
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


def seen(answer: httpx.Response, names: dict[str, str]) -> tuple[int, dict[str, str], str]:
    """The answer without its request's own id, and with what was asked for by one name."""
    text = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    for kind, name in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(name, kind)
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return answer.status_code, headers, text


@pytest.mark.long
@pytest.mark.parametrize("role", [Role.MEMBER_ADMIN, Role.MEMBER_USER])
def test_another_members_thing_and_one_that_never_was_are_the_same(town: Town, role: Role) -> None:
    other = as_role(town.api, role, UJI)
    named = [r for r in NEEDS if OF_MEMBERS & set(re.findall(r"{(\w+)}", r[1]))]
    assert len(named) > 20
    before = town.api.contents()
    different = []
    for route in in_order(named):
        with statements() as for_foreign:
            foreign = town.send(other, route, town.names)
        with statements() as for_absent:
            absent = town.send(other, route, town.absent)
        allowed = NEEDS[route] in PERMISSIONS[role]
        assert foreign.status_code == (404 if allowed else 403), (route, foreign.text)
        if seen(foreign, town.names) != seen(absent, town.absent) or for_foreign != for_absent:
            different.append((route, foreign.text, absent.text, for_foreign, for_absent))
    assert different == []
    assert town.api.contents() == before


@pytest.mark.long
@pytest.mark.parametrize("role", [Role.MEMBER_ADMIN, Role.MEMBER_USER])
def test_nothing_that_a_member_lists_tells_of_another(town: Town, role: Role) -> None:
    other = as_role(town.api, role, UJI)
    telling = {MIKASA, "三笠市", *town.names.values()}
    lists = [
        r for r in NEEDS if r[0] == "GET" and "{" not in r[1] and NEEDS[r] in PERMISSIONS[role]
    ]
    for _, path in lists:
        for query in ("", "?limit=1", f"?tenant={MIKASA}", "?after=0&newest=true"):
            address = path + (QUERIES.get(path) or query)
            cursor: str | None = ""
            while cursor is not None:
                answer = other.get(address + cursor)
                cursor = None
                if answer.status_code != 200:
                    assert answer.status_code == 422, (address, answer.text)
                    continue
                assert not [word for word in telling if word in answer.text], (address, answer.text)
                if answer.headers["content-type"] == "application/json":
                    following = (
                        answer.json().get("next") if isinstance(answer.json(), dict) else None
                    )
                    if isinstance(following, str):
                        told = base64.urlsafe_b64decode(following + "=" * (-len(following) % 4))
                        assert not [word for word in telling if word.encode() in told], address
                        cursor = f"&cursor={following}" if "?" in address else None
