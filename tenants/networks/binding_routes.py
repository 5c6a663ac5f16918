"""Bindings over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, entity_tag, generation_tag
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import BindingId, Generation
from control_plane.model.network import Binding, BindingState
from control_plane.pool.plan import added, replaced
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.networks.bindings import (
    binding_out,
    decide,
    expect,
    request_binding,
    revoke,
    servers_of,
)
from tenants.networks.models import BindingOut, NetworkPlan, NewBindingIn
from tenants.networks.network_routes import HostNetworksAtHand
from tenants.record_change import change_record

router = APIRouter(prefix="/v1/bindings", tags=["networks"])


@router.get("", response_model=Page[BindingOut], responses=LIST_ANSWERS)
async def read_bindings(
    who: Annotated[Principal, needs(Permission.NETWORKS_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
    *,
    tenant: OfMember = None,
    state: Annotated[BindingState | None, Query(description="Only those that are so.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Bindings by id, in pages; a member's token gets those alone that it is a side of."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        rows = tx.bindings(
            who.tenant,
            also=tenant,
            state=state,
            after=None if after is None else BindingId(after),
            limit=limit + 1,
        )
        plans, applied = host_networks.at(tx), tx.applied_networks()
        servers = servers_of(tx, *rows)

        def show(binding: Binding) -> dict[str, Any]:
            effect = plans.effect_of(binding, applied)
            return binding_out(binding, servers, who, effect).model_dump(mode="json")

        return page_bytes(rows, limit, show, key=lambda binding: binding.id)

    return listed(await edge.look(page), if_none_match)


@router.get("/{binding}", response_model=BindingOut)
def read_binding(
    binding: Name,
    who: Annotated[Principal, needs(Permission.NETWORKS_READ)],
    edge: AtHand,
    host_networks: HostNetworksAtHand,
) -> Response:
    """One, with its ETag."""
    with edge.store.read() as tx:
        found = tx.binding(BindingId(binding), who.tenant)
        effect = host_networks.at(tx).effect_of(found, tx.applied_networks())
        shown = binding_out(found, servers_of(tx, found), who, effect)
    return JSONResponse(
        shown.model_dump(mode="json"), headers={"ETag": entity_tag(found.generation)}
    )


@router.post(
    "",
    status_code=201,
    response_model=BindingOut,
    responses={200: {"model": NetworkPlan, "description": "With `dry_run`."}},
)
@audited("binding.request", "binding")
def post_binding(
    body: NewBindingIn,
    who: Annotated[Principal, needs(Permission.NETWORKS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Offer a service of one's own servers to another member. An approver decides; nothing passes before."""

    def change(tx: Transaction) -> BindingOut:
        with named_in_body():
            made = request_binding(tx, body, Asker(who, edge.clock.now()))
        return binding_out(made, servers_of(tx, made), who, None)

    def rehearsal(made: BindingOut) -> NetworkPlan:
        left_out = {"id", "requested_at", "generation"}
        what = made.model_dump(mode="json", exclude=left_out, exclude_none=True)
        return NetworkPlan(diff=[added(f"/bindings/{made.name}", what)])

    return change_record(
        edge,
        once,
        change,
        answer=lambda made: made,
        rehearsal=rehearsal,
        dry_run=dry_run,
        status=201,
        headers=generation_tag,
    )


@router.post("/{binding}/approve", response_model=BindingOut | NetworkPlan)
@audited("binding.approve", "binding")
def approve_binding(
    binding: Name,
    who: Annotated[Principal, needs(Permission.BINDINGS_APPROVE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Let it pass. Whoever asked can't approve it too."""

    def change(tx: Transaction, found: Binding, asker: Asker) -> Binding:
        return decide(tx, found, asker, approve=True)

    return _moved(binding, who, edge, once, expected, change, dry_run=dry_run)


@router.post("/{binding}/refuse", response_model=BindingOut | NetworkPlan)
@audited("binding.refuse", "binding")
def refuse_binding(
    binding: Name,
    who: Annotated[Principal, needs(Permission.BINDINGS_APPROVE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Do not let it pass."""

    def change(tx: Transaction, found: Binding, asker: Asker) -> Binding:
        return decide(tx, found, asker, approve=False)

    return _moved(binding, who, edge, once, expected, change, dry_run=dry_run)


@router.post("/{binding}/revoke", response_model=BindingOut | NetworkPlan)
@audited("binding.revoke", "binding")
def revoke_binding(
    binding: Name,
    who: Annotated[Principal, needs(Permission.BINDINGS_REVOKE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """End it, or take the request back: either side may, and an approver. Hosts stop what it let pass,
    also conversations that go on."""
    return _moved(binding, who, edge, once, expected, revoke, dry_run=dry_run)


def _moved(  # noqa: PLR0917 - what every route has at hand
    id: str,
    who: Principal,
    edge: Edge,
    once: Once,
    expected: Generation | None,
    change: Callable[[Transaction, Binding, Asker], Binding],
    *,
    dry_run: bool,
) -> Response:
    def moved(tx: Transaction) -> tuple[BindingState, BindingOut]:
        found = expect(tx.binding(BindingId(id), who.tenant), expected)
        after = change(tx, found, Asker(who, edge.clock.now()))
        return found.state, binding_out(after, servers_of(tx, after), who, None)

    def rehearsal(done: tuple[BindingState, BindingOut]) -> NetworkPlan:
        before, after = done
        path = f"/bindings/{id}/state"
        return NetworkPlan(diff=[replaced(path, before.value, after.state.value)])

    return change_record(
        edge,
        once,
        moved,
        answer=lambda done: done[1],
        rehearsal=rehearsal,
        dry_run=dry_run,
        headers=generation_tag,
    )
