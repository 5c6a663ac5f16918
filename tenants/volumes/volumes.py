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
from control_plane.model.ids import Generation, VolumeId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Operation
from control_plane.model.volume import (
    MOST_VOLUMES,
    Attached,
    Detaching,
    Unattached,
    Volume,
    free_order,
)
from control_plane.model.workload import Server
from control_plane.store import Store, Transaction
from tenants.asking import Asker, Keep
from tenants.volumes.asking import (
    need_free_name,
    need_made,
    need_settled,
    need_standing,
    need_whole,
    operation,
    refuse,
    tell,
)
from tenants.volumes.placing import VolumeRequest, place_of


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, or would have been, and the ledger from before."""

    volume: Volume
    ledger: Ledger
    operation: Operation


def create(
    store: Store,
    request: VolumeRequest,
    asker: Asker,
    keep: Keep,
    *,
    draw: Callable[[int], str] = draw,
    dry_run: bool = False,
) -> Made:
    """Raises `server-not-found`, `snapshot-not-found`, `region-not-found`, `site-not-found`, `volume-name-taken`,
    `volume-size-missing`, `volume-too-small`, `volume-elsewhere`, `region-unclear`, `too-many-volumes`,
    `quota-exceeded`, `storage-full`, and what `need_settled` raises."""
    with store.read() as snapshot:
        region = place_of(snapshot, request, asker).region
    id = VolumeId(f"vol-{draw(12)}")

    def decide(tx: Transaction) -> Made:
        place = place_of(tx, request, asker)
        need_free_name(tx, request.name, place.tenant)
        pool = place.pool or roomiest(tx.ledger(region), place.among)
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
            description=request.description,
            labels=request.labels,
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
    """Raises `volume-deleting`, `volume-in-use`, `volume-not-ready`, `volume-in-part`, `volume-elsewhere`,
    `too-many-volumes`, and what `need_settled` raises."""
    need_standing(volume)
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
    need_made(volume)
    need_whole(volume)
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
