"""Networks that members ask for themselves, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, generation_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import NetworkId, RegionId
from control_plane.model.network import Network
from control_plane.pool.plan import added, removed, replaced
from control_plane.store import Transaction
from tenants.asking import Asker, member_asking
from tenants.networks.models import NetworkChangeIn, NetworkOut, NetworkPlan, NewNetworkIn
from tenants.networks.networks import expect, network_out
from tenants.networks.own_networks import add_network, remove_network, rename_network
from tenants.onboarding import region_for
from tenants.record_change import change_record

router = APIRouter(prefix="/v1/networks", tags=["networks"])


@router.post(
    "",
    status_code=201,
    response_model=NetworkOut,
    responses={200: {"model": NetworkPlan, "description": "With `dry_run`."}},
)
@audited("network.add", "network")
def post_network(
    body: NewNetworkIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Have the member's network of a zone ahead of its first server, so that its addresses are known."""

    def change(tx: Transaction) -> Network:
        tenant = member_asking(
            who, "A network belongs to a member", "ネットワークは団体ごとに作成します"
        )
        asked = None if body.region is None else RegionId(body.region)
        with named_in_body():
            region = region_for(tx, tx.tenant(tenant), asked)
        asker = Asker(who, edge.clock.now())
        return add_network(tx, tenant, region, body.zone, asker, name=body.name)

    def rehearsal(made: Network) -> NetworkPlan:
        shown = network_out(made, who, None)
        what = shown.model_dump(mode="json", include={"region", "zone", "name", "subnets"})
        return NetworkPlan(diff=[added(f"/networks/{shown.id}", what)])

    return change_record(
        edge,
        once,
        change,
        answer=lambda made: network_out(made, who, None),
        rehearsal=rehearsal,
        dry_run=dry_run,
        status=201,
        headers=generation_tag,
    )


@router.patch("/{network}", response_model=NetworkOut | NetworkPlan)
@audited("network.change", "network")
def patch_network(
    network: Name,
    body: NetworkChangeIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give a network another name."""

    def change(tx: Transaction) -> tuple[Network, Network]:
        before = expect(tx.network(NetworkId(network), who.tenant), expected)
        return before, rename_network(tx, before, body.name, Asker(who, edge.clock.now()))

    def rehearsal(done: tuple[Network, Network]) -> NetworkPlan:
        old, new = (each.name for each in done)
        path = f"/networks/{network}/name"
        return NetworkPlan(diff=[replaced(path, old, new)] if old != new else [])

    return change_record(
        edge,
        once,
        change,
        answer=lambda done: network_out(done[1], who, None),
        rehearsal=rehearsal,
        dry_run=dry_run,
        headers=generation_tag,
    )


@router.delete("/{network}", response_model=NetworkOut | NetworkPlan)
@audited("network.remove", "network")
def delete_network(
    network: Name,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give back a network that no server is in, with its addresses and offices. Answers it as it was."""

    def change(tx: Transaction) -> Network:
        found = expect(tx.network(NetworkId(network), who.tenant), expected)
        remove_network(tx, found, Asker(who, edge.clock.now()))
        return found

    return change_record(
        edge,
        once,
        change,
        answer=lambda found: network_out(found, who, None),
        rehearsal=lambda _: NetworkPlan(diff=[removed(f"/networks/{network}")]),
        dry_run=dry_run,
    )
