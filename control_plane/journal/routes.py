"""Events and operations over HTTP, with waits that nobody has to poll."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, Json, listed, written
from control_plane.http.paging import Cursor, Limit, Page, behind, cursor_to
from control_plane.http.principal import Principal
from control_plane.journal.models import Events, OperationOut
from control_plane.journal.operations import operation_out, operation_row
from control_plane.journal.progress import progress, settle
from control_plane.model.access import Permission
from control_plane.model.ids import OperationId
from control_plane.model.operation import Event, Operation, OperationState, Severity
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

OfMember = Annotated[
    CodeText | None, Query(description="Only what concerns this member, by its municipality code.")
]
Severities = Annotated[
    list[Severity] | None, Query(max_length=3, description="Only events of these severities.")
]


@router.get("/events", response_model=Events, responses=LIST_ANSWERS)
async def read_events(
    who: Annotated[Principal, needs(Permission.EVENTS_READ)],
    edge: AtHand,
    *,
    after: After = 0,
    before: Before = None,
    newest: Newest = False,
    tenant: OfMember = None,
    severity: Severities = None,
    wait: Wait = 0,
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Events behind number `after`, oldest first; a member's token gets its own alone, under numbers of
    their own and without the hardware behind them."""

    def found(tx: Snapshot) -> tuple[Event, ...] | None:
        chosen = tx.events(
            after,
            limit + 1,
            who.tenant,
            before=before,
            newest=newest,
            about=tenant,
            severities=severity or (),
        )
        return chosen or None

    one_more = await edge.watch.until(found, Seconds(wait)) or ()
    events = one_more[-limit:] if newest else one_more[:limit]
    document = {
        "items": [event_row(event, who) for event in events],
        "next": events[-1].sequence if events else after,
        "previous": events[0].sequence if newest and len(one_more) > limit else None,
    }
    return listed(written(document), if_none_match)


@router.get("/operations", response_model=Page[OperationOut], responses=LIST_ANSWERS)
async def read_operations(
    who: Annotated[Principal, needs(Permission.OPERATIONS_READ)],
    edge: AtHand,
    *,
    tenant: OfMember = None,
    state: Annotated[
        OperationState | None, Query(description="Only operations that are so at the moment.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Newest first, in pages; a member's token gets its own alone."""
    name = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        found = tx.operations(
            who.tenant,
            limit + 1,
            None if name is None else OperationId(name),
            state=state,
            about=tenant,
        )
        shown = [progress(tx, operation) for operation in found[:limit]]
        # One that has ended and was not written down as such yet is not what was asked for.
        rows = [operation_row(o, who) for o in shown if state in (None, o.state)]
        following = cursor_to(found[limit - 1].id) if len(found) > limit else None
        return written({"items": rows, "next": following})

    return listed(await edge.look(page), if_none_match)


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


def event_row(event: Event, who: Principal) -> Json:
    """An `EventOut` of what `who` may read of it."""
    shown = event if who.sees_hardware else event.for_member()
    return {
        "sequence": shown.sequence,
        "kind": shown.kind,
        "subject": shown.subject,
        "at": shown.at,
        "severity": shown.severity.value,
        "en": shown.en,
        "ja": shown.ja,
        "tenant": shown.tenant,
        "fields": None if shown.fields is None else dict(shown.fields),
    }
