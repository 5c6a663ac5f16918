"""Servers of a member's own over HTTP: resized, rebuilt, restarted, protected, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.admission import Resized
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, generation_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.model.access import Permission
from control_plane.model.ids import FlavorId, ImageId, ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Server, status_of
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import (
    FREE,
    ChangePlan,
    Cost,
    Difference,
    given_back,
    growth,
    removed,
    replaced,
)
from control_plane.store import Store, Transaction
from tenants.asking import Asker, Keep
from tenants.lifecycle import delete, protect, reboot, rebuild
from tenants.lifecycle_models import RebootIn, RebuildIn, ResizeIn, ServerChangeIn
from tenants.models import ServerOut
from tenants.resizing import change_size
from tenants.server_change import REHEARSED, Change, KeepIt
from tenants.servers import expect, find_server
from tenants.views import server_out

router = APIRouter(prefix="/v1", tags=["servers"])


@router.delete(
    "/servers/{server}", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.delete", "server")
def delete_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Remove the server with its root disk. One that is protected is not removed."""

    def change(tx: Transaction, found: Server, asker: Asker, keep: KeepIt) -> Operation:
        return delete(tx, found, asker, keep)

    def shown(before: Server, _: Server) -> tuple[list[Difference], Cost]:
        return [removed(f"/servers/{before.name}")], given_back([before])

    return Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.patch("/servers/{server}", response_model=ServerOut | ChangePlan)
@audited("server.protect", "server")
def change_server(
    server: Name,
    body: ServerChangeIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Protect it against being deleted, or no longer."""

    def change(tx: Transaction) -> tuple[Server, Server]:
        found = expect(find_server(tx, server, who.tenant), expected)
        asker = Asker(who, edge.clock.now())
        return found, protect(tx, found, asker, protected=body.protected)

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = change(tx)
            ledger = tx.ledger(tx.region_of(before.id))
        path = f"/servers/{before.name}/protected"
        changes = before.protected is not after.protected
        return ChangePlan(
            diff=[replaced(path, before.protected, after.protected)] if changes else [],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    def work(remember: Remember) -> ServerOut:
        with edge.store.write() as tx:
            _, after = change(tx)
            at = edge.clock.now()
            answer = server_out(tx, after, at, with_hardware=who.sees_hardware)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, headers=generation_tag)


@router.post(
    "/servers/{server}/reboot", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.reboot", "server")
def reboot_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_POWER)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    body: RebootIn | None = None,
    dry_run: DryRun = False,
) -> Response:
    """Stop it and start it again where it stands."""
    hard = body is not None and body.hard

    def change(tx: Transaction, found: Server, asker: Asker, keep: KeepIt) -> Operation:
        return reboot(tx, found, asker, keep, hard=hard)

    def shown(before: Server, _: Server) -> tuple[list[Difference], Cost]:
        return [replaced(f"/servers/{before.name}/status", "active", "building")], FREE

    return Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/rebuild", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.rebuild", "server")
def rebuild_server(
    server: Name,
    body: RebuildIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it a new root disk from an image; what is on the old one is lost. Id, name and address stay."""
    image = ImageId(body.image)

    def change(tx: Transaction, found: Server, asker: Asker, keep: KeepIt) -> Operation:
        with named_in_body():
            return rebuild(tx, found, image, asker, keep)

    def shown(before: Server, after: Server) -> tuple[list[Difference], Cost]:
        path = f"/servers/{before.name}"
        disk = replaced(f"{path}/disk", "as it is", f"made anew from {image}")
        return [replaced(f"{path}/image", before.image, after.image), disk], FREE

    return Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/resize", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.resize", "server")
def resize_server(
    server: Name,
    body: ResizeIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it another flavor; its disk can only grow. Where its host lacks the room it is moved to another
    one while it runs, and has its new size there."""
    flavor = FlavorId(body.flavor)

    def admission(
        store: Store,
        server: ServerId,
        asker: Asker,
        keep: Keep,
        *,
        expected: Callable[[Server], Server],
        dry_run: bool,
    ) -> Resized[Operation]:
        with named_in_body():
            return change_size(
                store,
                server,
                flavor,
                asker,
                keep,
                expected=expected,
                to_confirm=body.to_confirm,
                dry_run=dry_run,
            )

    def shown(done: Resized[Operation]) -> tuple[list[Difference], Cost]:
        return _resized(done.before, done.after), growth(done.before, done.after)

    return Change(server, who, edge, once, expected).admit(admission, shown, dry_run=dry_run)


def _resized(before: Server, after: Server) -> list[Difference]:
    path = f"/servers/{before.name}"
    shown: list[tuple[str, object, object]] = [
        ("status", status_of(before).value, status_of(after).value),
        ("flavor", before.flavor, after.flavor),
        ("size/vcpus", before.size.vcpu, after.size.vcpu),
        ("size/memory_mib", before.size.memory, after.size.memory),
        ("disk_gib", before.disk, after.disk),
    ]
    return [replaced(f"{path}/{name}", was, is_) for name, was, is_ in shown if was != is_]
