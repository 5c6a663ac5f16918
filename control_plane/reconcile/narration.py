"""The events of reconciliation as sentences, English and Japanese side by side.

Members read of their own servers and never of hardware: an event of theirs that names a host has
sentences of its own for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import Cleaning, Confirmed, Fenced, HostHealth, Suspect, Up
from control_plane.model.ids import HostId, ServerId
from control_plane.model.operation import Event, Severity
from control_plane.model.units import Seconds
from control_plane.model.workload import Server

_FENCE_JA = {
    FenceKind.REDFISH_POWER_OFF: "BMC による電源断を確認",
    FenceKind.LEASE_EXPIRED: "ストレージリースの失効とウォッチドッグによる停止",
    FenceKind.OPERATOR_WORD: "担当者の確認",
}


def health_changed(host: HostId, before: HostHealth, after: HostHealth, at: datetime) -> Event:
    match after:
        case Up() if isinstance(before, Cleaning):
            kind, severity = "host.up", Severity.INFO
            en = f"Host {host} is clean and in use."
            ja = f"ホスト {host} の清掃が終わり、使用を始めました。"
        case Up():
            kind, severity = "host.answered", Severity.INFO
            en = f"Host {host} answers again; nothing of it was started elsewhere."
            ja = f"ホスト {host} が再び応答しました。他のホストで起動したサーバーはありません。"
        case Suspect(channel=channel):
            kind, severity = "host.suspect", Severity.WARNING
            en = f"Host {host} is suspect: nothing is heard of it on {channel}."
            ja = f"ホスト {host} に異常の疑いがあります({channel} で応答がありません)。"
        case Confirmed(channels=channels):
            kind, severity = "host.confirmed", Severity.CRITICAL
            en = f"Host {host} is down: {channels[0]} and {channels[1]} agree. Once it is fenced, its servers restart elsewhere."
            ja = f"ホスト {host} の停止を確認しました({channels[0]} と {channels[1]} が一致)。隔離でき次第、サーバーを他のホストで再起動します。"
        case Fenced(evidence=evidence):
            kind, severity = "host.fenced", Severity.CRITICAL
            en = f"Host {host} is fenced ({evidence.kind} by {evidence.by}): {evidence.detail}"
            ja = f"ホスト {host} を隔離しました({_FENCE_JA[evidence.kind]}、{evidence.by})。"
        case Cleaning():
            kind, severity = "host.cleaning", Severity.INFO
            en = f"Host {host} is back and is being cleaned before it carries anything."
            ja = f"ホスト {host} が復帰しました。使用する前に清掃しています。"
    return Event(kind, f"host:{host}", at, severity, en, ja)


def fence_failed(host: HostId, failures: Sequence[str], at: datetime) -> Event:
    tried = "; ".join(failures) if failures else "no fence is configured for it"
    return Event(
        "host.fence-failed",
        f"host:{host}",
        at,
        Severity.CRITICAL,
        f"Host {host} is not fenced, so its servers are not started elsewhere: {tried}. If you have "
        f"seen that it is off, say so with 'yui host fence {host} --method word'.",
        f"ホスト {host} を隔離できないため、サーバーは他のホストで起動していません。電源が切れていることを目で"
        f"確認した場合は「yui host fence {host} --method word」で申告してください。",
        fields={"failures": list(failures)},
    )


def stranded(server: Server, why_en: str, why_ja: str, at: datetime) -> Event:
    return Event(
        "server.stranded",
        f"server:{server.id}",
        at,
        Severity.CRITICAL,
        f"Server {server.name} waits, because no host has room for it: {why_en}",
        f"サーバー {server.name} は空きのあるホストがないため待機しています。{why_ja}",
        tenant=server.tenant.text,
        member_en=f"Server {server.name} waits, because no machine has room for it at the moment.",
        member_ja=f"サーバー {server.name} は、現在空きのある機器がないため待機しています。",
    )


def rehomed(server: Server, host: HostId, at: datetime) -> Event:
    return Event(
        "server.rehomed",
        f"server:{server.id}",
        at,
        Severity.INFO,
        f"Server {server.name} has found room on {host} and starts there.",
        f"サーバー {server.name} の空きが {host} に見つかったため、そこで起動します。",
        tenant=server.tenant.text,
        fields={"to": host},
        member_en=f"Server {server.name} has found room and starts.",
        member_ja=f"サーバー {server.name} の空きが見つかったため、起動します。",
    )


def running(server: Server, host: HostId, at: datetime) -> Event:
    return Event(
        "server.running",
        f"server:{server.id}",
        at,
        Severity.INFO,
        f"Server {server.name} runs on {host}.",
        f"サーバー {server.name} が {host} で稼働しています。",
        tenant=server.tenant.text,
        fields={"host": host, "generation": server.generation},
        member_en=f"Server {server.name} runs.",
        member_ja=f"サーバー {server.name} が稼働しています。",
    )


def moved(server: Server, source: HostId, target: HostId, at: datetime) -> Event:
    return Event(
        "server.moved",
        f"server:{server.id}",
        at,
        Severity.INFO,
        f"Server {server.name} moved from {source} to {target}.",
        f"サーバー {server.name} を {source} から {target} へ移動しました。",
        tenant=server.tenant.text,
        fields={"from": source, "to": target},
        member_en=f"Server {server.name} moved to another machine.",
        member_ja=f"サーバー {server.name} を別の機器へ移動しました。",
    )


def move_given_up(server: Server, source: HostId, target: HostId, at: datetime) -> Event:
    return Event(
        "server.move-given-up",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        f"Server {server.name} stays on {source}: it could not be moved to {target}.",
        f"サーバー {server.name} は {target} へ移動できなかったため、{source} に残ります。",
        tenant=server.tenant.text,
        fields={"from": source, "to": target},
        member_en=f"Server {server.name} stays where it is: it could not be moved to another machine.",
        member_ja=f"サーバー {server.name} は別の機器へ移動できなかったため、現在の機器に残ります。",
    )


def errand_failed(server: Server, doing: str, doing_ja: str, error: str, at: datetime) -> Event:
    return Event(
        "server.errand-failed",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        f"Server {server.name} could not be {doing}, and it will be tried again: {error}",
        f"サーバー {server.name} の{doing_ja}に失敗しました。再試行します: {error}",
        fields={"error": error},
    )


def stopped_by_itself(server: Server, host: HostId, at: datetime, *, doubtful: bool) -> Event:
    """`doubtful`: its host is suspect, so that nothing is started there."""
    name = server.name
    if doubtful:
        en = f"Server {name} was found stopped or paused on {host}, where nothing is started while the host is suspect. Drain the host to start it elsewhere."
        ja = f"サーバー {name} が {host} で停止しています。ホストに異常の疑いがある間はそこで起動しません。ホストをドレインすると他のホストで起動します。"
        member_en = f"Server {name} was found not running. It is started again once the machine under it is well, or on another one."
        member_ja = f"サーバー {name} が停止しています。機器の状態が回復するか、別の機器に移り次第、再び起動します。"
    else:
        en = f"Server {name} was found stopped or paused on {host} and is started again."
        ja = f"サーバー {name} が {host} で停止していたため、再び起動します。"
        member_en = f"Server {name} was found not running and is started again."
        member_ja = f"サーバー {name} が停止していたため、再び起動します。"
    return Event(
        "server.found-stopped",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        en,
        ja,
        tenant=server.tenant.text,
        fields={"host": host},
        member_en=member_en,
        member_ja=member_ja,
    )


def stale_copy(server: Server, host: HostId, at: datetime) -> Event:
    return Event(
        "server.stale-copy",
        f"server:{server.id}",
        at,
        Severity.WARNING,
        f"A copy of server {server.name} on {host} does not belong there and is removed.",
        f"サーバー {server.name} の不要な複製が {host} にあるため、取り除きます。",
        fields={"host": host},
    )


def not_clean(host: HostId, strangers: Sequence[str], at: datetime) -> Event:
    names = ", ".join(strangers)
    return Event(
        "host.not-clean",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"Host {host} is not used yet, because it carries machines that Yui does not know: {names}. "
        "Move or remove them.",
        f"ホスト {host} には結の管理外の仮想マシンがあるため、まだ使用しません: {names}。移動または削除してください。",
        fields={"machines": list(strangers)},
    )


def unreachable(host: HostId, why_en: str, why_ja: str, at: datetime) -> Event:
    return Event(
        "host.unreachable",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"Host {host} is not used yet, because {why_en}. Check that it is on and that its connection in "
        "the pool file is right; once it answers it is taken into use by itself.",
        f"ホスト {host} はまだ使用できません。{why_ja}。電源と、プールファイルの接続設定を確認してください。"
        "応答すれば自動的に使用を始めます。",
        fields={"reason": why_en},
    )


def cleaning_failed(host: HostId, why: str, at: datetime) -> Event:
    return Event(
        "host.cleaning-failed",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"Host {host} is not used yet, because it could not be cleaned: {why}. It is tried again and again.",
        f"ホスト {host} は清掃できなかったため、まだ使用しません: {why}。清掃は繰り返し試みます。",
        fields={"reason": why},
    )


def unknown_machine(server: str, host: HostId, at: datetime) -> Event:
    return Event(
        "host.unknown-machine",
        f"host:{host}",
        at,
        Severity.CRITICAL,
        f"Host {host} carries server {server}, which bears Yui's mark but is not in its records; it was "
        "left alone.",
        f"ホスト {host} に、結の印があるのに記録にないサーバー {server} があります。手を加えていません。",
        fields={"server": server},
    )


def leftovers_removed(host: HostId, servers: Sequence[ServerId], at: datetime) -> Event:
    names = ", ".join(servers)
    return Event(
        "host.leftovers-removed",
        f"host:{host}",
        at,
        Severity.INFO,
        f"Host {host} still had what was left of deleted servers, and it was removed: {names}.",
        f"ホスト {host} に残っていた削除済みサーバーの定義を取り除きました: {names}。",
        fields={"servers": list(servers)},
    )


def drained(host: HostId, at: datetime) -> Event:
    return Event(
        "host.drained",
        f"host:{host}",
        at,
        Severity.INFO,
        f"Host {host} is empty and in maintenance.",
        f"ホスト {host} は空になり、保守中です。",
    )


def drain_stuck(host: HostId, why_en: str, why_ja: str, at: datetime) -> Event:
    return Event(
        "host.drain-stuck",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"Host {host} cannot be drained further: {why_en}",
        f"ホスト {host} のドレインをこれ以上進められません。{why_ja}",
    )


def kept_off(host: HostId, at: datetime) -> Event:
    return Event(
        "host.kept-off",
        f"host:{host}",
        at,
        Severity.INFO,
        f"Host {host} is off and, as was asked, in maintenance until it is returned.",
        f"ホスト {host} の電源は切れています。依頼のとおり、復帰の操作があるまで保守中とします。",
    )


def switched_on(host: HostId, at: datetime) -> Event:
    return Event(
        "host.switched-on",
        f"host:{host}",
        at,
        Severity.INFO,
        f"Host {host} is switched on again, because servers wait for room; it is cleaned before it "
        "carries anything.",
        f"空きを待つサーバーがあるため、ホスト {host} の電源を入れました。使用する前に清掃します。",
    )


def word_wanted(host: HostId, channel: str, at: datetime) -> Event:
    return Event(
        "host.word-wanted",
        f"host:{host}",
        at,
        Severity.CRITICAL,
        f"Host {host} has not been heard on {channel} for a while, and no other channel can tell whether "
        "it is down, so its servers are not started elsewhere. Look at it; if it is off, say so with "
        f"'yui host fence {host} --method word', else cut its power with 'yui host fence {host}'.",
        f"ホスト {host} は {channel} で応答がなく、停止しているかを他の経路でも判断できないため、サーバーは他のホストで"
        f"起動していません。現地を確認し、電源が切れていれば「yui host fence {host} --method word」で申告し、"
        f"入っていれば「yui host fence {host}」で電源を切ってください。",
    )


def word_waits(host: HostId, by: str, left: Seconds, at: datetime) -> Event:
    """`left` is how long it waits yet."""
    return Event(
        "host.word-waits",
        f"host:{host}",
        at,
        Severity.INFO,
        f"{by} says that host {host} is off. It is listened to for another {left:.0f} s, and the word is "
        "taken unless the host is heard meanwhile.",
        f"{by} さんからホスト {host} 停止の申告がありました。あと {left:.0f} 秒間応答を監視し、その間に応答がなければ"
        "申告を受け入れます。",
        fields={"by": by, "until": (at + timedelta(seconds=left)).isoformat()},
    )


def word_not_believed(host: HostId, by: str, channel: str, at: datetime) -> Event:
    return Event(
        "host.word-not-believed",
        f"host:{host}",
        at,
        Severity.WARNING,
        f"{by} says that host {host} is off, yet it answers on {channel}, so it is not taken as fenced. "
        f"Cut its power with 'yui host fence {host}'.",
        f"{by} さんからホスト {host} 停止の申告がありましたが、{channel} で応答があるため隔離済みとは扱いません。"
        f"「yui host fence {host}」で電源を切ってください。",
        fields={"by": by},
    )


def evidence_unused(evidence: FenceEvidence, at: datetime) -> Event:
    return Event(
        "host.fence-unused",
        f"host:{evidence.host}",
        at,
        Severity.WARNING,
        f"Host {evidence.host} answered while it was being fenced, so the evidence is not acted on.",
        f"隔離の途中でホスト {evidence.host} が応答したため、この隔離の証拠は使いません。",
    )
