"""Issues and revokes bearer tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from control_plane.access.models import TokenIn, TokenIssued, TokenOut
from control_plane.http.principal import Principal
from control_plane.http.tokens import new_token
from control_plane.model.access import PERMISSIONS, AuditEntry, Role, Token
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Store, Transaction
from control_plane.store.rows import not_found

LOCAL_COMMAND = "local-command"
"""The principal of what somebody does with the state itself at hand."""


def bootstrap_operator_token(
    store: Store, *, label: str = "first operator", now: datetime | None = None
) -> str:
    """A new operator's token, for the command that prints it once. Whoever may open the state's
    file may already do everything, so nobody else is asked."""
    at = now or datetime.now(UTC)
    fresh = new_token()
    with store.write() as tx:
        tx.add_token(Token(fresh.id, fresh.hash, Role.OPERATOR, None, label))
        tx.add_audit(
            AuditEntry(
                at=at,
                principal=LOCAL_COMMAND,
                role=Role.OPERATOR,
                tenant=None,
                action="token.issue",
                subject=f"token:{fresh.id}",
                outcome="done",
                fields={"label": label, "role": Role.OPERATOR.value},
            )
        )
    return fresh.text


def issue(
    tx: Transaction,
    wanted: TokenIn,
    who: Principal,
    at: datetime,
    keep: Callable[[TokenOut], None],
) -> TokenIssued:
    """`keep` gets the answer without its secret. A member's own may leave `tenant` out. Raises
    `role-too-great`, `token-tenant-missing`, `token-tenant-not-allowed`, the mistakes of a
    municipality code, and `tenant-not-found`."""
    role = wanted.role
    own = who.tenant is not None and role.of_member and wanted.tenant is None
    tenant = _tenant_of(tx, role, str(who.tenant) if own else wanted.tenant, who)
    refuse_greater(who, role)
    fresh = new_token()
    days = wanted.expires_in_days
    expires_at = None if days is None else at + timedelta(days=days)
    token = Token(fresh.id, fresh.hash, role, tenant, wanted.label, expires_at)
    tx.add_token(token)
    keep(token_out(token))
    tx.add_audit(
        who.did(
            "token.issue",
            f"token:{fresh.id}",
            at,
            tenant=None if tenant is None else MunicipalityCode(tenant),
            fields={"issued_to": wanted.label, "role": role.value},
        )
    )
    return TokenIssued(token=fresh.text, **token_out(token).model_dump())


def revoke(tx: Transaction, token_id: str, who: Principal, at: datetime) -> None:
    """It is refused from the next request on. Raises `token-not-found`."""
    revoked = tx.revoke_token(token_id, who.tenant)
    tenant = None if revoked.tenant is None else MunicipalityCode(revoked.tenant)
    tx.add_audit(who.did("token.revoke", f"token:{token_id}", at, tenant=tenant))


def token_out(token: Token) -> TokenOut:
    return TokenOut(
        id=token.id,
        role=token.role,
        tenant=token.tenant,
        label=token.label,
        expires_at=token.expires_at,
    )


def refuse_greater(who: Principal, role: Role) -> None:
    """Nobody gives more than they have: a role of the consortium is given by those whose permissions
    include its own, a member's role by that member's admins or by the consortium. Raises
    `role-too-great`."""
    if role.of_member and who.tenant is None:
        return
    if not PERMISSIONS[role] <= who.permissions:
        raise YuiError(
            "role-too-great",
            en=f"The role {role} has permissions that you don't have, so you can't give it: ask somebody who has them.",
            ja=f"役割 {role} にはあなたにない権限が含まれるため、付与できません。その権限を持つ人に依頼してください。",
            status=403,
            fields={"role": role.value},
        )


def _tenant_of(tx: Transaction, role: Role, tenant: str | None, who: Principal) -> str | None:
    if not role.of_member:
        if tenant is not None:
            raise YuiError(
                "token-tenant-not-allowed",
                en=f"The role {role} belongs to no member: leave tenant out, or choose member-admin or member-user.",
                ja=f"役割 {role} に団体は指定できません。tenant を省略するか、member-admin か member-user を選んでください。",
            )
        return None
    if tenant is None:
        raise YuiError(
            "token-tenant-missing",
            en=f"The role {role} is held for one member: give its municipality code in tenant.",
            ja=f"役割 {role} には、tenant に団体コードを指定してください。",
        )
    code = MunicipalityCode(tenant)
    if who.tenant not in (None, code):
        raise not_found("tenant", code)
    return tx.tenant(code).code.text
