"""Networks over HTTP, and the security groups of servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import (
    Expected,
    ExpectedContent,
    content_tag,
    entity_tag,
    generation_tag,
)
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import NetworkId
from control_plane.model.network import Network
from control_plane.model.workload import Server
from control_plane.pool.plan import replaced
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.networks.groups import groups_of, put_into_groups
from tenants.networks.models import (
    GroupsOfServer,
    GroupsOfServerIn,
    NetworkOut,
    NetworkPlan,
    OfficesIn,
)
from tenants.networks.networks import network_out, set_offices
from tenants.networks.plans import HostNetworks, host_networks_of
from tenants.record_change import change_record
from tenants.servers import find_server

router = APIRouter(prefix="/v1", tags=["networks"])

HostNetworksAtHand = Annotated[HostNetworks, Depends(host_networks_of)]


@router.get("/networks", response_model=Page[NetworkOut], responses=LIST_ANSWERS)
async def read_networks(
    who: Annotated[Principal, needs(Permission.NETWORKS_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
    *,
    tenant: OfMember = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Networks by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        rows = tx.networks(
            who.tenant,
            also=tenant,
            after=None if after is None else NetworkId(after),
            limit=limit + 1,
        )
        plans, applied = host_networks.at(tx), tx.applied_networks()

        def show(network: Network) -> dict[str, Any]:
            effect = plans.effect({network.id}, applied)
            return network_out(network, who, effect).model_dump(mode="json")

        return page_bytes(rows, limit, show, key=lambda network: network.id)

    return listed(await edge.look(page), if_none_match)


@router.get("/networks/{network}", response_model=NetworkOut)
def read_network(
    network: Name,
    who: Annotated[Principal, needs(Permission.NETWORKS_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
) -> Response:
    """One, with its ETag."""
    with edge.store.read() as tx:
        found = tx.network(NetworkId(network), who.tenant)
        effect = host_networks.at(tx).effect({found.id}, tx.applied_networks())
    shown = network_out(found, who, effect)
    return JSONResponse(
        shown.model_dump(mode="json"), headers={"ETag": entity_tag(found.generation)}
    )


@router.put("/networks/{network}/offices", response_model=NetworkOut | NetworkPlan)
@audited("network.offices", "network")
def put_offices(
    network: Name,
    body: OfficesIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Declare where the member's own offices are. They may reach the network's servers, and be reached by
    them, as far as security groups allow."""

    def change(tx: Transaction) -> tuple[Network, Network]:
        asker = Asker(who, edge.clock.now())
        return set_offices(tx, NetworkId(network), body.offices, asker, expected)

    def rehearsal(done: tuple[Network, Network]) -> NetworkPlan:
        old, new = ([str(o) for o in each.offices] for each in done)
        path = f"/networks/{network}/offices"
        return NetworkPlan(diff=[replaced(path, old, new)] if old != new else [])

    return change_record(
        edge,
        once,
        change,
        answer=lambda done: network_out(done[1], who, None),
        rehearsal=rehearsal,
        dry_run=dry_run,
        headers=generation_tag,
        # Two members at once must not both find the same addresses free.
        turn="offices",
    )


@router.get("/servers/{server}/security-groups", response_model=GroupsOfServer)
def read_groups_of_server(
    server: Name, who: Annotated[Principal, needs(Permission.NETWORKS_READ)], edge: AtHand
) -> Response:
    """The groups whose rules hold for the server, with their ETag."""
    with edge.store.read() as tx:
        shown = _shown(tx, find_server(tx, server, who.tenant))
    document = shown.model_dump(mode="json")
    return JSONResponse(document, headers={"ETag": content_tag(document)})


@router.put("/servers/{server}/security-groups", response_model=GroupsOfServer | NetworkPlan)
@audited("server.security-groups", "server")
def put_groups_of_server(
    server: Name,
    body: GroupsOfServerIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: ExpectedContent,
    dry_run: DryRun = False,
) -> Response:
    """Have the server in these of its member's groups, and in no other."""

    def change(tx: Transaction) -> tuple[GroupsOfServer, GroupsOfServer]:
        found = find_server(tx, server, who.tenant)
        before = _shown(tx, found)
        _expect(before, expected)
        with named_in_body():
            put_into_groups(tx, found, body.groups, Asker(who, edge.clock.now()))
        return before, _shown(tx, found)

    def rehearsal(done: tuple[GroupsOfServer, GroupsOfServer]) -> NetworkPlan:
        before, after = (each.groups for each in done)
        path = f"/servers/{server}/security-groups"
        return NetworkPlan(diff=[replaced(path, before, after)] if before != after else [])

    return change_record(
        edge,
        once,
        change,
        answer=lambda done: done[1],
        rehearsal=rehearsal,
        dry_run=dry_run,
        headers=_content_tag,
    )


def _content_tag(shown: Mapping[str, Any]) -> Mapping[str, str]:
    return {"ETag": content_tag(shown)}


def _shown(tx: Snapshot, server: Server) -> GroupsOfServer:
    return GroupsOfServer(server=server.id, groups=[group.id for group in groups_of(tx, server)])


def _expect(groups: GroupsOfServer, expected: str | None) -> None:
    if expected is not None and content_tag(groups.model_dump(mode="json")) != expected:
        raise YuiError(
            "security-groups-changed",
            en=f"The security groups of server '{groups.server}' have changed since you read them: read them again.",
            ja=f"サーバー「{groups.server}」のセキュリティグループは読み取り後に変更されています。読み直してください。",
            status=412,
            fields={"server": groups.server},
        )
