"""Programs that use the API: each is an account with tokens that are narrow and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from control_plane.access.giving import new_id, refuse_greater, tenant_for
from control_plane.access.models import (
    AccountTokenIn,
    ServiceAccountIn,
    ServiceAccountOut,
    TokenIssued,
    TokenOut,
)
from control_plane.access.service import ends, keep_new
from control_plane.http.principal import Principal
from control_plane.http.tokens import HashCost
from control_plane.model.access import AuditEntry, Permission, Token
from control_plane.model.errors import YuiError
from control_plane.model.identity import ServiceAccount
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction


def add(tx: Transaction, wanted: ServiceAccountIn, who: Principal, at: datetime) -> ServiceAccount:
    """Raises what `refuse_greater` and `tenant_for` do, and `scope-for-people`."""
    tenant = tenant_for(tx, wanted.role, wanted.tenant, who)
    asked = None if wanted.scopes is None else frozenset(wanted.scopes)
    scopes = refuse_greater(who, wanted.role, asked)
    if asked is not None and Permission.BREAK_GLASS_OPEN in asked:
        raise YuiError(
            "scope-for-people",
            en="break-glass.open is for people, who answer for it: leave it out.",
            ja="break-glass.open は責任を負う人だけの権限です。取り除いてください。",
        )
    account = ServiceAccount(
        id=new_id("account"),
        tenant=None if tenant is None else tenant.text,
        name=wanted.name,
        role=wanted.role,
        scopes=scopes - {Permission.BREAK_GLASS_OPEN},
        created_at=at,
    )
    tx.add_service_account(account)
    tx.add_audit(_entry("service-account.add", account, who, at))
    return account


def remove(tx: Transaction, id: str, who: Principal, at: datetime) -> None:
    """With its tokens. Raises `service-account-not-found`."""
    account = tx.service_account(id, who.tenant)
    tx.remove_service_account(account.id)
    tx.add_audit(_entry("service-account.remove", account, who, at))


def issue(
    tx: Transaction,
    id: str,
    wanted: AccountTokenIn,
    who: Principal,
    at: datetime,
    *,
    keep: Callable[[TokenOut], None],
    cost: HashCost,
    until: datetime | None = None,
) -> TokenIssued:
    """A token of that account's, which ends no later than `until`. Raises `service-account-not-found`, `scope-not-of-account`, and what
    `refuse_greater` does."""
    account = tx.service_account(id, who.tenant)
    scopes = account.scopes if wanted.scopes is None else frozenset(wanted.scopes)
    beyond = sorted(scopes - account.scopes)
    if beyond:
        raise YuiError(
            "scope-not-of-account",
            en=f"The service account {account.name} doesn't have {', '.join(beyond)}: leave that out.",
            ja=f"サービスアカウント {account.name} には {'、'.join(beyond)} がありません。取り除いてください。",
            fields={"scopes": beyond},
        )
    refuse_greater(who, account.role, scopes)
    end = ends(who, at, wanted.expires_in_days)
    token = Token(
        id="",
        hash="",
        role=account.role,
        tenant=account.tenant,
        label=wanted.label or account.name,
        expires_at=end if until is None else min(end, until),
        scopes=scopes,
        account=account.id,
        created_at=at,
    )
    return keep_new(tx, token, who, at, keep=keep, cost=cost)


def account_out(account: ServiceAccount) -> ServiceAccountOut:
    return ServiceAccountOut(
        id=account.id,
        tenant=account.tenant,
        name=account.name,
        role=account.role,
        scopes=sorted(account.scopes),
        created_at=account.created_at,
    )


def _entry(action: str, account: ServiceAccount, who: Principal, at: datetime) -> AuditEntry:
    tenant = None if account.tenant is None else MunicipalityCode(account.tenant)
    fields = {"account": account.name, "role": account.role.value}
    return who.did(action, f"service-account:{account.id}", at, tenant=tenant, fields=fields)
