"""What is written down of a change of a volume or snapshot, and what stands in its way."""

from __future__ import annotations

from control_plane.admission.leaving import refuse_leaving
from control_plane.admission.standing import cannot, refuse_while_copied
from control_plane.journal.operations import new_operation_id
from control_plane.model.errors import YuiError
from control_plane.model.ids import SnapshotId, VolumeId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.volume import ServerSnapshot, Volume
from control_plane.model.workload import Moving, Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker


def find_volume(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> Volume:
    """By id, or by name. With `tenant`, another member's is not found. Raises `volume-not-found`."""
    try:
        return tx.volume(VolumeId(named), tenant)
    except YuiError:
        found = tx.volumes_named(named, tenant)
        if len(found) != 1:
            raise
        return found[0]


def find_snapshot(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> ServerSnapshot:
    """By id, or by name. Raises `snapshot-not-found`."""
    try:
        return tx.server_snapshot(SnapshotId(named), tenant)
    except YuiError:
        found = tx.server_snapshots_named(named, tenant)
        if len(found) != 1:
            raise
        return found[0]


def subject(thing: Volume | ServerSnapshot) -> str:
    return f"volume:{thing.id}" if isinstance(thing, Volume) else f"snapshot:{thing.id}"


def operation(
    kind: str, thing: Volume | ServerSnapshot, asker: Asker, **fields: object
) -> Operation:
    name = "volume" if isinstance(thing, Volume) else "snapshot"
    return Operation(
        id=new_operation_id(),
        kind=kind,
        subject=subject(thing),
        tenant=thing.tenant.text,
        state=OperationState.RUNNING,
        done=0,
        total=1,
        created_at=asker.at,
        updated_at=asker.at,
        fields={name: thing.id, **fields},
    )


def tell(
    tx: Transaction,
    asker: Asker,
    kind: str,
    thing: Volume | ServerSnapshot,
    sentences: tuple[str, str],
    *,
    at: Server | None = None,
    **fields: object,
) -> None:
    """The event and the audit entry; `kind` is the audit trail's word. The entry is about the server
    `at` which it was asked for, where there is one."""
    en, ja = sentences
    if isinstance(thing, Volume):
        what, what_ja = f"Volume {thing.name}", f"ボリューム {thing.name} "
    else:
        what = f"Snapshot {thing.name} of server {thing.server_name}"
        what_ja = f"サーバー {thing.server_name} のスナップショット {thing.name} "
    tx.add_event(
        Event(
            f"{kind}-asked",
            subject(thing),
            asker.at,
            Severity.INFO,
            f"{what} {en}, {asker.who.label} asks.",
            f"{asker.who.label} さんの指示により、{what_ja}{ja}。",
            tenant=thing.tenant.text,
            fields=fields or None,
        )
    )
    about, told = subject(thing), dict(fields)
    if at is not None:
        kept, _, id = about.partition(":")
        about, told = f"server:{at.id}", {**told, kept: id}
    entry = asker.who.did(kind, about, asker.at, tenant=thing.tenant, fields=told or None)
    tx.add_audit(entry)


def refuse(thing: Volume | ServerSnapshot, type: str, en: str, ja: str) -> YuiError:
    """409, about the volume or snapshot."""
    if isinstance(thing, Volume):
        what, what_ja, name = f"Volume '{thing.name}'", f"ボリューム「{thing.name}」", "volume"
    else:
        what, what_ja = f"Snapshot '{thing.id}'", f"スナップショット「{thing.id}」"
        name = "snapshot"
    return YuiError(
        type, en=f"{what} {en}.", ja=f"{what_ja}{ja}。", status=409, fields={name: thing.id}
    )


def need_settled(tx: Snapshot, server: Server) -> None:
    """Raises `member-leaving`, `server-deleting`, `server-moving`, and `server-disks-busy` while the
    server's disks are being copied or restored."""
    refuse_leaving(tx, server.tenant)
    if server.deleting:
        raise cannot(
            server,
            "server-deleting",
            "is being removed: nothing can be changed about it",
            "は削除処理中のため、変更できません",
        )
    if isinstance(server.placement, Moving):
        raise cannot(
            server,
            "server-moving",
            "is on its way to another host: wait until it has arrived",
            "は別のホストへ移動中です。完了するまでお待ちください",
        )
    refuse_while_copied(tx, server)


def need_standing(volume: Volume) -> None:
    """Raises `volume-deleting`."""
    if volume.deleting:
        raise refuse(
            volume,
            "volume-deleting",
            "is being removed: nothing can be changed about it",
            "は削除処理中のため、変更できません",
        )


def need_made(volume: Volume) -> None:
    """Raises `volume-not-ready`."""
    if not volume.made:
        raise refuse(
            volume,
            "volume-not-ready",
            "is still being made: wait until it is available",
            "はまだ作成中です。利用可能になるまでお待ちください",
        )


def need_whole(volume: Volume) -> None:
    """Of one that no server has. Raises `volume-in-part`."""
    if volume.leans_on is not None:
        raise refuse(
            volume,
            "volume-in-part",
            "holds only a part of what it held at its recovery point, since its server was deleted before all was copied: delete it, and restore it again",
            "は、コピーが終わる前にサーバーが削除されたため、復元ポイントの内容の一部しか含んでいません。削除して、もう一度復元してください",
        )


def need_free_name(tx: Snapshot, name: str, tenant: MunicipalityCode) -> None:
    """Raises `volume-name-taken`."""
    if tx.volumes_named(name, tenant):
        raise YuiError(
            "volume-name-taken",
            en=f"A volume is called '{name}' already: choose another name.",
            ja=f"「{name}」という名前のボリュームがすでにあります。別の名前にしてください。",
            status=409,
            fields={"name": name},
        )
