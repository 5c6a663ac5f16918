"""What was done to servers (Compute API, "Servers actions"): Yui's operations, under Nova's names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.journal.operations import operation_out
from control_plane.journal.progress import progress, settle
from control_plane.model.access import Permission
from control_plane.model.ids import OperationId
from control_plane.model.operation import Operation, OperationState
from control_plane.store import Snapshot
from control_plane.store.rows import not_found
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.changing import ServerRef, own_server
from tenants.openstack_api.compute.paging import Limit, Marker, next_link, page_of
from tenants.openstack_api.compute.server_view import Json, View
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.services import Service, in_region
from tenants.openstack_api.times import without_zone

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.OPERATIONS_READ)]
RequestRef = Annotated[str, Path(max_length=255, description="An operation's id.")]

_MOST = 1000
_NAMES: Mapping[str, str] = {
    "server.create": "create",
    "server.start": "start",
    "server.stop": "stop",
    "server.reboot": "reboot",
    "server.rebuild": "rebuild",
    "server.resize": "resize",
    "server.shelve": "shelve",
    "server.unshelve": "unshelve",
    "server.migrate": "live-migration",
    "server.delete": "delete",
}


@router.get("/servers/{server}/os-instance-actions")
async def read_actions(
    server: ServerRef,
    request: Request,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    changes_since: Annotated[datetime | None, Query(alias="changes-since")] = None,
    changes_before: Annotated[datetime | None, Query(alias="changes-before")] = None,
) -> Response:
    """What was asked of a server, newest first; each is an operation, whose id stands for Nova's request id.
    Whoever asked is in the audit trail."""
    paged = since(view.version, 58)
    before = changes_before if since(view.version, 66) else None

    def look(tx: Snapshot) -> list[Operation]:
        found = own_server(tx, server, view)
        return [
            progress(tx, operation)
            for operation in tx.operations(view.tenant, _MOST, subjects=[f"server:{found.id}"])
            if operation.kind in _NAMES
            and (not paged or changes_since is None or _at(operation) >= _utc(changes_since))
            and (before is None or _at(operation) <= _utc(before))
        ]

    operations = await edge.look(look)
    page, following = page_of(
        operations, limit if paged else None, marker if paged else None, lambda one: one.id
    )
    body: Json = {"instanceActions": [_brief(one, server, view.version) for one in page]}
    if paged and following is not None:
        body["links"] = next_link(request, following)
    return told(body)


@router.get("/servers/{server}/os-instance-actions/{action}")
async def read_action(
    server: ServerRef, action: RequestRef, _: Reader, view: View, edge: AtHand
) -> Response:
    """One of them, with how it ended."""

    def look(tx: Snapshot) -> Operation:
        found = own_server(tx, server, view)
        operation = tx.operation(OperationId(action), view.tenant)
        if operation.subject != f"server:{found.id}" or operation.kind not in _NAMES:
            raise not_found("operation", action)
        return progress(tx, operation)

    operation = await edge.look(look)
    if operation.state is not OperationState.RUNNING:
        # What was told once stays so.
        operation = await to_thread.run_sync(settle, edge.store, operation.id, edge.clock.now())
    shown = {
        **_brief(operation, server, view.version),
        "events": [_event(operation, view.version)],
    }
    return told({"instanceAction": shown})


def _brief(operation: Operation, server: str, version: Version) -> Json:
    shown: Json = {
        "action": _NAMES[operation.kind],
        "instance_uuid": server,
        "message": "Error" if operation.state is OperationState.FAILED else None,
        "project_id": operation.tenant,
        "request_id": operation.id,
        "start_time": without_zone(operation.created_at),
        "user_id": None,
    }
    if since(version, 58):
        shown["updated_at"] = without_zone(operation.updated_at)
    return shown


def _event(operation: Operation, version: Version) -> Json:
    results = {OperationState.DONE: "Success", OperationState.FAILED: "Error"}
    shown: Json = {
        "event": f"yui_{operation.kind.replace('.', '_')}",
        "start_time": without_zone(operation.created_at),
        "finish_time": without_zone(operation.updated_at)
        if operation.state is not OperationState.RUNNING
        else None,
        "result": results.get(operation.state),
        "traceback": None,
    }
    if since(version, 62):
        # Members see no hardware.
        shown["hostId"] = ""
    if since(version, 84):
        error = operation_out(operation).error
        shown["details"] = None if error is None else error.get("en")
    return shown


def _at(operation: Operation) -> datetime:
    return operation.updated_at


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
