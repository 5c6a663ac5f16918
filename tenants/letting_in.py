"""Who lets a municipality in: one person alone, or a second one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation
from control_plane.model.membership import (
    Applied,
    Approved,
    Membership,
    MembershipState,
    Person,
)
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import already_exists
from tenants.asked import Asked


def person_of(who: Principal) -> Person:
    """Whoever stands behind it: a program with two tokens is one person."""
    return Person(who.account or who.token, who.label)


def alone(who: Principal, at: datetime) -> Callable[[Transaction, Asked], Membership]:
    """The applicant, where the pool's rule asks for one person."""

    def let_in(tx: Transaction, asked: Asked) -> Membership:
        applied = Applied(at, person_of(who), asked.own_site)
        return begun(tx, asked, applied.approve_alone(at))

    return let_in


def second(
    who: Principal, expected: Generation | None, at: datetime
) -> Callable[[Transaction, Asked], Membership]:
    """Another person than the applicant, of whose application they have read `expected`."""

    def let_in(tx: Transaction, asked: Asked) -> Membership:
        membership = expect(tx.membership(asked.tenant.code), expected)
        return replace(membership, standing=applied(membership).approve(person_of(who), at))

    return let_in


def begun(tx: Snapshot, asked: Asked, standing: Applied | Approved) -> Membership:
    """A municipality's membership as it begins, or begins again. Raises `tenant-exists`,
    `application-waits`."""
    before = tx.find_membership(asked.tenant.code)
    if before is not None and not before.state.ended:
        if before.state is MembershipState.APPLIED:
            raise _waits(before)
        raise already_exists("tenant", asked.tenant.code)
    return Membership(
        asked.tenant,
        asked.region,
        asked.versions,
        standing,
        wanted=asked.wanted,
        generation=Generation(0) if before is None else before.generation,
    )


def applied(membership: Membership) -> Applied:
    """Raises `application-decided`."""
    if isinstance(membership.standing, Applied):
        return membership.standing
    raise YuiError(
        "application-decided",
        en=f"{membership.tenant.name} ({membership.tenant.code}) has no application that waits: it is {membership.state}.",
        ja=f"{membership.tenant.name}({membership.tenant.code})に未処理の申請はありません(状態: {membership.state})。",
        status=409,
        fields={"code": membership.tenant.code.text, "state": membership.state.value},
    )


def expect(membership: Membership, expected: Generation | None) -> Membership:
    """Raises `member-changed` (412) when the caller has read another generation."""
    if expected is not None and membership.generation != expected:
        code = membership.tenant.code
        raise YuiError(
            "member-changed",
            en=f"Member {code} has changed since you read it (generation {membership.generation}, not {expected}): read it again.",
            ja=f"団体 {code} は読み取り後に変更されています(世代 {membership.generation}、指定は {expected})。読み直してください。",
            status=412,
            fields={"code": code.text, "generation": membership.generation},
        )
    return membership


def _waits(membership: Membership) -> YuiError:
    code = membership.tenant.code
    return YuiError(
        "application-waits",
        en=f"{membership.tenant.name} ({code}) has applied already and waits for approval: approve, reject or withdraw that application first.",
        ja=f"{membership.tenant.name}({code})はすでに申請済みで、承認を待っています。先にその申請を承認、却下、または取り下げてください。",
        status=409,
        fields={"code": code.text},
    )
