"""Issues and revokes bearer tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from control_plane.access.giving import refuse_greater, tenant_for
from control_plane.access.models import TokenIn, TokenIssued, TokenOut
from control_plane.http.principal import Principal
from control_plane.http.tokens import FULL_COST, HashCost, new_token
from control_plane.model.access import AuditEntry, Role, Token
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Store, Transaction

LOCAL_COMMAND = "local-command"
"""The principal of what somebody does with the state itself at hand."""


def bootstrap_operator_token(
    store: Store,
    *,
    label: str = "first operator",
    now: datetime | None = None,
    cost: HashCost = FULL_COST,
) -> str:
    """`bootstrap_token` for whoever looks after the pool."""
    return bootstrap_token(store, Role.OPERATOR, label=label, now=now, cost=cost)


def bootstrap_token(
    store: Store,
    role: Role,
    *,
    label: str,
    now: datetime | None = None,
    cost: HashCost = FULL_COST,
) -> str:
    """A new token with a role of the consortium, for the command that prints it once. Whoever may open
    the state's file may already do everything, so nobody else is asked."""
    at = now or datetime.now(UTC)
    fresh = new_token(cost)
    with store.write() as tx:
        tx.add_token(Token(fresh.id, fresh.hash, role, None, label))
        tx.add_audit(
            AuditEntry(
                at=at,
                principal=LOCAL_COMMAND,
                role=role,
                tenant=None,
                action="token.issue",
                subject=f"token:{fresh.id}",
                outcome="done",
                fields={"label": label, "role": role.value},
            )
        )
    return fresh.text


def issue(
    tx: Transaction,
    wanted: TokenIn,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[TokenOut], None],
    cost: HashCost,
) -> TokenIssued:
    """`keep` gets the answer without its secret. Raises what `refuse_greater` and `tenant_for` do."""
    tenant = tenant_for(tx, wanted.role, wanted.tenant, who)
    scopes = None if wanted.scopes is None else frozenset(wanted.scopes)
    refuse_greater(who, wanted.role, scopes)
    token = Token(
        id="",
        hash="",
        role=wanted.role,
        tenant=None if tenant is None else tenant.text,
        label=wanted.label,
        expires_at=ends(who, at, wanted.expires_in_days),
        scopes=scopes,
        created_at=at,
    )
    return keep_new(tx, token, who, at, keep=keep, cost=cost)


def ends(who: Principal, at: datetime, days: int) -> datetime:
    """What is issued in an emergency doesn't outlast it."""
    wanted = at + timedelta(days=days)
    return wanted if who.grant is None else min(wanted, who.grant.expires_at)


def keep_new(
    tx: Transaction,
    token: Token,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[TokenOut], None],
    cost: HashCost,
) -> TokenIssued:
    """Gives `token` its id and secret, and tells the member whose it is when the consortium did it."""
    fresh = new_token(cost)
    token = replace(token, id=fresh.id, hash=fresh.hash)
    tx.add_token(token)
    keep(token_out(token))
    tenant = None if token.tenant is None else MunicipalityCode(token.tenant)
    fields = {"issued_to": token.label, "role": token.role.value}
    tx.add_audit(who.did("token.issue", f"token:{fresh.id}", at, tenant=tenant, fields=fields))
    if tenant is not None and who.tenant is None:
        tx.add_event(
            Event(
                "token.issued",
                f"token:{fresh.id}",
                at,
                Severity.INFO,
                f"{who.label} of the consortium issued a token with the role {token.role} to {token.label}.",
                f"共同体の{who.label} さんが、{token.label} 用に役割 {token.role} のトークンを発行しました。",
                tenant=tenant.text,
                fields=fields,
            )
        )
    return TokenIssued(token=fresh.text, **token_out(token).model_dump())


def revoke(tx: Transaction, token_id: str, who: Principal, at: datetime) -> None:
    """It is refused from the next request on. Raises `token-not-found`."""
    revoked = tx.revoke_token(token_id, who.tenant)
    tenant = None if revoked.tenant is None else MunicipalityCode(revoked.tenant)
    tx.add_audit(who.did("token.revoke", f"token:{token_id}", at, tenant=tenant))


def token_out(token: Token, last_used_at: datetime | None = None) -> TokenOut:
    return TokenOut(
        id=token.id,
        role=token.role,
        tenant=token.tenant,
        label=token.label,
        expires_at=token.expires_at,
        scopes=None if token.scopes is None else sorted(token.scopes),
        service_account=token.account,
        created_at=token.created_at,
        last_used_at=last_used_at or token.last_used_at,
    )
