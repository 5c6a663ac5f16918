"""A member asks to leave, another person agrees, and until its things are removed it may stay after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.journal.member_progress import MEMBER_LEAVE, steps_of
from control_plane.journal.operations import new_operation_id
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation
from control_plane.model.membership import (
    ApprovalRule,
    Approved,
    Connected,
    Exported,
    Hosted,
    LeaveAsked,
    Leaving,
    Membership,
    Standing,
    Within,
    ask_to_leave,
)
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.workload import Power
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import TenantName
from tenants.letting_in import expect, person_of
from tenants.membership_change import member_of

Keep = Callable[[Transaction, Operation], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One of somebody's with a membership: who, when, and the generation that they have read."""

    tx: Transaction
    code: TenantName
    who: Principal
    at: datetime
    expected: Generation | None = None

    def membership(self) -> Membership:
        """Raises `tenant-not-found`, `member-changed`."""
        return expect(member_of(self.tx, self.code, self.who), self.expected)

    def did(self, action: str, fields: Mapping[str, object]) -> None:
        code = member_of(self.tx, self.code, self.who).tenant.code
        self.tx.add_audit(
            self.who.did(action, f"member:{code}", self.at, tenant=code, fields=fields)
        )


def ask(
    step: Step,
    rule: ApprovalRule,
    *,
    reason: str,
    destroy_keys: bool,
    can_export: bool,
    keep: Keep,
) -> Operation:
    """With the operation that ends when the member has left. Where the pool's rule asks for one person,
    its servers are stopped from now on; else nothing happens until another one agrees.

    Raises `tenant-not-found`, `member-changed`, `member-not-in`, `export-store-missing`."""
    membership = step.membership()
    standing = membership.standing
    if not isinstance(standing, Approved | Connected | Hosted):
        raise _not(
            membership,
            "member-not-in",
            "only a member that is in can leave",
            "脱退できるのは参加中の団体だけです",
        )
    if not can_export:
        raise YuiError(
            "export-store-missing",
            en="A member leaves with an export of its disks and data, and this control plane has nowhere to put one: start `yui serve` with --export-dir, then ask again.",
            ja="脱退する団体にはディスクとデータの書き出しを渡しますが、書き出し先が設定されていません。`yui serve` に --export-dir を付けて起動してから再度お試しください。",
            status=409,
        )
    asked = ask_to_leave(
        standing, person_of(step.who), step.at, reason=reason, destroy_keys=destroy_keys
    )
    now = asked if rule is ApprovalRule.TWO_PERSONS else asked.approve_alone(step.at)
    operation = Operation(
        id=new_operation_id(),
        kind=MEMBER_LEAVE,
        subject=f"member:{membership.tenant.code}",
        tenant=membership.tenant.code.text,
        state=OperationState.RUNNING,
        done=0,
        total=1,
        created_at=step.at,
        updated_at=step.at,
        fields={"servers": [s.id for s in step.tx.servers(membership.tenant.code)]},
    )
    step.tx.put_operation(operation)
    moved = move(step.tx, replace(membership, operation=operation.id), now)
    operation = replace(operation, total=sum(one.weight for one in steps_of(step.tx, moved)))
    step.tx.put_operation(operation)
    keep(step.tx, operation)
    name, code = membership.tenant.name, membership.tenant.code
    _tell(
        step,
        "member.leave-asked",
        f"{step.who.label} asks for {name} ({code}) to leave: {reason}",
        f"{step.who.label} さんが {name}({code})の脱退を申請しました。理由: {reason}",
    )
    if isinstance(now, Leaving):
        _tell_of_leaving(step, membership)
    step.did("member.leave", {"reason": reason, "destroy_keys": destroy_keys})
    return operation


def approve(step: Step) -> Membership:
    """Raises `tenant-not-found`, `member-changed`, `leave-not-asked`, `second-person-needed`."""
    membership = step.membership()
    leaving = _asked(membership).approve(person_of(step.who), step.at)
    moved = move(step.tx, membership, leaving)
    _tell_of_leaving(step, membership)
    step.did("member.leave-approve", {})
    return moved


def reject(step: Step, reason: str) -> Membership:
    """Raises `tenant-not-found`, `member-changed`, `leave-not-asked`."""
    membership = step.membership()
    return _stay(step, membership, _asked(membership).stay(), "member.leave-reject", reason)


def stay(step: Step, reason: str) -> Membership:
    """It does not leave after all: it is what it was, and the servers that were stopped for it are
    started again. Raises `tenant-not-found`, `member-changed`, `leaving-too-late`, `member-not-leaving`."""
    membership = step.membership()
    match membership.standing:
        case LeaveAsked() | Leaving() | Exported() as standing:
            return _stay(step, membership, standing.stay(), "member.leave-cancel", reason)
        case _:
            raise _not_to_be_stopped(membership)


