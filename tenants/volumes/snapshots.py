"""What members do with snapshots of their servers' disks: take, restore, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from control_plane.admission.disk import take_disk
from control_plane.admission.settle import settle
from control_plane.admission.standing import cannot, need_placed, refuse_while_copied
from control_plane.journal.operations import draw
from control_plane.journal.volume_progress import (
    SNAPSHOT_CREATE,
    SNAPSHOT_DELETE,
    SNAPSHOT_RESTORE,
)
from control_plane.model.errors import YuiError
from control_plane.model.ids import ServerId, SnapshotId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Operation
from control_plane.model.volume import (
    Attached,
    ServerSnapshot,
    SnapshotDisk,
    Volume,
)
from control_plane.model.workload import Power, Seen, Server
from control_plane.store import Snapshot, Store, Transaction
from tenants.asking import Asker, Keep
from tenants.servers import find_server
from tenants.volumes.asking import operation, refuse, tell


@dataclass(frozen=True, slots=True)
class Begun:
    """The snapshot that was asked for, or would have been, and the ledger from before."""

    snapshot: ServerSnapshot
    ledger: Ledger
    operation: Operation


def create(
    store: Store,
    server: str,
    name: str,
    asker: Asker,
    keep: Keep,
    *,
    draw: Callable[[int], str] = draw,
    dry_run: bool = False,
) -> Begun:
    """All disks that the server has now, at one point in time.

    Raises `server-not-found`, `snapshot-name-taken`, `server-not-built`, `server-disks-busy`, `server-deleting`,
    `server-moving`, `server-stranded`, `quota-exceeded`, `storage-full`."""
    with store.read() as snapshot:
        region = snapshot.region_of(find_server(snapshot, server, asker.tenant).id)
    id = SnapshotId(f"snap-{draw(12)}")

    def decide(tx: Transaction) -> Begun:
        found = find_server(tx, server, asker.tenant)
        need_placed(found)
        if found.seen is Seen.NOWHERE and found.booted == 0:
            raise cannot(
                found,
                "server-not-built",
                "has no disk yet: wait until it has been started once",
                "にはまだディスクがありません。一度起動するまでお待ちください",
            )
        refuse_while_copied(tx, found)
        if tx.server_snapshots_named(name, found.tenant):
            raise YuiError(
                "snapshot-name-taken",
                en=f"A snapshot is called '{name}' already: choose another name.",
                ja=f"「{name}」という名前のスナップショットがすでにあります。別の名前にしてください。",
                status=409,
                fields={"name": name},
            )
        disks = (
            SnapshotDisk(None, found.name, found.disk),
            *(SnapshotDisk(v.id, v.name, v.size) for v in _attached(tx, found.id)),
        )
        wanted = ServerSnapshot(
            id=id,
            tenant=found.tenant,
            region=region,
            name=name,
            server=found.id,
            server_name=found.name,
            image=found.image,
            storage=found.storage,
            disks=disks,
            created_at=asker.at,
        )
        ledger = take_disk(tx, region, found.tenant, found.storage, wanted.size)
        begun = operation(SNAPSHOT_CREATE, wanted, asker, server=found.id)
        tx.put_operation(begun)
        tx.add_server_snapshot(wanted)
        keep(tx, begun)
        tell(
            tx,
            asker,
            SNAPSHOT_CREATE,
            wanted,
            ("is to be taken", "を取得します"),
            at=found,
            server=found.id,
            size_gib=wanted.size,
        )
        return Begun(wanted, ledger, begun)

    return settle(
        store, region, lambda _: None, lambda _: None, lambda tx, *_: decide(tx), dry_run=dry_run
    )


def restorable(tx: Snapshot, snapshot: ServerSnapshot) -> tuple[Server, tuple[Volume, ...]]:
    """The server and those of its volumes that would become what the snapshot holds.

    Raises `snapshot-not-ready`, `server-not-found`, `server-not-stopped`, `server-disks-busy`,
    `server-deleting`, `server-moving`, `server-stranded`."""
    if snapshot.taken_at is None or snapshot.deleting:
        raise refuse(
            snapshot,
            "snapshot-not-ready",
            "is not ready to be used: wait until it is available",
            "はまだ利用できません。利用可能になるまでお待ちください",
        )
    server = tx.server(snapshot.server)
    need_placed(server)
    if server.power is not Power.STOPPED or server.seen not in (Seen.STOPPED, Seen.NOWHERE):
        raise cannot(
            server,
            "server-not-stopped",
            "is not stopped: stop it, and wait until it has stopped, before its disks are replaced",
            "は停止していません。ディスクを復元する前に停止し、停止が完了するまでお待ちください",
        )
    refuse_while_copied(tx, server)
    return server, tuple(v for v in _attached(tx, server.id) if snapshot.disk(v.id) is not None)


def restore(
    tx: Transaction, snapshot: ServerSnapshot, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Make the server's root disk and those of its volumes that the snapshot has what they were then;
    what is on them now is lost. It can be started once that is done. Raises what `restorable` raises."""
    server, volumes = restorable(tx, snapshot)
    begun = operation(SNAPSHOT_RESTORE, snapshot, asker, server=server.id)
    tx.put_operation(begun)
    image = snapshot.image if _has_image(tx, snapshot) else server.image
    tx.save_server(replace(server, disk_build=server.disk_build + 1, image=image))
    for volume in volumes:
        tx.save_volume(replace(volume, build=volume.build + 1))
    tx.save_server_snapshot(replace(snapshot, restoring=True, trouble=None))
    keep(begun)
    tell(
        tx,
        asker,
        SNAPSHOT_RESTORE,
        snapshot,
        ("is to be restored", "を復元します"),
        server=server.id,
    )
    return begun


def delete(
    tx: Transaction, snapshot: ServerSnapshot, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Raises `snapshot-in-use` while it is being restored, or a volume is filled from it."""
    filling = [
        volume
        for volume in tx.volumes(snapshot.tenant)
        if volume.source is not None and volume.source.snapshot == snapshot.id and not volume.made
    ]
    if snapshot.restoring or filling:
        raise refuse(
            snapshot,
            "snapshot-in-use",
            "is being restored or a volume is being filled from it: wait until that has ended",
            "は復元中か、ボリュームの作成に使用中です。完了するまでお待ちください",
        )
    begun = operation(SNAPSHOT_DELETE, snapshot, asker)
    tx.put_operation(begun)
    if not snapshot.deleting:
        tx.save_server_snapshot(replace(snapshot, deleting=True, trouble=None))
    keep(begun)
    tell(tx, asker, SNAPSHOT_DELETE, snapshot, ("is to be removed", "を削除します"))
    return begun


def _attached(tx: Snapshot, server: ServerId) -> tuple[Volume, ...]:
    held = [v for v in tx.volumes(server=server) if isinstance(v.attachment, Attached) and v.made]
    return tuple(held)


def _has_image(tx: Snapshot, snapshot: ServerSnapshot) -> bool:
    try:
        tx.image(snapshot.image)
    except YuiError:
        return False
    return True
