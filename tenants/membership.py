"""A municipality applies, and another person lets it in or turns it away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from control_plane.drivers.world import Clock
from control_plane.http.principal import Principal
from control_plane.journal.operations import new_operation_id
from control_plane.journal.progress import progress
from control_plane.model.access import AuditEntry
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, OperationId
from control_plane.model.membership import Applied as AppliedStanding
from control_plane.model.membership import (
    Approved,
    Connected,
    Membership,
    MembershipState,
    Standing,
)
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.units import Seconds
from control_plane.model.workload import Power, ServerStatus, status_of
from control_plane.store import LostRace, Snapshot, Store, Transaction
from control_plane.store.rows import TenantName
from tenants.asked import JoinRequest, as_applied
from tenants.letting_in import applied, begun, expect, person_of, second
from tenants.onboarding import JOIN, Joined, Kept, Onboarding

MEMBER_APPLY = "member.apply"
_FULL = ("no-room", "addresses-exhausted")
"""Why what was asked for does not fit today, and may tomorrow."""


@dataclass(frozen=True, slots=True)
class Applications:
    onboarding: Onboarding

    @property
    def store(self) -> Store:
        return self.onboarding.store

    def apply(self, request: JoinRequest, who: Principal, at: datetime, keep: Kept) -> Operation:
        """Write the application down, with the operation that ends when it is decided, and whether
        all of it would fit now. Nothing is reserved. Raises what is wrong with the request as
        `Onboarding.join` does, `tenant-exists`, `application-waits`."""
        asked = self.onboarding.understand(request)
        standing = AppliedStanding(at, person_of(who), asked.own_site)
        why_not = self._why_not_now(request, who, at)
        operation = Operation(
            id=new_operation_id(),
            kind=MEMBER_APPLY,
            subject=f"member:{asked.tenant.code}",
            tenant=asked.tenant.code.text,
            state=OperationState.RUNNING,
            done=0,
            total=1,
            created_at=at,
            updated_at=at,
        )
        with self.store.write() as tx:
            membership = begun(tx, asked, standing)
            tx.put_operation(operation)
            tx.put_membership(replace(membership, operation=operation.id))
            keep(tx, operation)
            tx.add_event(_applied(membership, why_not, at))
            fields = {
                "region": asked.region,
                "blueprints": [f"{name} v{version}" for name, version in asked.versions],
                "waits_for_approval": True,
            }
            tx.add_audit(_did(who, JOIN, membership, at, fields))
        return operation

    def _why_not_now(self, request: JoinRequest, who: Principal, at: datetime) -> YuiError | None:
        try:
            self.onboarding.join(request, who, at, dry_run=True)
        except YuiError as error:
            if error.type not in _FULL:
                raise
            return error
        return None

    def approve(
        self,
        code: TenantName,
        who: Principal,
        at: datetime,
        *,
        expected: Generation | None = None,
        dry_run: bool = False,
        keep: Kept = lambda _, __: None,
    ) -> Joined:
        """Admit all that was applied for in one transaction, as `Onboarding.join` does. Where it does
        not fit, the application stays. Raises `tenant-not-found`, `application-decided`,
        `member-changed`, `second-person-needed`, and what `Onboarding.join` does."""
        with self.store.read() as tx:
            membership = expect(tx.membership(code), expected)
        applied(membership).approve(person_of(who), at)

        def end_application(tx: Transaction, operation: Operation) -> None:
            keep(tx, operation)
            _end(tx, membership.operation, at, None)

        return self.onboarding.join(
            as_applied(membership),
            who,
            at,
            dry_run=dry_run,
            keep=end_application,
            let_in=second(who, membership.generation, at),
        )


def reject(
    tx: Transaction,
    code: TenantName,
    who: Principal,
    at: datetime,
    *,
    reason: str,
    expected: Generation | None,
) -> Membership:
    """Raises `tenant-not-found`, `application-decided`, `member-changed`."""
    membership = expect(tx.membership(code), expected)
    standing = applied(membership).reject(person_of(who), at, reason)
    error = YuiError(
        "application-rejected",
        en=f"{who.label} rejected the application: {reason}",
        ja=f"{who.label} さんが申請を却下しました: {reason}",
    )
    _end(tx, membership.operation, at, error)
    tx.add_audit(_did(who, "member.reject", membership, at, {"reason": reason}))
    return _moved(tx, membership, standing, error)


def withdraw(
    tx: Transaction,
    code: TenantName,
    who: Principal,
    at: datetime,
    *,
    expected: Generation | None,
) -> Membership:
    """Raises `tenant-not-found`, `application-decided`, `member-changed`."""
    membership = expect(tx.membership(code), expected)
    standing = applied(membership).withdraw(person_of(who), at)
    error = YuiError(
        "application-withdrawn",
        en=f"{who.label} withdrew the application.",
        ja=f"{who.label} さんが申請を取り下げました。",
    )
    _end(tx, membership.operation, at, error)
    tx.add_audit(_did(who, "member.withdraw", membership, at, {}))
    return _moved(tx, membership, standing, error)


def connect(
    tx: Transaction,
    code: TenantName,
    who: Principal,
    at: datetime,
    *,
    statement: str,
    expected: Generation | None,
) -> Membership:
    """Somebody has seen that the member's own site reaches the pool. Raises `tenant-not-found`,
    `own-site-missing`, `member-not-awaiting-connection`, `member-changed`."""
    membership = expect(tx.membership(code), expected)
    if not isinstance(membership.standing, Approved):
        raise YuiError(
            "member-not-awaiting-connection",
            en=f"{membership.tenant.name} ({code}) is {membership.state}: only a member that is approved can be connected.",
            ja=f"{membership.tenant.name}({code})の状態は {membership.state} です。接続できるのは承認済みの団体だけです。",
            status=409,
            fields={"code": str(code), "state": membership.state.value},
        )
    standing = membership.standing.connect(at, person_of(who))
    tx.add_audit(_did(who, "member.connect", membership, at, {"statement": statement}))
    name, site = membership.tenant.name, standing.own_site.name
    told = YuiError(
        "connected",
        en=f"{name} ({code}) is connected with its own site {site}, {who.label} says.",
        ja=f"{name}({code})の自団体設備「{site}」との接続を {who.label} さんが確認しました。",
    )
    return _moved(tx, membership, standing, told)


def settle_memberships(store: Store, at: datetime) -> int:
    """Write down whose servers have come to run since they were let in; says how many. For a loop
    that runs all the time."""
    with store.read() as tx:
        waiting = tx.membership_page(
            1000, states=(MembershipState.APPROVED, MembershipState.CONNECTED)
        )
        built = [each for each in waiting if _built(tx, each)]
    for membership in built:
        with store.write() as tx:
            now = tx.membership(membership.tenant.code)
            standing = _hosted(now, at)
            if standing is not None:
                name, code = now.tenant.name, now.tenant.code
                told = YuiError(
                    "hosted",
                    en=f"The systems of {name} ({code}) run: it is hosted.",
                    ja=f"{name}({code})のシステムが稼働しました。",
                )
                _moved(tx, now, standing, told)
    return len(built)


def keep_memberships(
    store: Store, clock: Clock, every: Seconds = Seconds(2)
) -> Callable[[threading.Event], None]:
    """Work for the background: `settle_memberships`, until told to stop."""

    def work(stop: threading.Event) -> None:
        while not stop.wait(every):
            try:
                settle_memberships(store, clock.now())
            except LostRace:
                continue
            except YuiError as error:
                structlog.get_logger("yui.members").warning("not settled", reason=error.en)

    return work


def _built(tx: Snapshot, membership: Membership) -> bool:
    """Whether its join has ended: all servers run, or its people have since asked for other things."""
    if _hosted(membership, membership.standing.since) is None:
        return False
    if membership.operation is None:
        # It meant to leave before it was in, and stayed.
        return all(
            status_of(server) is ServerStatus.ACTIVE or server.power is not Power.RUNNING
            for server in tx.servers(membership.tenant.code)
        )
    now = progress(tx, tx.operation(membership.operation))
    return now.state is not OperationState.RUNNING


def _hosted(membership: Membership, at: datetime) -> Standing | None:
    match membership.standing:
        case Approved(own_site=None) | Connected() as standing:
            return standing.host(at)
        case _:
            return None


def _moved(
    tx: Transaction, membership: Membership, standing: Standing, told: YuiError
) -> Membership:
    moved = tx.put_membership(replace(membership, standing=standing))
    code = membership.tenant.code
    tx.add_event(
        Event(
            f"member.{moved.state}",
            f"member:{code}",
            standing.since,
            Severity.INFO,
            told.en,
            told.ja,
            tenant=code.text,
        )
    )
    return moved


def _end(
    tx: Transaction, operation: OperationId | None, at: datetime, error: YuiError | None
) -> None:
    if operation is None:
        return
    found = tx.operation(operation)
    said = None if error is None else {"type": error.type, "en": error.en, "ja": error.ja}
    state = OperationState.DONE if error is None else OperationState.FAILED
    tx.put_operation(
        replace(found, state=state, done=int(error is None), updated_at=at, error=said)
    )


def _applied(membership: Membership, why_not: YuiError | None, at: datetime) -> Event:
    tenant = membership.tenant
    fits = why_not is None
    return Event(
        "member.applied",
        f"member:{tenant.code}",
        at,
        Severity.INFO,
        f"{tenant.name} ({tenant.code}) applies to join and waits for another person's approval. "
        + (
            "All of it would fit now." if why_not is None else f"It would not fit now: {why_not.en}"
        ),
        f"{tenant.name}({tenant.code})が参加を申請しました。別の人の承認を待っています。"
        + ("現在の空きで収まります。" if why_not is None else f"現在は収まりません: {why_not.ja}"),
        tenant=tenant.code.text,
        fields={"fits_now": fits},
        member_en=f"{tenant.name} ({tenant.code}) applies to join.",
        member_ja=f"{tenant.name}({tenant.code})が参加を申請しました。",
    )


def _did(
    who: Principal,
    action: str,
    membership: Membership,
    at: datetime,
    fields: dict[str, object],
) -> AuditEntry:
    code = membership.tenant.code
    return who.did(action, f"member:{code}", at, tenant=code, fields=fields)
