"""What people are told of a server that restarts because its host died."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from control_plane.model.ids import HostId
from control_plane.model.operation import Event, Severity
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.workload import Server
from control_plane.placement.wording import domain_en, domain_ja


def restarts_at_refuge(
    server: Server, dead: HostId, refuge: HostId, at: datetime, failure: FailureDomain | None
) -> Event:
    """`failure` is the one whose refuge it is; None: it was moving there already."""
    how, how_ja = "its refuge", "退避先"
    if failure is not None and failure.kind is not DomainKind.HOST:
        how = f"its refuge for the failure of {domain_en(failure)}"
        how_ja = f"{domain_ja(failure)}の障害に備えた退避先"
    return Event(
        en=f"Server {server.name} restarts on {refuge}, {how}, because {dead} died.",
        ja=f"ホスト {dead} が停止したため、サーバー {server.name} を{how_ja} {refuge} で再起動します。",
        fields=_fields(server, dead, refuge, failure, kept=True),
        **_evacuated(server, at),
    )


def restarts_where_room_was_found(
    server: Server, dead: HostId, host: HostId, at: datetime, missed: FailureDomain | None
) -> Event:
    """`missed` is the failure whose refuge it should have had, where that has no room any more."""
    why, why_ja = "", ""
    if missed is not None:
        why = f"; its refuge for the failure of {domain_en(missed)} can no longer be had"
        why_ja = f"{domain_ja(missed)}の障害に備えた退避先は使用できなくなりました。"
    return Event(
        en=f"Server {server.name} restarts on {host}, the nearest host with room, because {dead} died{why}.",
        ja=f"ホスト {dead} が停止したため、サーバー {server.name} を空きのあるホスト {host} で再起動します。{why_ja}",
        fields=_fields(server, dead, host, missed, kept=False),
        **_evacuated(server, at),
    )


class _Common(TypedDict):
    kind: str
    subject: str
    at: datetime
    severity: Severity
    tenant: str
    member_en: str
    member_ja: str


def _evacuated(server: Server, at: datetime) -> _Common:
    return {
        "kind": "server.evacuated",
        "subject": f"server:{server.id}",
        "at": at,
        "severity": Severity.WARNING,
        "tenant": server.tenant.text,
        "member_en": f"Server {server.name} restarts on another machine, because the one under it failed.",
        "member_ja": f"稼働していた機器が停止したため、サーバー {server.name} を別の機器で再起動します。",
    }


def _fields(
    server: Server, dead: HostId, to: HostId, failure: FailureDomain | None, *, kept: bool
) -> dict[str, object]:
    return {
        "from": dead,
        "to": to,
        "tier": server.tier,
        "by_certificate": kept,
        "failure": None if failure is None else str(failure),
    }
