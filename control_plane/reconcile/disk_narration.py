"""What people are told of volumes and snapshots."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from control_plane.model.ids import HostId, VolumeId
from control_plane.model.operation import Event, Severity
from control_plane.model.volume import ServerSnapshot, Volume
from control_plane.model.workload import Server


def _of_volume(kind: str, volume: Volume, at: datetime, en: str, ja: str) -> Event:
    return Event(
        f"volume.{kind}",
        f"volume:{volume.id}",
        at,
        Severity.INFO,
        f"Volume {volume.name} {en}.",
        f"ボリューム {volume.name} {ja}。",
        tenant=volume.tenant.text,
    )


def _of_snapshot(kind: str, snapshot: ServerSnapshot, at: datetime, en: str, ja: str) -> Event:
    return Event(
        f"snapshot.{kind}",
        f"snapshot:{snapshot.id}",
        at,
        Severity.INFO,
        f"Snapshot {snapshot.name} of server {snapshot.server_name} {en}.",
        f"サーバー {snapshot.server_name} のスナップショット {snapshot.name} {ja}。",
        tenant=snapshot.tenant.text,
    )


def made(volume: Volume, at: datetime) -> Event:
    return _of_volume(
        "made", volume, at, f"of {volume.size} GiB is made", f"({volume.size} GiB)を作成しました"
    )


def grown(volume: Volume, at: datetime) -> Event:
    return _of_volume(
        "grown", volume, at, f"has {volume.size} GiB now", f"を {volume.size} GiB に拡張しました"
    )


def removed(volume: Volume, at: datetime) -> Event:
    return _of_volume("removed", volume, at, "is removed", "を削除しました")


def attached(volume: Volume, server: Server, at: datetime) -> Event:
    return _of_volume(
        "attached",
        volume,
        at,
        f"is attached to server {server.name}",
        f"をサーバー {server.name} に接続しました",
    )


def detached(volume: Volume, server: str, at: datetime) -> Event:
    return _of_volume(
        "detached",
        volume,
        at,
        f"is detached: server {server} has let go of it",
        f"をサーバー {server} から切り離しました",
    )


def held(volume: Volume, server: str, at: datetime) -> Event:
    event = _of_volume(
        "held",
        volume,
        at,
        f"is still open in server {server}: unmount it there, or stop the server",
        f"はサーバー {server} でまだ使用中です。サーバー内でアンマウントするか、サーバーを停止してください",
    )
    return replace(event, severity=Severity.WARNING)


def volume_trouble(volume: Volume, why: str, at: datetime) -> Event:
    if volume.deleting:
        doing, doing_ja = "removed", "削除"
    elif volume.made:
        doing, doing_ja = "grown", "拡張"
    else:
        doing, doing_ja = "made", "作成"
    en = f"could not be {doing}"
    ja = f"を{doing_ja}できませんでした"
    event = _of_volume("failed", volume, at, f"{en}: {why.rstrip('.')}", f"{ja}: {why}")
    return _for_members(
        event,
        f"Volume {volume.name} {en} yet; it is tried again.",
        f"ボリューム {volume.name} {ja}。再試行します。",
    )


def taken_back(server: Server, volume: VolumeId, host: HostId, at: datetime) -> Event:
    return Event(
        "volume.taken-back",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        f"Server {server.name} on {host} had volume {volume}, which is not its own: it was taken from it.",
        f"ホスト {host} のサーバー {server.name} に、割り当てられていないボリューム {volume} が接続されていたため、取り外しました。",
        tenant=server.tenant.text,
        member_en=f"Server {server.name} had volume {volume}, which is not its own: it was taken from it.",
        member_ja=f"サーバー {server.name} に割り当てられていないボリューム {volume} が接続されていたため、取り外しました。",
    )


def taken(snapshot: ServerSnapshot, at: datetime) -> Event:
    how, how_ja = (
        ("while nothing was being written", "書き込みのない状態で")
        if snapshot.quiesced
        else ("as after a power cut", "電源断と同等の状態で")
    )
    return _of_snapshot("taken", snapshot, at, f"is taken, {how}", f"を{how_ja}取得しました")


def restored(snapshot: ServerSnapshot, at: datetime) -> Event:
    return _of_snapshot(
        "restored",
        snapshot,
        at,
        "is restored: the server can be started",
        "を復元しました。サーバーを起動できます",
    )


def snapshot_removed(snapshot: ServerSnapshot, at: datetime) -> Event:
    return _of_snapshot("removed", snapshot, at, "is removed", "を削除しました")


def snapshot_trouble(snapshot: ServerSnapshot, why: str, at: datetime) -> Event:
    if snapshot.deleting:
        doing, doing_ja = "removed", "削除"
    elif snapshot.restoring:
        doing, doing_ja = "restored", "復元"
    else:
        doing, doing_ja = "taken", "取得"
    en = f"could not be {doing}"
    ja = f"を{doing_ja}できませんでした"
    event = _of_snapshot("failed", snapshot, at, f"{en}: {why.rstrip('.')}", f"{ja}: {why}")
    return _for_members(
        event,
        f"Snapshot {snapshot.name} of server {snapshot.server_name} {en} yet; it is tried again.",
        f"サーバー {snapshot.server_name} のスナップショット {snapshot.name} {ja}。再試行します。",
    )


def _for_members(event: Event, en: str, ja: str) -> Event:
    """A warning; members see no hardware."""
    return replace(event, severity=Severity.WARNING, member_en=en, member_ja=ja)
