"""Snapshots over HTTP: shown, taken, restored, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, behind, cursor_to
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.ids import SnapshotId
from control_plane.model.operation import Operation
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import (
    FREE,
    ChangePlan,
    Cost,
    added,
    removed,
    replaced,
)
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.server_change import REHEARSED, location
from tenants.servers import find_server
from tenants.volumes.asking import find_snapshot
from tenants.volumes.models import NewSnapshotIn, SnapshotOut
from tenants.volumes.snapshots import create, delete, restorable, restore
from tenants.volumes.views import snapshot_out

router = APIRouter(prefix="/v1", tags=["snapshots"])


@router.get("/snapshots")
def read_snapshots(
    who: Annotated[Principal, needs(Permission.VOLUMES_READ)],
    edge: AtHand,
    *,
    tenant: Annotated[
        CodeText | None, Query(description="Only this member's, by its municipality code.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SnapshotOut]:
    """Snapshots by id, in pages, also of servers that are gone; a member's token gets its own alone."""
    after = behind(cursor)
    if who.tenant is not None and tenant not in (None, who.tenant.text):
        return Page(items=[])
    with edge.store.read() as tx:
        found = tx.server_snapshots(
            who.tenant or tenant,
            after=None if after is None else SnapshotId(after),
            limit=limit + 1,
        )
    items = [snapshot_out(each, with_hardware=who.sees_hardware) for each in found[:limit]]
    return Page(items=items, next=cursor_to(found[limit - 1].id) if len(found) > limit else None)


@router.get("/snapshots/{snapshot}")
def read_snapshot(
    snapshot: Name, who: Annotated[Principal, needs(Permission.VOLUMES_READ)], edge: AtHand
) -> SnapshotOut:
    with edge.store.read() as tx:
        found = find_snapshot(tx, snapshot, who.tenant)
    return snapshot_out(found, with_hardware=who.sees_hardware)


@router.get("/servers/{server}/snapshots")
def read_snapshots_of_server(
    server: Name, who: Annotated[Principal, needs(Permission.VOLUMES_READ)], edge: AtHand
) -> Page[SnapshotOut]:
    with edge.store.read() as tx:
        found = tx.server_snapshots(server=find_server(tx, server, who.tenant).id)
    return Page(items=[snapshot_out(each, with_hardware=who.sees_hardware) for each in found])


@router.post(
    "/servers/{server}/snapshots",
    status_code=202,
    response_model=OperationOut,
    responses=REHEARSED,
)
@audited("snapshot.create", "server")
def take_snapshot(
    server: Name,
    body: NewSnapshotIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Copy all disks of the server as they are at one point in time. The copy counts as disk."""

    def rehearse(_: Remember) -> ChangePlan:
        asker = Asker(who, edge.clock.now())
        begun = create(edge.store, server, body.name, asker, lambda _, __: None, dry_run=True)
        wanted = begun.snapshot
        shown = {"server": wanted.server_name, "disks": len(wanted.disks)}
        return ChangePlan(
            diff=[added(f"/snapshots/{wanted.name}", shown)],
            certificate=certificate_change(begun.ledger, None),
            capacity=Cost(vcpus=0, memory_mib=0, disk_gib=wanted.size),
        )

    def work(remember: Remember) -> OperationOut:
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, begun: Operation) -> None:
            remember(tx, operation_out(begun))

        return operation_out(create(edge.store, server, body.name, asker, keep).operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.post(
    "/snapshots/{snapshot}/restore",
    status_code=202,
    response_model=OperationOut,
    responses=REHEARSED,
)
@audited("snapshot.restore", "snapshot")
def restore_snapshot(
    snapshot: Name,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Make the disks of the stopped server what they were then; what is on them now is lost."""

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            found = find_snapshot(tx, snapshot, who.tenant)
            server, volumes = restorable(tx, found)
            restore(tx, found, Asker(who, edge.clock.now()), lambda _: None)
            ledger = tx.ledger(found.region)
        then = f"as in snapshot {found.id}"
        return ChangePlan(
            diff=[
                replaced(f"/servers/{server.name}/disk", "as it is", then),
                *(replaced(f"/volumes/{v.name}/disk", "as it is", then) for v in volumes),
            ],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            found = find_snapshot(tx, snapshot, who.tenant)
            asker = Asker(who, edge.clock.now())
            begun = restore(tx, found, asker, lambda one: remember(tx, operation_out(one)))
        return operation_out(begun)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.delete(
    "/snapshots/{snapshot}", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("snapshot.delete", "snapshot")
def delete_snapshot(
    snapshot: Name,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Remove the copies. Servers and volumes stay as they are."""

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            found = find_snapshot(tx, snapshot, who.tenant)
            ledger = tx.ledger(found.region)
            delete(tx, found, Asker(who, edge.clock.now()), lambda _: None)
        return ChangePlan(
            diff=[removed(f"/snapshots/{found.id}")],
            certificate=certificate_change(ledger, None),
            capacity=Cost(vcpus=0, memory_mib=0, disk_gib=-found.size),
        )

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            found = find_snapshot(tx, snapshot, who.tenant)
            asker = Asker(who, edge.clock.now())
            begun = delete(tx, found, asker, lambda one: remember(tx, operation_out(one)))
        return operation_out(begun)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)
