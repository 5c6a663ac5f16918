"""Servers are listed, shown, changed and removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, Edge
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import ServerId
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found
from control_plane.store.server_cards import ServerCard
from tenants.asking import Asker
from tenants.lifecycle import delete
from tenants.openstack_api.answers import emptied
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.changing import Changes, ServerRef
from tenants.openstack_api.compute.paging import Limit, Marker, next_link, page_of
from tenants.openstack_api.compute.server_lists import wanted_of
from tenants.openstack_api.compute.server_models import ServerUpdate
from tenants.openstack_api.compute.server_view import Json, ServerView, View, addresses
from tenants.openstack_api.compute.unsupported import (
    refuse_hostname,
    refuse_later,
    refuse_unsupported,
)
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.services import Service, in_region
from tenants.server_notes import change_notes, rename

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]

_CHANGE_CAME_WITH = {"description": 19, "hostname": 90}


@router.get("/servers")
async def read_servers(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
) -> Response:
    """The member's servers of the region by name, filtered and sorted as with details."""
    body = await _listed(edge, request, view, limit, marker, detailed=False)
    return told(body)


@router.get("/servers/detail")
async def read_servers_in_detail(
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
) -> Response:
    """The member's servers of the region with all there is to say of each, filtered by name, status,
    flavor, image, address, tags and more; what tells of servers that are gone (`changes-since`) is refused."""
    body = await _listed(edge, request, view, limit, marker, detailed=True)
    return told(body)


async def _listed(
    edge: Edge,
    request: Request,
    view: ServerView,
    limit: int | None,
    marker: str | None,
    *,
    detailed: bool,
) -> Json:
    query = request.query_params.multi_items()

    def look(tx: Snapshot) -> Json:
        belongings = tx.belongings(view.tenant)
        wanted = wanted_of(query, belongings.keys, view.version)
        cards = wanted.of(tx.server_cards(view.tenant, view.region), view.now)
        page, following = page_of(cards, limit, marker, lambda card: card.id)
        body: Json = {
            "servers": [
                view.detail(card, belongings) if detailed else view.brief(card) for card in page
            ]
        }
        if following is not None:
            body["servers_links"] = next_link(request, following)
        return body

    return await edge.look(look)


@router.get("/servers/{server}")
async def read_server(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """One server with all there is to say of it."""
    return told(await edge.look(lambda tx: view.one(tx, server)))


@router.put("/servers/{server}")
@audited("server.rename", "server")
def update_server(server: ServerRef, body: ServerUpdate, who: Writer, changes: Changes) -> Response:
    """Gives a server another name or description; its guest learns of the name when it is next started."""
    wanted, view = body.server, changes.view
    refuse_later(wanted, view.version, _CHANGE_CAME_WITH)
    refuse_unsupported(wanted)

    def change(tx: Transaction, found: Server, asker: Asker) -> Json:
        refuse_hostname(wanted.hostname, wanted.name or found.name)
        if wanted.name is not None:
            rename(tx, found, wanted.name, asker)
        if "description" in wanted.model_fields_set:
            notes = replace(tx.notes_of(found.id), description=wanted.description)
            change_notes(tx, found, notes, asker)
        return _as_updated(view.one(tx, server), view)

    return changes.server(who, server, change)


@router.delete("/servers/{server}", status_code=204)
@audited("server.delete", "server")
def delete_server(server: ServerRef, who: Writer, changes: Changes) -> Response:
    """Removes a server with its root disk; one that is locked stays."""

    def change(tx: Transaction, found: Server, asker: Asker) -> None:
        delete(tx, found, asker, lambda _: None)

    return emptied(changes.server(who, server, change), 204)


@router.get("/servers/{server}/ips")
async def read_addresses(server: ServerRef, _: Reader, view: View, edge: AtHand) -> Response:
    """A server's address, by its network."""

    def look(tx: Snapshot) -> Json:
        return {"addresses": _plain(tx.server_card(ServerId(server), view.tenant, view.region))}

    return told(await edge.look(look))


@router.get("/servers/{server}/ips/{network}")
async def read_addresses_of_network(
    server: ServerRef,
    network: Annotated[str, Path(max_length=255)],
    _: Reader,
    view: View,
    edge: AtHand,
) -> Response:
    """The same of one network, by its name."""

    def look(tx: Snapshot) -> Json:
        found = _plain(tx.server_card(ServerId(server), view.tenant, view.region))
        if network not in found:
            raise not_found("network", network)
        return {network: found[network]}

    return told(await edge.look(look))


def _plain(card: ServerCard) -> Mapping[str, list[Json]]:
    return {
        network: [{"version": one["version"], "addr": one["addr"]} for one in found]
        for network, found in addresses(card).items()
    }


def _as_updated(body: Json, view: ServerView) -> Json:
    """Before 2.75 the answer to a change left out what extensions had added."""
    if since(view.version, 75):
        return body
    added = ("OS-EXT-", "OS-SRV-USG", "os-extended-volumes", "config_drive", "key_name")
    server = body["server"]
    return {
        "server": {
            name: value
            for name, value in server.items()
            if not name.startswith((*added, "security_groups", "server_groups", "trusted_"))
        }
    }
