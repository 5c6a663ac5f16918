"""Application credentials over HTTP (Identity API v3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from control_plane.access.routes import shown_once
from control_plane.access.service import revoke
from control_plane.access.service_accounts import issue
from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission, Token
from control_plane.model.errors import YuiError
from control_plane.model.identity import ServiceAccount
from control_plane.store import Snapshot
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.callers import Project
from tenants.openstack_api.identity.credentials import (
    NewCredential,
    credential_out,
    end_of,
    wanted_of,
)
from tenants.openstack_api.links import identity_url
from tenants.openstack_api.services import IDENTITY

router = APIRouter(
    prefix=f"{IDENTITY}/v3/users/{{user}}/application_credentials", tags=["openstack identity"]
)

_TURN = "application-credentials"
"""Whoever takes a name must not be overtaken by another who does."""

Reader = Annotated[Principal, needs(Permission.TOKENS_READ)]
Writer = Annotated[Principal, needs(Permission.TOKENS_WRITE)]


@router.get("")
def list_credentials(
    user: str,
    request: Request,
    *,
    who: Reader,
    project: Project,
    edge: AtHand,
    name: Annotated[str | None, Query(max_length=255)] = None,
) -> dict[str, Any]:
    """The tokens of a service account."""
    with edge.store.read() as tx:
        account = _account(tx, user, who)
        tokens = tx.tokens(account=account.id)
    shown = [
        credential_out(request, account.id, project, token)
        for token in tokens
        if name in (None, token.label)
    ]
    href = f"{identity_url(request)}/users/{account.id}/application_credentials"
    links = {"self": href, "previous": None, "next": None}
    return {"application_credentials": shown, "links": links}


@router.post("", status_code=201)
@audited("token.issue", "service-account")
def create_credential(
    user: str,
    body: NewCredential,
    request: Request,
    *,
    who: Writer,
    project: Project,
    edge: AtHand,
    once: Once,
) -> Response:
    """A new token of a service account, of a name that none of its others has; its secret is in this answer and nowhere else."""
    given = body.application_credential

    def work(remember: Remember) -> Answer:
        with edge.store.write(turn=_TURN) as tx:
            account = _account(tx, user, who)
            _need_free(tx, account, given.name)
            issued = issue(
                tx,
                account.id,
                wanted_of(given, account),
                who,
                edge.clock.now(),
                keep=lambda without: remember(tx, without),
                cost=edge.token_cost,
                until=_not_over(end_of(given), edge),
            )
        shown = credential_out(request, account.id, project, issued)
        secret = issued.token.removeprefix(f"yui_{issued.id}_")
        return Answer({"application_credential": {**shown, "secret": secret}})

    return once.run(work, status=201, replay=_shown_once)


@router.get("/{credential}")
def show_credential(
    user: str, credential: str, request: Request, *, who: Reader, project: Project, edge: AtHand
) -> dict[str, Any]:
    """One of them, without its secret."""
    with edge.store.read() as tx:
        account, token = _credential(tx, user, credential, who)
    return {"application_credential": credential_out(request, account.id, project, token)}


@router.delete("/{credential}", status_code=204)
@audited("token.revoke", "service-account")
def delete_credential(
    user: str, credential: str, who: Writer, _: Project, *, edge: AtHand, once: Once
) -> Response:
    """The token is revoked, and with it every session that was begun with it."""

    def work(remember: Remember) -> Answer:
        answer = Answer({})
        with edge.store.write() as tx:
            token = _credential(tx, user, credential, who)[1]
            remember(tx, answer)
            revoke(tx, token.id, who, edge.clock.now())
        return answer

    return emptied(once.run(work))


def _account(tx: Snapshot, user: str, who: Principal) -> ServiceAccount:
    """Raises `service-account-not-found`."""
    return tx.service_account(user[:63], who.tenant)


def _need_free(tx: Snapshot, account: ServiceAccount, name: str) -> None:
    """Raises `credential-exists`, as Keystone does: by its name and its user a credential is told from
    all others."""
    if any(token.label == name for token in tx.tokens(account=account.id)):
        raise YuiError(
            "credential-exists",
            en=f"The service account has a token called '{name}' already: choose another name, or delete that one.",
            ja=f"このサービスアカウントには「{name}」という名前のトークンがすでにあります。別の名前を選ぶか、そのトークンを削除してください。",
            status=409,
            fields={"name": name},
        )


def _credential(tx: Snapshot, user: str, id: str, who: Principal) -> tuple[ServiceAccount, Token]:
    account = _account(tx, user, who)
    token = tx.token_by_id(id[:63])
    if token is None or token.account != account.id:
        raise YuiError(
            "token-not-found",
            en="Could not find that application credential.",
            ja="そのアプリケーション資格情報は見つかりません。",
            status=404,
        )
    return account, token


def _not_over(end: Any, edge: AtHand) -> Any:
    if end is not None and end <= edge.clock.now():
        raise YuiError(
            "credential-not-so",
            en="application_credential.expires_at: is over already.",
            ja="application_credential.expires_at: すでに過ぎています。",
            status=400,
            fields={"field": "expires_at"},
        )
    return end


def _shown_once(issued: Mapping[str, Any]) -> Response:
    return shown_once(issued)
