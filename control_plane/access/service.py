"""Issues and revokes bearer tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from control_plane.access.models import TokenIn, TokenIssued, TokenOut
from control_plane.http.principal import Principal
from control_plane.http.tokens import new_token
from control_plane.model.access import AuditEntry, Role, Token
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Store, Transaction

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
    """`keep` gets the answer without its secret. Raises `token-tenant-missing`,
    `token-tenant-not-allowed`, the mistakes of a municipality code, and `tenant-not-found`."""
    role = Role(wanted.role)
    tenant = _tenant_of(tx, role, wanted.tenant)
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
    tx.revoke_token(token_id)
    tx.add_audit(who.did("token.revoke", f"token:{token_id}", at))


def token_out(token: Token) -> TokenOut:
    return TokenOut(
        id=token.id,
        role=token.role.value,
        tenant=token.tenant,
        label=token.label,
        expires_at=token.expires_at,
    )


def _tenant_of(tx: Transaction, role: Role, tenant: str | None) -> str | None:
    if role is Role.OPERATOR:
        if tenant is not None:
            raise YuiError(
                "token-tenant-not-allowed",
                en="An operator's token belongs to no member: leave tenant out, or issue a tenant's token.",
                ja="運用担当者のトークンに団体は指定できません。tenant を省略するか、role を tenant にしてください。",
            )
        return None
    if tenant is None:
        raise YuiError(
            "token-tenant-missing",
            en="A tenant's token needs its member's municipality code in tenant.",
            ja="団体のトークンには、tenant に団体コードを指定してください。",
        )
    return tx.tenant(MunicipalityCode(tenant)).code.text