def confirm(step: Step, statement: str) -> Membership:
    """The member has its export and read it: everything of its own is removed from now on, and the
    export with it. Raises `tenant-not-found`, `member-changed`, `members-own-word`, `export-not-ready`."""
    membership = step.membership()
    if step.who.tenant is None or step.who.grant is not None:
        raise YuiError(
            "members-own-word",
            en="That it has its export is the member's own word: one of its admins gives it. Where nobody can, an approver waives it with a reason.",
            ja="書き出しの受領は、団体の管理者自身が確認します。確認できる人がいない場合は、承認者が理由を付けて省略できます。",
            status=403,
        )
    departing = _exported(membership).confirm(person_of(step.who), step.at, statement)
    moved = move(step.tx, membership, departing)
    _tell_of_departing(step, membership, statement)
    step.did("member.leave-confirm", {"statement": statement})
    return moved


def waive(step: Step, reason: str) -> Membership:
    """Nobody at the member can confirm, for a reason that is told. Its export stays. Raises
    `tenant-not-found`, `member-changed`, `export-not-ready`, `second-person-needed`."""
    membership = step.membership()
    departing = _exported(membership).waive(person_of(step.who), step.at, reason)
    moved = move(step.tx, membership, departing)
    _tell_of_departing(step, membership, reason)
    step.did("member.leave-waive", {"reason": reason})
    return moved


def move(tx: Transaction, membership: Membership, standing: Standing) -> Membership:
    return tx.put_membership(replace(membership, standing=standing))


def end_operation(tx: Transaction, membership: Membership, at: datetime, why: YuiError) -> None:
    """It came to nothing."""
    if membership.operation is None:
        return
    operation = tx.operation(membership.operation)
    said = {"type": why.type, "en": why.en, "ja": why.ja}
    tx.put_operation(replace(operation, state=OperationState.FAILED, updated_at=at, error=said))


def leaving_with(tx: Snapshot, membership: Membership) -> Operation | None:
    """The operation of a leaving that is under way."""
    return None if membership.operation is None else tx.operation(membership.operation)


def _stay(
    step: Step, membership: Membership, before: Within, action: str, reason: str
) -> Membership:
    match membership.standing:
        case Leaving(stopped=stopped) | Exported(stopped=stopped):
            for server in step.tx.servers_among(stopped).values():
                if server.power is Power.STOPPED and not server.deleting:
                    step.tx.save_server(replace(server, power=Power.RUNNING))
        case _:
            pass
    name, code = membership.tenant.name, membership.tenant.code
    why = YuiError(
        "leave-rejected" if action == "member.leave-reject" else "leave-cancelled",
        en=f"{name} ({code}) stays, {step.who.label} says: {reason}",
        ja=f"{name}({code})は脱退しません。{step.who.label} さんの理由: {reason}",
    )
    end_operation(step.tx, membership, step.at, why)
    # The operation of its joining ended, or is not told any more: its servers say whether it is in.
    joining = isinstance(before, Approved | Connected)
    moved = move(step.tx, replace(membership, operation=None) if joining else membership, before)
    _tell(step, "member.stays", why.en, why.ja)
    step.did(action, {"reason": reason})
    return moved


def _asked(membership: Membership) -> LeaveAsked:
    if isinstance(membership.standing, LeaveAsked):
        return membership.standing
    raise _not(
        membership,
        "leave-not-asked",
        "nobody has asked for it to leave",
        "脱退の申請はありません",
    )


def _exported(membership: Membership) -> Exported:
    if isinstance(membership.standing, Exported):
        return membership.standing
    raise _not(
        membership,
        "export-not-ready",
        "there is no finished export that could be confirmed",
        "確認できる書き出しはまだありません",
    )


def _not_to_be_stopped(membership: Membership) -> YuiError:
    return _not(
        membership,
        "member-not-leaving",
        "it is not leaving, or its things are being removed already",
        "脱退の手続き中ではないか、すでに削除が始まっています",
    )


def _not(membership: Membership, type: str, en: str, ja: str) -> YuiError:
    name, code = membership.tenant.name, membership.tenant.code
    return YuiError(
        type,
        en=f"{name} ({code}) is {membership.state}: {en}.",
        ja=f"{name}({code})の状態は {membership.state} です。{ja}。",
        status=409,
        fields={"code": code.text, "state": membership.state.value},
    )


def _tell_of_leaving(step: Step, membership: Membership) -> None:
    name, code = membership.tenant.name, membership.tenant.code
    _tell(
        step,
        "member.leaving",
        f"{name} ({code}) leaves: its servers are stopped, last started first, and its disks and data are exported.",
        f"{name}({code})の脱退手続きを始めました。サーバーを起動と逆の順に停止し、ディスクとデータを書き出します。",
    )


def _tell_of_departing(step: Step, membership: Membership, said: str) -> None:
    name, code = membership.tenant.name, membership.tenant.code
    _tell(
        step,
        "member.departing",
        f"Everything of {name} ({code}) is being removed, {step.who.label} says: {said}",
        f"{name}({code})のすべてを削除しています。{step.who.label} さんの確認: {said}",
    )


def _tell(step: Step, kind: str, en: str, ja: str) -> None:
    code = member_of(step.tx, step.code, step.who).tenant.code
    step.tx.add_event(
        Event(kind, f"member:{code}", step.at, Severity.INFO, en, ja, tenant=code.text)
    )
