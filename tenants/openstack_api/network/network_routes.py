"""Networks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from control_plane.http.refusals import audited
from control_plane.model.errors import YuiError
from control_plane.model.pool import Zone
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.networks.own_networks import add_network, remove_network, rename_network
from tenants.openstack_api.network.asked import (
    PREFIX,
    TAGS,
    AnyId,
    ChangesHere,
    Reader,
    ThingsHere,
    Writer,
    own,
)
from tenants.openstack_api.network.facts import Facts
from tenants.openstack_api.network.lists import Listed
from tenants.openstack_api.network.models import NetworkChangeIn, NetworkIn, NetworkOfIn

router = APIRouter(prefix=f"{PREFIX}/networks", tags=[*TAGS])

_NETWORKS = Listed(
    "networks",
    frozenset(
        [
            "id",
            "name",
            "tenant_id",
            "project_id",
            "status",
            "admin_state_up",
            "shared",
            "router:external",
            "yui:zone",
        ]
    ),
)


@router.get("")
async def list_networks(_who: Reader, here: ThingsHere) -> Response:
    """The member's networks in the region."""
    return await here.list(_NETWORKS, Facts.network_views)


@router.get("/{network}")
async def show_network(network: AnyId, _who: Reader, here: ThingsHere) -> Response:
    """One network."""
    return await here.one("network", lambda facts: facts.network_view(network))


@router.post("", status_code=201)
@audited("network.add", "network")
def create_network(
    body: NetworkIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Makes the network of a zone ahead of its first server; the zone is `yui:zone`,
    `provider:physical_network`, or the name. A member has one of each zone in a region."""
    wanted = body.network
    own(here.project, wanted.tenant_id, wanted.project_id)
    zone = _zone(wanted)

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        made = add_network(tx, here.project, here.region, zone, asker, name=wanted.name)
        return {"network": here.facts(tx).network_view(made.id)}

    return here.make(who, change, status=201)


@router.put("/{network}")
@audited("network.change", "network")
def update_network(
    network: AnyId,
    body: NetworkChangeIn,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Gives a network another name."""

    def change(tx: Transaction, asker: Asker) -> dict[str, Any]:
        found = here.facts(tx).network(network)
        if body.network.name is not None:
            rename_network(tx, found, body.network.name, asker)
        return {"network": here.facts(tx).network_view(network)}

    return here.make(who, change)


@router.delete("/{network}", status_code=204)
@audited("network.remove", "network")
def delete_network(
    network: AnyId,
    who: Writer,
    here: ChangesHere,
) -> Response:
    """Gives back a network that no server is in, with its addresses and its offices."""

    return here.remove(
        who, lambda tx, asker: remove_network(tx, here.facts(tx).network(network), asker)
    )


def _zone(wanted: NetworkOfIn) -> Zone:
    given = (wanted.zone, wanted.physical_network, *wanted.availability_zone_hints)
    said = {zone for zone in given if zone is not None}
    if not said and wanted.name in set(Zone):
        return Zone(wanted.name)
    if len(said) != 1:
        zones = ", ".join(Zone)
        raise YuiError(
            "network-zone-unclear",
            en=f"A network is of one zone, {zones}: say it as yui:zone or provider:physical_network, or call the network so.",
            ja=f"ネットワークのゾーンを一つ、{zones} から yui:zone または provider:physical_network で指定するか、ネットワークの名前にしてください。",
            status=400,
        )
    return said.pop()
