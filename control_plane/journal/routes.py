"""Events and operations over HTTP, with waits that nobody has to poll."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand
from control_plane.http.paging import Limit, Page
from control_plane.http.principal import Principal
from control_plane.journal.models import EventOut, Events, OperationOut
from control_plane.journal.operations import operation_out
from control_plane.journal.progress import progress, settle
from control_plane.model.access import Permission
from control_plane.model.ids import OperationId
from control_plane.model.operation import Event, Operation, OperationState
from control_plane.model.units import Seconds
from control_plane.store import Snapshot

router = APIRouter(prefix="/v1", tags=["journal"])

Wait = Annotated[
    float,
    Query(ge=0, le=60, description="Wait up to this many seconds for something new."),
]
After = Annotated[
    int, Query(ge=0, le=2**62, description="`next` of the answer before; 0 for the beginning.")
]
Before = Annotated[
    int | None,
    Query(ge=1, le=2**62, description="`previous` of the answer before; leave out for the end."),
]
Newest = Annotated[
    bool, Query(description="The last `limit` of them rather than the first; still oldest first.")
]


@router.get("/events")
async def read_events(
    who: Annotated[Principal, needs(Permission.EVENTS_READ)],
    edge: AtHand,
    *,
    after: After = 0,
    before: Before = None,
    newest: Newest = False,
    wait: Wait = 0,
    limit: Limit = 100,
) -> Events:
    """Events behind number `after`, oldest first; a member's token gets its own alone, without the
    hardware behind them."""

    def found(tx: Snapshot) -> tuple[Event, ...] | None:
        return tx.events(after, limit + 1, who.tenant, before=before, newest=newest) or None

    one_more = await edge.watch.until(found, Seconds(wait)) or ()
    events = one_more[-limit:] if newest else one_more[:limit]
    return Events(
        items=[event_out(e if who.sees_hardware else e.for_member()) for e in events],
        next=events[-1].sequence if events else after,
        previous=events[0].sequence if newest and len(one_more) > limit else None,
    )


@router.get("/operations")
def read_operations(
    who: Annotated[Principal, needs(Permission.OPERATIONS_READ)],
    edge: AtHand,
    limit: Limit = 100,
    cursor: Name | None = None,
) -> Page[OperationOut]:
    """Newest first."""
    with edge.store.read() as tx:
        after = None if cursor is None else OperationId(cursor)
        found = tx.operations(who.tenant, limit + 1, after)
        shown = [
            operation_out(progress(tx, operation), with_hardware=who.sees_hardware)
            for operation in found[:limit]
        ]
    return Page[OperationOut](items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/operations/{operation_id}")
async def read_operation(
    operation_id: Name,
    who: Annotated[Principal, needs(Permission.OPERATIONS_READ)],
    edge: AtHand,
    wait: Wait = 0,
) -> OperationOut:
    """The operation as it stands, or, within `wait` seconds, as it ends or gets on."""
    name = OperationId(operation_id)
    seen: list[Operation] = []

    def moved_on(tx: Snapshot) -> Operation | None:
        now = progress(tx, tx.operation(name, who.tenant))
        if not seen:
            seen.append(now)
        if now.state is not OperationState.RUNNING or now.done != seen[0].done:
            return now
        return None

    operation = await edge.watch.until(moved_on, Seconds(wait)) or seen[0]
    if operation.state is not OperationState.RUNNING:
        operation = await to_thread.run_sync(settle, edge.store, name, edge.clock.now())
    return operation_out(operation, with_hardware=who.sees_hardware)


def event_out(event: Event) -> EventOut:
    return EventOut(
        sequence=event.sequence,
        kind=event.kind,
        subject=event.subject,
        at=event.at,
        severity=event.severity.value,
        en=event.en,
        ja=event.ja,
        tenant=event.tenant,
        fields=None if event.fields is None else dict(event.fields),
    )
