"""What members do with volumes: make, attach, detach, protect, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from control_plane.admission.disk import roomiest, take_disk
from control_plane.admission.settle import settle
from control_plane.journal.operations import draw
from control_plane.journal.volume_progress import (
    VOLUME_ATTACH,
    VOLUME_CREATE,
    VOLUME_DELETE,
    VOLUME_DETACH,
)
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, RegionId, StoragePoolId, VolumeId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Operation
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.model.volume import (
    MOST_VOLUMES,
    Attached,
    Detaching,
    ServerSnapshot,
    SnapshotSource,
    Unattached,
    Volume,
    free_order,
)
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Store, Transaction
from tenants.asking import Asker, Keep
from tenants.servers import find_server
from tenants.volumes.asking import (
    find_snapshot,
    need_settled,
    operation,
    refuse,
    tell,
)


@dataclass(frozen=True, slots=True)
class VolumeRequest:
    """`server`: attach it there once it is made; it is made on that server's storage. `snapshot` with
    `of` (a volume of it by id; None is the root disk) fills it; without it is empty. `size` None is the
    size of that disk."""

    name: str
    size: GiB | None = None
    server: str | None = None
    region: RegionId | None = None
    snapshot: str | None = None
    of: VolumeId | None = None
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, or would have been, and the ledger from before."""

    volume: Volume
    ledger: Ledger
    operation: Operation


@dataclass(frozen=True, slots=True)
class _Place:
    tenant: MunicipalityCode
    region: RegionId
    size: GiB
    pool: StoragePoolId | None
    server: Server | None
    source: SnapshotSource | None


def create(
    store: Store,
    request: VolumeRequest,
    asker: Asker,
    keep: Keep,
    *,
    draw: Callable[[int], str] = draw,
    dry_run: bool = False,
) -> Made:
    """Raises `server-not-found`, `snapshot-not-found`, `region-not-found`, `volume-name-taken`,
    `volume-size-missing`, `volume-too-small`, `volume-elsewhere`, `region-unclear`, `too-many-volumes`,
    `quota-exceeded`, `storage-full`, and what `need_settled` raises."""
    with store.read() as snapshot:
        region = _place(snapshot, request, asker).region
    id = VolumeId(f"vol-{draw(12)}")

    def decide(tx: Transaction) -> Made:
        place = _place(tx, request, asker)
        if tx.volumes_named(request.name, place.tenant):
            raise YuiError(
                "volume-name-taken",
                en=f"A volume is called '{request.name}' already: choose another name.",
                ja=f"「{request.name}」という名前のボリュームがすでにあります。別の名前にしてください。",
                status=409,
                fields={"name": request.name},
            )
        pool = place.pool or roomiest(tx.ledger(region))
        ledger = take_disk(tx, region, place.tenant, pool, place.size)
        volume = Volume(
            id=id,
            tenant=place.tenant,
            region=region,
            name=request.name,
            size=place.size,
            storage=pool,
            created_at=asker.at,
            source=place.source,
            protected=request.protected,
        )
        begun = operation(
            VOLUME_CREATE, volume, asker, server=None if place.server is None else place.server.id
        )
        if place.server is not None:
            volume = replace(volume, attachment=_given(tx, volume, place.server))
        tx.put_operation(begun)
        tx.add_volume(volume)
        keep(tx, begun)
        tell(
            tx,
            asker,
            VOLUME_CREATE,
            volume,
            (f"of {volume.size} GiB is to be made", f"({volume.size} GiB)を作成します"),
            size_gib=volume.size,
            server=volume.server,
        )
        return Made(volume, ledger, begun)

    return settle(
        store, region, lambda _: None, lambda _: None, lambda tx, *_: decide(tx), dry_run=dry_run
    )


