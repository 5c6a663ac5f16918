"""Service accounts and their tokens over HTTP."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Request, Response

from control_plane.access.models import (
    AccountTokenIn,
    ServiceAccountIn,
    ServiceAccountOut,
    ServiceAccountRemoved,
    TokenIssued,
    TokenOut,
)
from control_plane.access.routes import shown_once
from control_plane.access.service import token_out
from control_plane.access.service_accounts import account_out, add, issue, remove
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.recognition import LastUsed
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission

router = APIRouter(prefix="/v1/service-accounts", tags=["access"])

Reader = Annotated[Principal, needs(Permission.TOKENS_READ)]
Writer = Annotated[Principal, needs(Permission.TOKENS_WRITE)]


@router.post("", status_code=201, response_model=ServiceAccountOut)
@audited("service-account.add", "service-account")
def add_account(
    body: ServiceAccountIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """A program that is to use the API."""

    def work(remember: Remember) -> ServiceAccountOut:
        with edge.rehearsable(dry_run) as tx, named_in_body():
            answer = account_out(add(tx, body, who, edge.clock.now()))
            remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 201)


@router.get("")
def read_accounts(
    who: Reader, edge: AtHand, limit: Limit = 100, cursor: Cursor = None
) -> Page[ServiceAccountOut]:
    with edge.store.read() as tx:
        accounts = tx.service_accounts(who.tenant)
    return page_of(accounts, key=lambda one: one.id, show=account_out, limit=limit, cursor=cursor)


@router.get("/{account_id}")
def read_account(account_id: Name, who: Reader, edge: AtHand) -> ServiceAccountOut:
    with edge.store.read() as tx:
        return account_out(tx.service_account(account_id, who.tenant))


@router.delete("/{account_id}", response_model=ServiceAccountRemoved)
@audited("service-account.remove", "service-account")
def remove_account(
    account_id: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Delete the account and all of its tokens."""

    def work(remember: Remember) -> ServiceAccountRemoved:
        answer = ServiceAccountRemoved(id=account_id)
        with edge.rehearsable(dry_run) as tx:
            remember(tx, answer)
            remove(tx, account_id, who, edge.clock.now())
        return answer

    return once.run(work)


@router.post("/{account_id}/tokens", status_code=201, response_model=TokenIssued)
@audited("token.issue", "service-account")
def issue_account_token(
    account_id: Name, body: AccountTokenIn, who: Writer, edge: AtHand, once: Once
) -> Response:
    """Issue a token of the account's. Its text is in this answer and nowhere else."""

    def work(remember: Remember) -> TokenIssued:
        with edge.store.write() as tx:
            at = edge.clock.now()
            return issue(
                tx,
                account_id,
                body,
                who,
                at,
                keep=lambda without: remember(tx, without),
                cost=edge.token_cost,
            )

    return once.run(work, status=201, replay=shown_once)


@router.get("/{account_id}/tokens")
def read_account_tokens(
    account_id: Name,
    request: Request,
    who: Reader,
    edge: AtHand,
    *,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TokenOut]:
    """The account's tokens, without what they say. `DELETE /v1/tokens/{id}` revokes one."""
    used = cast(LastUsed, request.app.state.last_used)
    with edge.store.read() as tx:
        account = tx.service_account(account_id, who.tenant)
        tokens = tx.tokens(account=account.id)
    return page_of(
        tokens,
        key=lambda token: token.id,
        show=lambda token: token_out(token, used.of(token)),
        limit=limit,
        cursor=cursor,
    )
