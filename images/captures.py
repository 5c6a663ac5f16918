"""Images out of servers: a server's root disk as it is at one point in time becomes an image of its member.

What is asked for is kept as three records: a snapshot of that disk alone, which hosts take as any other;
an upload, which is the image on its way; and between them the capture, which says how far the one has
become the other. `capturing` brings it about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.admission.disk import take_disk
from control_plane.admission.leaving import refuse_leaving
from control_plane.admission.settle import settle
from control_plane.admission.standing import cannot, need_placed, refuse_while_copied
from control_plane.http.principal import Principal
from control_plane.journal.image_progress import IMAGE_FROM_SERVER, STEPS
from control_plane.journal.operations import draw, new_operation_id
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, ServerId, SnapshotId
from control_plane.model.image import ImageCapture, ImageFormat, ImageUpload, Properties
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.volume import ServerSnapshot, SnapshotDisk
from control_plane.model.workload import Seen, Server
from control_plane.store import Snapshot, Store, Transaction
from images.inspection import Limits
from images.uploads import UploadFolder, begin, new_upload

_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """`server` by id or name. `version` None: the day."""

    server: str
    name: str
    version: str | None = None
    properties: Properties = ()


@dataclass(frozen=True, slots=True)
class Captured:
    """What was asked for, or would have been, and the ledger from before."""

    upload: ImageUpload
    snapshot: ServerSnapshot
    operation: Operation
    ledger: Ledger


def capture(
    store: Store,
    folder: UploadFolder,
    request: CaptureRequest,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[Transaction, Captured], None],
    dry_run: bool = False,
) -> Captured:
    """Ask for it. The copy counts as disk until the image is there.

    Raises `server-not-found`, `server-not-built`, `server-disks-busy`, `server-deleting`,
    `server-moving`, `server-stranded`, `server-shelved`, `member-leaving`, `quota-exceeded`,
    `storage-full`, and what `begin` raises."""
    with store.read() as tx:
        region = tx.region_of(_server(tx, request.server, who.tenant).id)
    snapshot_id = SnapshotId(f"snap-{draw(12)}")

    def decide(tx: Transaction) -> Captured:
        server = _server(tx, request.server, who.tenant)
        _need_disk(tx, server)
        wanted = new_upload(
            request.name,
            request.version or f"{at:%Y-%m-%d}",
            f"Made from the disk of server {server.name} ({server.id}), whose image was {server.image}",
            None,
            None,
            at=at,
            tenant=server.tenant,
            format=ImageFormat.QCOW2,
            properties=request.properties,
        )
        snapshot = _snapshot_of(server, region, snapshot_id, f"{wanted.id}-copy", at)
        ledger = take_disk(tx, region, server.tenant, server.storage, snapshot.size)
        upload = begin(tx, folder, wanted, who, _LIMITS)
        operation = _operation(upload, server, at)
        tx.put_operation(operation)
        tx.add_server_snapshot(snapshot)
        tx.put_image_capture(
            ImageCapture(
                upload.id,
                server.tenant,
                region,
                server.id,
                server.name,
                snapshot.id,
                operation.id,
                at,
            )
        )
        captured = Captured(upload, snapshot, operation, ledger)
        keep(tx, captured)
        _tell(tx, captured, server, who, at)
        return captured

    return settle(
        store, region, lambda _: None, lambda _: None, lambda tx, *_: decide(tx), dry_run=dry_run
    )


def copy_of(tx: Snapshot, capture: ImageCapture) -> ServerSnapshot | None:
    try:
        return tx.server_snapshot(capture.snapshot)
    except YuiError:
        return None


def drop_copy(tx: Transaction, capture: ImageCapture) -> None:
    """The snapshot is to be removed, and the capture forgotten."""
    snapshot = copy_of(tx, capture)
    if snapshot is not None and not snapshot.deleting and not snapshot.restoring:
        tx.save_server_snapshot(replace(snapshot, deleting=True, trouble=None))
    tx.remove_image_capture(capture.image)


def _server(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> Server:
    try:
        return tx.server(ServerId(named), tenant)
    except YuiError:
        found = [server for server in tx.servers(tenant) if server.name == named]
        if len(found) != 1:
            raise
        return found[0]


def _need_disk(tx: Snapshot, server: Server) -> None:
    refuse_leaving(tx, server.tenant)
    need_placed(server)
    if server.seen is Seen.NOWHERE and server.booted == 0:
        raise cannot(
            server,
            "server-not-built",
            "has no disk yet: wait until it has been started once",
            "にはまだディスクがありません。一度起動するまでお待ちください",
        )
    refuse_while_copied(tx, server)


def _snapshot_of(
    server: Server, region: RegionId, id: SnapshotId, name: str, at: datetime
) -> ServerSnapshot:
    return ServerSnapshot(
        id=id,
        tenant=server.tenant,
        region=region,
        name=name,
        server=server.id,
        server_name=server.name,
        image=server.image,
        storage=server.storage,
        disks=(SnapshotDisk(None, server.name, server.disk),),
        created_at=at,
    )


def _operation(upload: ImageUpload, server: Server, at: datetime) -> Operation:
    return Operation(
        id=new_operation_id(),
        kind=IMAGE_FROM_SERVER,
        subject=f"image:{upload.id}",
        tenant=server.tenant.text,
        state=OperationState.RUNNING,
        done=0,
        total=STEPS,
        created_at=at,
        updated_at=at,
        fields={"image": upload.id, "server": server.id},
    )


def _tell(
    tx: Transaction, captured: Captured, server: Server, who: Principal, at: datetime
) -> None:
    upload = captured.upload
    fields = {"image": upload.id, "snapshot": captured.snapshot.id}
    tx.add_event(
        Event(
            f"{IMAGE_FROM_SERVER}-asked",
            f"server:{server.id}",
            at,
            Severity.INFO,
            f"Server {server.name}'s disk is to become image {upload.name} ({upload.id}), {who.label} asks.",
            f"{who.label} さんの指示により、サーバー {server.name} のディスクからイメージ {upload.name}({upload.id})を作成します。",
            tenant=server.tenant.text,
            fields=fields,
        )
    )
    tx.add_audit(
        who.did(
            IMAGE_FROM_SERVER,
            f"server:{server.id}",
            at,
            tenant=server.tenant,
            fields={**fields, "name": upload.name},
        )
    )