def attach(
    tx: Transaction,
    volume: Volume,
    server: Server,
    asker: Asker,
    keep: Callable[[Operation], None],
) -> tuple[Volume, Operation]:
    """Raises `volume-deleting`, `volume-in-use`, `volume-not-ready`, `volume-elsewhere`,
    `too-many-volumes`, and what `need_settled` raises."""
    _need_standing(volume)
    match volume.attachment:
        case Attached(server=holder) if holder == server.id:
            begun = operation(VOLUME_ATTACH, volume, asker, server=server.id)
            tx.put_operation(begun)
            keep(begun)
            return volume, begun
        case Attached(server=holder) | Detaching(server=holder):
            raise refuse(
                volume,
                "volume-in-use",
                f"belongs to server '{holder}' until that has let go of it: detach it there first, and wait until it is available",
                f"は、サーバー「{holder}」が手放すまで使用中です。先に切り離し、利用可能になるまでお待ちください",
            )
        case Unattached():
            pass
    if not volume.made:
        raise refuse(
            volume,
            "volume-not-ready",
            "is still being made: wait until it is available",
            "はまだ作成中です。利用可能になるまでお待ちください",
        )
    begun = operation(VOLUME_ATTACH, volume, asker, server=server.id)
    tx.put_operation(begun)
    saved = tx.save_volume(replace(volume, attachment=_given(tx, volume, server), plugged=False))
    keep(begun)
    tell(
        tx,
        asker,
        VOLUME_ATTACH,
        volume,
        (
            f"is to be attached to server {server.name}",
            f"をサーバー {server.name} に接続します",
        ),
        at=server,
        server=server.id,
    )
    return saved, begun


def detach(
    tx: Transaction, volume: Volume, asker: Asker, keep: Callable[[Operation], None]
) -> tuple[Volume, Operation]:
    """Ask the server to let go of it. Until it is known to have, the volume stays its own: also while
    its host does not answer. Raises `volume-not-attached`, and what `need_settled` raises."""
    begun = operation(VOLUME_DETACH, volume, asker, server=volume.server)
    match volume.attachment:
        case Unattached():
            raise refuse(
                volume,
                "volume-not-attached",
                "is attached to no server",
                "はどのサーバーにも接続されていません",
            )
        case Detaching():
            tx.put_operation(begun)
            keep(begun)
            return volume, begun
        case Attached() as held:
            server = tx.server(held.server)
    need_settled(tx, server)
    tx.put_operation(begun)
    saved = tx.save_volume(replace(volume, attachment=held.release()))
    # The next generation: what was decided on this server before changes nothing any more.
    tx.save_server(server)
    keep(begun)
    tell(
        tx,
        asker,
        VOLUME_DETACH,
        volume,
        (
            f"is to be detached from server {server.name}",
            f"をサーバー {server.name} から切り離します",
        ),
        server=server.id,
    )
    return saved, begun


def protect(tx: Transaction, volume: Volume, asker: Asker, *, protected: bool) -> Volume:
    """Raises `volume-deleting`."""
    if volume.protected is protected:
        return volume
    _need_standing(volume)
    saved = tx.save_volume(replace(volume, protected=protected))
    tell(
        tx,
        asker,
        "volume.protect",
        volume,
        ("is protected against being deleted", "を削除から保護します")
        if protected
        else ("may be deleted again", "の削除保護を解除します"),
        protected=protected,
    )
    return saved


