"""How far an operation has come, read off the things that it changes.

Nobody has to survive a crash to advance an operation: its progress is what the state says at the
moment. Once it is seen to have ended, that is written down, so that what happens to the same things
later doesn't reopen it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from control_plane.drivers.world import Clock
from control_plane.journal.image_progress import IMAGE_DERIVATIONS
from control_plane.journal.member_progress import MEMBER_LEAVE, leaving_progress
from control_plane.journal.server_progress import (
    SERVER_DERIVATIONS,
    built,
    done,
    failed,
    superseded,
)
from control_plane.journal.volume_progress import VOLUME_DERIVATIONS
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, OperationId, ServerId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.pool import Duty
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from control_plane.model.workload import (
    Moving,
    Placed,
    Power,
    Seen,
    Server,
    ServerStatus,
    status_of,
)
from control_plane.store import LostRace, Snapshot, Store, Transaction

MEMBER_JOIN = "member.join"
SERVER_START = "server.start"
SERVER_STOP = "server.stop"
SERVER_MIGRATE = "server.migrate"
HOST_DRAIN = "host.drain"

_AT_ONCE = 50


def progress(tx: Snapshot, operation: Operation) -> Operation:
    """The operation as it stands now. One that has ended stays as it ended."""
    derive = _DERIVATIONS.get(operation.kind)
    if operation.state is not OperationState.RUNNING or derive is None:
        return operation
    return derive(tx, operation)


def settle(store: Store, operation_id: OperationId, at: datetime) -> Operation:
    """Write down that the operation has ended, if it has; answers it as it then stands."""
    try:
        with store.write() as tx:
            return _settled(tx, operation_id, at)
    except LostRace:
        # Somebody else has written it down.
        with store.read() as snapshot:
            return progress(snapshot, snapshot.operation(operation_id))


def _settled(tx: Transaction, operation_id: OperationId, at: datetime) -> Operation:
    operation = tx.operation(operation_id)
    now = progress(tx, operation)
    return _noted(tx, now, at) if operation.state is not now.state else now


def _noted(tx: Transaction, ended: Operation, at: datetime) -> Operation:
    noted = replace(ended, updated_at=at)
    tx.put_operation(noted)
    tx.add_event(_ended(noted, at))
    return noted


def ended_before(tx: Snapshot, *servers: Server) -> tuple[Operation, ...]:
    """Operations on servers, their systems or members that have ended and are not on record as such. A change of
    the servers has to note them: what it asks for would make them look unfinished again, or given up."""
    subjects = {
        subject
        for server in servers
        for subject in (
            f"server:{server.id}",
            f"system:{server.system}",
            f"member:{server.tenant.text}",
        )
    }
    running = tx.operations(state=OperationState.RUNNING, subjects=subjects)
    now = [progress(tx, operation) for operation in running]
    return tuple(each for each in now if each.state is not OperationState.RUNNING)


def note_ended(tx: Transaction, ended: Iterable[Operation], at: datetime) -> None:
    """Write down that they have ended, but for those of which somebody else has written it meanwhile."""
    for operation in ended:
        if tx.operation(operation.id).state is OperationState.RUNNING:
            _noted(tx, operation, at)


def settle_all(store: Store, at: datetime) -> int:
    """Write down every operation that has ended; says how many. For a loop that runs all the time."""
    with store.read() as tx:
        running = tx.operations(limit=1000, state=OperationState.RUNNING)
        ended = [o.id for o in running if progress(tx, o).state is not OperationState.RUNNING]
    for first in range(0, len(ended), _AT_ONCE):
        some = ended[first : first + _AT_ONCE]
        try:
            with store.write() as tx:
                for operation_id in some:
                    _settled(tx, operation_id, at)
        except LostRace:
            for operation_id in some:
                settle(store, operation_id, at)
    return len(ended)


def keep_settled(
    store: Store, clock: Clock, every: Seconds = Seconds(2)
) -> Callable[[threading.Event], None]:
    """Work for the background: write down operations as they end, until told to stop."""

    def work(stop: threading.Event) -> None:
        while not stop.wait(every):
            try:
                settle_all(store, clock.now())
            except YuiError as error:
                # The state may be away for a while; what is not written now is written next time.
                structlog.get_logger("yui.journal").warning("not settled", reason=error.en)

    return work


def _ended(operation: Operation, at: datetime) -> Event:
    failed = operation.state is OperationState.FAILED
    error = operation.error or {}
    return Event(
        f"operation.{operation.state.value}",
        f"operation:{operation.id}",
        at,
        Severity.WARNING if failed else Severity.INFO,
        _failure_en(operation, error["en"])
        if failed
        else f"Operation {operation.kind} on {operation.subject} is done.",
        _failure_ja(operation, error["ja"])
        if failed
        else f"操作 {operation.kind}({operation.subject})が完了しました。",
        tenant=operation.tenant,
        member_en=_failure_en(operation, error["member_en"]) if "member_en" in error else None,
        member_ja=_failure_ja(operation, error["member_ja"]) if "member_ja" in error else None,
    )


def _failure_en(operation: Operation, why: object) -> str:
    return f"Operation {operation.kind} on {operation.subject} did not succeed: {why}"


def _failure_ja(operation: Operation, why: object) -> str:
    return f"操作 {operation.kind}({operation.subject})は完了しませんでした。{why}"


def _server(tx: Snapshot, operation: Operation) -> Server | None:
    try:
        server = tx.server(ServerId(str(_fields(operation)["server"])))
    except YuiError:
        return None
    return None if server.deleting else server


def _start(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    if server is None or server.power is not Power.RUNNING:
        return superseded(operation)
    return done(operation, int(status_of(server) is ServerStatus.ACTIVE))


def _stop(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    if server is None or server.power is Power.RUNNING:
        return superseded(operation)
    return done(operation, int(server.seen in (Seen.STOPPED, Seen.NOWHERE)))


def _migrate(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    target = HostId(str(_fields(operation)["target"]))
    match None if server is None else server.placement:
        case Moving(target=heading) if heading == target:
            return operation
        case Placed(host=host) if host == target:
            return done(operation, 1)
        case Placed(host=host):
            given_up = failed(
                operation,
                "move-given-up",
                f"The move to {target} was given up; the server is on {host}.",
                f"{target} への移動は取りやめになりました。サーバーは {host} にあります。",
            )
            for_members = {
                "member_en": "The move to another machine was given up.",
                "member_ja": "別の機器への移動は取りやめになりました。",
            }
            return replace(given_up, error={**(given_up.error or {}), **for_members})
        case _:
            return superseded(operation)


def _drain(tx: Snapshot, operation: Operation) -> Operation:
    host_id = HostId(str(_fields(operation)["host"]))
    try:
        host = tx.host(host_id)
    except YuiError:
        return superseded(operation)
    if host.duty is Duty.IN_SERVICE:
        return superseded(operation)
    left = len(tx.servers(host=host_id))
    # Servers that were on their way to the host when the drain began leave it as well.
    count = operation.total if host.duty is Duty.MAINTENANCE else operation.total - 1 - left
    return done(operation, max(0, count))


_DERIVATIONS: Mapping[str, Callable[[Snapshot, Operation], Operation]] = {
    MEMBER_JOIN: built,
    MEMBER_LEAVE: leaving_progress,
    **SERVER_DERIVATIONS,
    **VOLUME_DERIVATIONS,
    **IMAGE_DERIVATIONS,
    SERVER_START: _start,
    SERVER_STOP: _stop,
    SERVER_MIGRATE: _migrate,
    HOST_DRAIN: _drain,
}


def _fields(operation: Operation) -> Mapping[str, object]:
    return operation.fields or {}


def _tenant(operation: Operation) -> MunicipalityCode | None:
    return None if operation.tenant is None else MunicipalityCode(operation.tenant)
