"""Whether a server stands still, so that something can be decided about it."""

from __future__ import annotations

from control_plane.model.errors import YuiError
from control_plane.model.workload import Moving, Placed, Power, Server, Shelved, Stranded
from control_plane.store import Snapshot


def need_placed(server: Server) -> Placed:
    """Where it is. Raises `server-deleting`, `server-moving`, `server-stranded`,
    `server-shelved`."""
    if server.deleting:
        raise cannot(
            server,
            "server-deleting",
            "is being removed: nothing can be changed about it",
            "は削除処理中のため、変更できません",
        )
    match server.placement:
        case Moving():
            raise cannot(
                server,
                "server-moving",
                "is on its way to another host: wait until it has arrived",
                "は別のホストへ移動中です。完了するまでお待ちください",
            )
        case Stranded():
            raise cannot(
                server,
                "server-stranded",
                "waits for room and runs nowhere: try again once it runs",
                "は空きがなく停止しています。稼働を再開してから再度お試しください",
            )
        case Placed() as placed if server.power is not Power.SHELVED:
            return placed
        case Placed() | Shelved():
            raise cannot(
                server,
                "server-shelved",
                "is shelved, so its room is not its own: unshelve it first",
                "は休止中で、容量を確保していません。先に休止を解除してください",
            )


def refuse_while_leaning(tx: Snapshot, server: Server) -> None:
    """Raises `server-disks-busy` as long as any of its disks takes what it lacks from a recovery point: only while they
    stay together, on the host that they are on, are they copied. What was taken from the others would for ever lean
    on what nobody serves any more."""
    if server.leans_on is None and all(
        volume.leans_on is None for volume in tx.volumes(server=server.id)
    ):
        return
    raise cannot(
        server,
        "server-disks-busy",
        "runs from a recovery point until its disks are copied: wait until the restore has ended",
        "はディスクのコピーが終わるまで復元ポイントを参照しています。復元が完了するまでお待ちください",
    )


def refuse_while_copied(tx: Snapshot, server: Server) -> None:
    """Raises `server-disks-busy` while a snapshot or a restore is at its disks."""
    refuse_while_leaning(tx, server)
    if any(
        not snapshot.deleting and (snapshot.taken_at is None or snapshot.restoring)
        for snapshot in tx.server_snapshots(server=server.id)
    ):
        raise cannot(
            server,
            "server-disks-busy",
            "has a snapshot that is being taken or restored: wait until that has ended, or delete the snapshot",
            "ではスナップショットの取得または復元が進行中です。完了を待つか、そのスナップショットを削除してください",
        )


def cannot(server: Server, type: str, en: str, ja: str) -> YuiError:
    """409, about the server."""
    return YuiError(
        type,
        en=f"Server '{server.id}' {en}.",
        ja=f"サーバー「{server.id}」{ja}。",
        status=409,
        fields={"server": server.id},
    )