def delete(
    tx: Transaction, volume: Volume, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Raises `volume-protected`, `volume-in-use`."""
    if volume.protected:
        raise refuse(
            volume,
            "volume-protected",
            "is protected against being deleted: take the protection off first",
            "は削除から保護されています。先に保護を解除してください",
        )
    if not isinstance(volume.attachment, Unattached):
        raise refuse(
            volume,
            "volume-in-use",
            f"belongs to server '{volume.server}' until that has let go of it: detach it there first",
            f"は、サーバー「{volume.server}」で使用中です。先に切り離してください",
        )
    begun = operation(VOLUME_DELETE, volume, asker)
    tx.put_operation(begun)
    if not volume.deleting:
        tx.save_volume(replace(volume, deleting=True, trouble=None))
    keep(begun)
    tell(tx, asker, VOLUME_DELETE, volume, ("is to be removed", "を削除します"))
    return begun


def expect(volume: Volume, expected: Generation | None) -> Volume:
    """Raises `volume-changed` (412) when the caller has read another generation."""
    if expected is not None and volume.generation != expected:
        raise YuiError(
            "volume-changed",
            en=f"Volume '{volume.name}' has changed since you read it: read it again.",
            ja=f"ボリューム「{volume.name}」は読み取り後に変更されています。読み直してください。",
            status=412,
            fields={"volume": volume.id, "generation": volume.generation},
        )
    return volume


def _given(tx: Transaction, volume: Volume, server: Server) -> Attached:
    """The server's next generation, with which its copy is told of the volume."""
    need_settled(tx, server)
    if volume.storage != server.storage or volume.tenant != server.tenant:
        raise refuse(
            volume,
            "volume-elsewhere",
            f"is on other storage than server '{server.name}': make a volume with that server named",
            f"はサーバー「{server.name}」とは別のストレージにあります。そのサーバーを指定してボリュームを作成してください",
        )
    order = free_order(tx.volumes(server=server.id))
    if order is None:
        raise refuse(
            volume,
            "too-many-volumes",
            f"can't be attached: server '{server.name}' has {MOST_VOLUMES} volumes, and no server can have more",
            f"は接続できません。サーバー「{server.name}」にはすでに上限の {MOST_VOLUMES} 個のボリュームがあります",
        )
    tx.save_server(server)
    match volume.attachment:
        case Unattached() as free:
            return free.attach_to(server.id, order)
        case Attached() | Detaching():
            raise ValueError(f"volume {volume.id} belongs to {volume.server}")


def _need_standing(volume: Volume) -> None:
    if volume.deleting:
        raise refuse(
            volume,
            "volume-deleting",
            "is being removed: nothing can be changed about it",
            "は削除処理中のため、変更できません",
        )


def _place(tx: Snapshot, request: VolumeRequest, asker: Asker) -> _Place:
    server = None if request.server is None else find_server(tx, request.server, asker.tenant)
    copied = None if request.snapshot is None else find_snapshot(tx, request.snapshot, asker.tenant)
    size, source = _size(request, copied)
    if server is not None and copied is not None and server.storage != copied.storage:
        raise refuse(
            copied,
            "volume-elsewhere",
            f"is on other storage than server '{server.name}': leave the server out",
            f"はサーバー「{server.name}」とは別のストレージにあります。サーバーの指定を省いてください",
        )
    if server is not None:
        region = tx.region_of(server.id)
        return _Place(server.tenant, region, size, server.storage, server, source)
    if copied is not None:
        return _Place(copied.tenant, copied.region, size, copied.storage, None, source)
    if asker.tenant is None:
        raise YuiError(
            "server-missing",
            en="It is not said whose the volume is to be: name one of the member's servers.",
            ja="どの参加団体のボリュームかが指定されていません。その団体のサーバーを指定してください。",
        )
    region = _region(tx, request.region, asker.tenant)
    return _Place(asker.tenant, region, size, None, None, source)


def _size(
    request: VolumeRequest, copied: ServerSnapshot | None
) -> tuple[GiB, SnapshotSource | None]:
    if copied is None:
        if request.size is None:
            raise YuiError(
                "volume-size-missing",
                en="A volume needs a size: say how many GiB, or name a snapshot to fill it from.",
                ja="ボリュームのサイズ(GiB)を指定するか、元にするスナップショットを指定してください。",
            )
        return request.size, None
    if copied.taken_at is None or copied.deleting or copied.restoring:
        raise refuse(
            copied,
            "snapshot-not-ready",
            "is not ready to be used: wait until it is available",
            "はまだ利用できません。利用可能になるまでお待ちください",
        )
    disk = copied.disk(request.of)
    if disk is None:
        raise refuse(
            copied,
            "snapshot-disk-unknown",
            f"has no disk of volume '{request.of}'",
            f"には、ボリューム「{request.of}」のディスクがありません",
        )
    size = disk.size if request.size is None else request.size
    if size < disk.size:
        raise YuiError(
            "volume-too-small",
            en=f"A volume of {size} GiB can't hold a disk of {disk.size} GiB: ask for {disk.size} GiB at least.",
            ja=f"{size} GiB のボリュームには {disk.size} GiB のディスクが入りません。{disk.size} GiB 以上を指定してください。",
            fields={"size_gib": size, "disk_gib": disk.size},
        )
    return size, SnapshotSource(copied.id, request.of)


def _region(tx: Snapshot, named: RegionId | None, tenant: MunicipalityCode) -> RegionId:
    """The one named, or the only one that the member has systems in. Raises `region-not-found`,
    `region-unclear`."""
    own = sorted({system.region for system in tx.systems(tenant)})
    if named is not None:
        return tx.region(named).id
    if len(own) != 1:
        raise YuiError(
            "region-unclear",
            en="It is not clear where the volume is to be: name a server or a region.",
            ja="ボリュームを作成する場所が決まりません。サーバーまたはリージョンを指定してください。",
            fields={"regions": own},
        )
    return own[0]
