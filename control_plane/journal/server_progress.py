"""How far operations on servers and systems have come, read off what is wanted and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, ServerId, SystemId
from control_plane.model.operation import Operation, OperationState
from control_plane.model.workload import Power, Seen, Server, ServerStatus, Shelved, status_of
from control_plane.store import Snapshot

SERVER_CREATE = "server.create"
SERVER_DELETE = "server.delete"
SERVER_REBOOT = "server.reboot"
SERVER_REBUILD = "server.rebuild"
SERVER_RESIZE = "server.resize"
SERVER_SHELVE = "server.shelve"
SERVER_UNSHELVE = "server.unshelve"
SYSTEM_ADD = "system.add"
SYSTEM_DELETE = "system.delete"


def done(operation: Operation, count: int) -> Operation:
    """With `count` of its steps behind it."""
    ended = count >= operation.total
    state = OperationState.DONE if ended else OperationState.RUNNING
    return replace(operation, done=min(count, operation.total), state=state)


def failed(operation: Operation, type: str, en: str, ja: str) -> Operation:
    return replace(operation, state=OperationState.FAILED, error={"type": type, "en": en, "ja": ja})


def superseded(operation: Operation) -> Operation:
    return failed(
        operation,
        "superseded",
        "Something else was asked for before it had ended.",
        "完了前に別の指示が行われました。",
    )


def built(tx: Snapshot, operation: Operation) -> Operation:
    """A server counts once it runs, or once somebody has asked for it to be stopped."""
    wanted = _servers(operation)
    found = tx.servers_among(wanted).values()
    if len(found) < len(wanted) or any(server.deleting for server in found):
        return superseded(operation)
    return done(
        operation,
        sum(
            status_of(server) is ServerStatus.ACTIVE or server.power is not Power.RUNNING
            for server in found
        ),
    )


def _deleted(tx: Snapshot, operation: Operation) -> Operation:
    wanted = _servers(operation)
    return done(operation, len(wanted) - len(tx.servers_among(wanted)))


def _system_deleted(tx: Snapshot, operation: Operation) -> Operation:
    wanted = _servers(operation)
    gone = len(wanted) - len(tx.servers_among(wanted))
    try:
        tx.system(SystemId(str(_fields(operation)["system"])))
    except YuiError:
        return done(operation, gone + 1)
    return done(operation, min(gone, operation.total - 1))


def _restarted(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    if server is None:
        return superseded(operation)
    if server.power is not Power.RUNNING:
        # A new disk is made when it is started again; there is nothing to wait for.
        return done(operation, 1) if operation.kind == SERVER_REBUILD else superseded(operation)
    runs = server.seen is Seen.RUNNING and server.booted >= _generation(operation)
    return done(operation, int(runs))


def _resized(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    if server is not None and _fields(operation).get("moves"):
        return _resized_elsewhere(tx, operation, server)
    if server is None or server.sized_since > _generation(operation):
        return superseded(operation)
    told = server.seen is Seen.RUNNING and server.copy_generation >= _generation(operation)
    return done(operation, int(told or server.power is not Power.RUNNING))


def _resized_elsewhere(tx: Snapshot, operation: Operation, server: Server) -> Operation:
    """Its new size begins where it has arrived."""
    if tx.growing(server.id) is not None:
        return operation
    if server.flavor != _fields(operation)["flavor"]:
        return failed(
            operation,
            "move-given-up",
            "The move that this size needs was given up; the server is as before.",
            "サイズ変更に必要な移動が取りやめになったため、サーバーは元のままです。",
        )
    told = server.seen is Seen.RUNNING and server.copy_generation >= server.sized_since
    return done(operation, int(told or server.power is not Power.RUNNING))


def _shelved(tx: Snapshot, operation: Operation) -> Operation:
    server = _server(tx, operation)
    if server is None or server.power is not Power.SHELVED:
        return superseded(operation)
    return done(operation, int(isinstance(server.placement, Shelved)))


SERVER_DERIVATIONS: Mapping[str, Callable[[Snapshot, Operation], Operation]] = {
    SERVER_CREATE: built,
    SERVER_DELETE: _deleted,
    SERVER_REBOOT: _restarted,
    SERVER_REBUILD: _restarted,
    SERVER_RESIZE: _resized,
    SERVER_SHELVE: _shelved,
    SERVER_UNSHELVE: built,
    SYSTEM_ADD: built,
    SYSTEM_DELETE: _system_deleted,
}


def _fields(operation: Operation) -> Mapping[str, object]:
    return operation.fields or {}


def _servers(operation: Operation) -> list[ServerId]:
    return [ServerId(id) for id in cast(Sequence[str], _fields(operation)["servers"])]


def _server(tx: Snapshot, operation: Operation) -> Server | None:
    (wanted,) = _servers(operation)
    server = tx.servers_among([wanted]).get(wanted)
    return None if server is None or server.deleting else server


def _generation(operation: Operation) -> Generation:
    return Generation(int(str(_fields(operation)["generation"])))
