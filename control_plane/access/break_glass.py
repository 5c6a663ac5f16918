"""Permissions for an emergency: opened with a reason, seen by everybody concerned, over by themselves.

Nothing prolongs one. Whoever still needs it opens another, and says why again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from control_plane.access.giving import new_id
from control_plane.access.models import BreakGlassIn, BreakGlassOut
from control_plane.drivers.world import Clock
from control_plane.http.principal import Principal
from control_plane.http.recognition import LastUsed
from control_plane.model.access import PERMISSIONS, AuditEntry, Permission
from control_plane.model.errors import YuiError
from control_plane.model.identity import BreakGlass, greatest, openable
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import LostRace, Store, Transaction

LOOK_EVERY = 30.0
"""Seconds between two looks for emergencies that are over and tokens that were used."""


def open_one(tx: Transaction, wanted: BreakGlassIn, who: Principal, at: datetime) -> BreakGlass:
    """Raises `break-glass-not-for-programs`, `break-glass-within-another`, `break-glass-too-much`, the
    mistakes of a municipality code, and `tenant-not-found`."""
    if who.account is not None:
        raise YuiError(
            "break-glass-not-for-programs",
            en="A break-glass is opened by a person, who answers for it: use a token of your own.",
            ja="非常時アクセスは責任を負う人が開くものです。ご自身のトークンを使ってください。",
            status=403,
        )
    if who.grant is not None:
        raise YuiError(
            "break-glass-within-another",
            en="This request is made under a break-glass already: leave the header Yui-Break-Glass out to open another.",
            ja="このリクエストはすでに非常時アクセスのもとで行われています。新しく開くには Yui-Break-Glass ヘッダーを外してください。",
            status=409,
        )
    tenant = None if wanted.tenant is None else tx.tenant(MunicipalityCode(wanted.tenant)).code
    grant = BreakGlass(
        id=new_id("bg"),
        principal=who.token,
        label=who.label,
        tenant=None if tenant is None else tenant.text,
        permissions=_permissions(wanted, of_member=tenant is not None),
        reason=wanted.reason,
        opened_at=at,
        expires_at=at + timedelta(minutes=wanted.minutes),
    )
    tx.put_break_glass(grant)
    fields = {
        "reason": grant.reason,
        "permissions": sorted(grant.permissions),
        "minutes": wanted.minutes,
    }
    tx.add_audit(who.did("break-glass.open", _subject(grant), at, tenant=tenant, fields=fields))
    whose_en, whose_ja = _whose(grant)
    tx.add_event(
        _event(
            "break-glass.opened",
            grant,
            at,
            Severity.WARNING,
            en=f"{grant.label} opened a break-glass for {whose_en} for {wanted.minutes} minutes: {grant.reason}",
            ja=f"{grant.label} さんが{whose_ja}の非常時アクセスを {wanted.minutes} 分間開きました。理由: {grant.reason}",
        )
    )
    return grant


def close(tx: Transaction, id: str, who: Principal, at: datetime) -> BreakGlass:
    """Raises `break-glass-not-found`, and `break-glass-over` (409)."""
    grant = tx.break_glass(id)
    if not grant.open_at(at):
        raise YuiError(
            "break-glass-over",
            en=f"Break-glass {grant.id} is over already.",
            ja=f"非常時アクセス {grant.id} はすでに終了しています。",
            status=409,
            fields={"break_glass": grant.id},
        )
    closed = replace(grant, closed_at=at, closed_by=who.label, told_over=True)
    tx.put_break_glass(closed)
    tenant = None if grant.tenant is None else MunicipalityCode(grant.tenant)
    tx.add_audit(who.did("break-glass.close", _subject(grant), at, tenant=tenant))
    whose_en, whose_ja = _whose(grant)
    tx.add_event(
        _event(
            "break-glass.closed",
            grant,
            at,
            Severity.INFO,
            en=f"{who.label} closed the break-glass of {grant.label} for {whose_en}.",
            ja=f"{who.label} さんが、{grant.label} さんによる{whose_ja}の非常時アクセスを閉じました。",
        )
    )
    return closed


def tell_lapsed(store: Store, at: datetime) -> None:
    """An event and an audit entry for each one whose time has run out, once."""
    with store.read() as snapshot:
        if not snapshot.lapsed_break_glasses(at):
            return
    with store.write(turn="break-glass") as tx:
        for grant in tx.lapsed_break_glasses(at):
            tx.put_break_glass(replace(grant, told_over=True))
            tx.add_audit(
                AuditEntry(
                    at=at,
                    principal="control-plane",
                    role=None,
                    tenant=grant.tenant,
                    action="break-glass.lapse",
                    subject=_subject(grant),
                    outcome="done",
                    fields={"label": grant.label},
                )
            )
            whose_en, whose_ja = _whose(grant)
            tx.add_event(
                _event(
                    "break-glass.lapsed",
                    grant,
                    at,
                    Severity.INFO,
                    en=f"The break-glass of {grant.label} for {whose_en} is over: its time has run out.",
                    ja=f"{grant.label} さんによる{whose_ja}の非常時アクセスは、時間切れで終了しました。",
                )
            )


def keep_told(store: Store, clock: Clock, last_used: LastUsed) -> Callable[[threading.Event], None]:
    """Work for a control plane: tells of emergencies that are over, and saves when tokens were used."""
    log = structlog.get_logger("yui.access")

    def work(stopping: threading.Event) -> None:
        stopped = False
        while not stopped:
            stopped = stopping.wait(LOOK_EVERY)
            try:
                tell_lapsed(store, clock.now())
                last_used.flush(store)
            except LostRace:
                continue
            except YuiError as error:
                log.warning("access not looked after", reason=error.en)

    return work


def break_glass_out(grant: BreakGlass, at: datetime) -> BreakGlassOut:
    ended = "closed" if grant.closed_at is not None else "lapsed"
    return BreakGlassOut.model_validate(
        {
            "id": grant.id,
            "principal": grant.principal,
            "label": grant.label,
            "tenant": grant.tenant,
            "permissions": sorted(grant.permissions),
            "reason": grant.reason,
            "opened_at": grant.opened_at,
            "expires_at": grant.expires_at,
            "closed_at": grant.closed_at,
            "closed_by": grant.closed_by,
            "state": "open" if grant.open_at(at) else ended,
        }
    )


def _permissions(wanted: BreakGlassIn, *, of_member: bool) -> frozenset[Permission]:
    if (wanted.role is None) == (wanted.permissions is None):
        raise YuiError(
            "break-glass-unclear",
            en="Say either role or permissions: what do you need to be able to do?",
            ja="role か permissions のどちらか一方で、必要な権限を指定してください。",
        )
    if wanted.role is not None:
        fits = openable(wanted.role) and wanted.role.of_member is of_member
        asked = PERMISSIONS[wanted.role] if fits else None
    else:
        asked = frozenset(wanted.permissions or ())
    if asked is None or not asked <= greatest(of_member=of_member):
        raise YuiError(
            "break-glass-too-much",
            en="A break-glass gives at most the role member-admin of the member named in tenant, or without tenant the role approver.",
            ja="非常時アクセスで得られるのは、tenant を指定した場合はその団体の member-admin、省略した場合は approver の権限までです。",
        )
    return asked


def _whose(grant: BreakGlass) -> tuple[str, str]:
    if grant.tenant is None:
        return "the consortium", "共同体"
    return f"member {grant.tenant}", f"団体 {grant.tenant} "


def _subject(grant: BreakGlass) -> str:
    return f"break-glass:{grant.id}"


def _event(
    kind: str, grant: BreakGlass, at: datetime, severity: Severity, *, en: str, ja: str
) -> Event:
    fields = {"break_glass": grant.id, "expires_at": grant.expires_at.isoformat()}
    return Event(kind, _subject(grant), at, severity, en, ja, tenant=grant.tenant, fields=fields)
