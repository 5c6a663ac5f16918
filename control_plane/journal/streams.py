"""Events and operations as streams: what `GET` with `wait` answers bit by bit, over one answer."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

from anyio import current_time, sleep, to_thread
from fastapi import APIRouter, Query, Request

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, Edge
from control_plane.http.principal import Principal
from control_plane.http.streaming import (
    HEARTBEAT,
    STREAM_ANSWERS,
    LastEventId,
    Stream,
    message,
    still_known,
)
from control_plane.journal.operations import operation_row
from control_plane.journal.progress import progress, settle
from control_plane.journal.routes import After, OfMember, Severities, event_row
from control_plane.model.access import Permission
from control_plane.model.ids import OperationId
from control_plane.model.operation import Event, Operation, OperationState
from control_plane.model.units import Seconds
from control_plane.store import Snapshot

T = TypeVar("T")

router = APIRouter(prefix="/v1", tags=["journal"])

_AT_ONCE = 500

ForSeconds = Annotated[
    int | None,
    Query(
        ge=0, le=86_400, description="End the stream after so long, where nothing ends it before."
    ),
]


@router.get("/events/stream", status_code=200, response_class=Stream, responses=STREAM_ANSWERS)
async def stream_events(
    request: Request,
    who: Annotated[Principal, needs(Permission.EVENTS_READ)],
    edge: AtHand,
    *,
    after: After = 0,
    last_event_id: LastEventId = None,
    tenant: OfMember = None,
    severity: Severities = None,
    seconds: ForSeconds = None,
) -> Stream:
    """Events behind number `after`, or behind `Last-Event-ID`, as they happen; a member's token gets its
    own alone, under numbers of their own. Each has its number as `id` and an event of the list as
    `data`; a comment comes where nothing happens."""
    begin = after if last_event_id is None else int(last_event_id)
    limit = math.inf if seconds is None else current_time() + seconds

    def next_behind(number: int) -> Callable[[Snapshot], Sequence[Event] | None]:
        def found(tx: Snapshot) -> Sequence[Event] | None:
            chosen = severity or ()
            return tx.events(number, _AT_ONCE, who.tenant, about=tenant, severities=chosen) or None

        return found

    messages = _events(edge, who, begin, next_behind, still_known(request), until=limit)
    return Stream(messages, edge.streams.one(who))


@router.get(
    "/operations/{operation_id}/stream",
    status_code=200,
    response_class=Stream,
    responses=STREAM_ANSWERS,
)
async def stream_operation(
    operation_id: Name,
    request: Request,
    who: Annotated[Principal, needs(Permission.OPERATIONS_READ)],
    edge: AtHand,
    seconds: ForSeconds = None,
) -> Stream:
    """The operation each time that it has got on, until it has ended."""
    name = OperationId(operation_id)
    first = await edge.look(lambda tx: progress(tx, tx.operation(name, who.tenant)))
    limit = math.inf if seconds is None else current_time() + seconds
    messages = _states(edge, who, first, still_known(request), limit)
    return Stream(messages, edge.streams.one(who))


async def _events(
    edge: Edge,
    who: Principal,
    behind: int,
    next_behind: Callable[[int], Callable[[Snapshot], Sequence[Event] | None]],
    known: Callable[[], Awaitable[bool]],
    *,
    until: float,
) -> AsyncIterator[bytes]:
    yield HEARTBEAT

    while not edge.watch.stopped and current_time() < until:
        events = await _next(edge, next_behind(behind), until)
        if not await known():
            return
        for event in events or ():
            yield _event(event, who)
            behind = event.sequence
        if events is None:
            yield HEARTBEAT


async def _states(
    edge: Edge,
    who: Principal,
    now: Operation,
    known: Callable[[], Awaitable[bool]],
    until: float,
) -> AsyncIterator[bytes]:
    yield _operation(await _settled(edge, now), who)

    def other_than(seen: Operation) -> Callable[[Snapshot], Operation | None]:
        def moved_on(tx: Snapshot) -> Operation | None:
            found = progress(tx, tx.operation(seen.id, who.tenant))
            return None if (found.state, found.done) == (seen.state, seen.done) else found

        return moved_on

    while now.state is OperationState.RUNNING and not edge.watch.stopped and current_time() < until:
        found = await _next(edge, other_than(now), until)
        if not await known():
            return
        if found is None:
            yield HEARTBEAT
            continue
        now = found
        yield _operation(await _settled(edge, now), who)


async def _next(edge: Edge, condition: Callable[[Snapshot], T | None], until: float) -> T | None:
    """None after a heartbeat's time, at the end, and when the server stops."""
    began = current_time()
    patience = max(0.0, min(edge.heartbeat, until - began))
    found = await edge.watch.until(condition, Seconds(patience))
    if found is None and not edge.watch.stopped and current_time() - began < patience / 2:
        # So many wait that this one could not: it looks again in a while.
        await sleep(patience / 2)
    return found


async def _settled(edge: Edge, operation: Operation) -> Operation:
    if operation.state is OperationState.RUNNING:
        return operation
    return await to_thread.run_sync(settle, edge.store, operation.id, edge.clock.now())


def _event(event: Event, who: Principal) -> bytes:
    return message("event", event_row(event, who), event.sequence)


def _operation(operation: Operation, who: Principal) -> bytes:
    return message("operation", operation_row(operation, who))
