"""Tokens over HTTP: a member's admins see and issue their own member's alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Request, Response

from control_plane.access.models import TokenIn, TokenIssued, TokenOut, TokenRevoked
from control_plane.access.service import issue, revoke, token_out
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.recognition import LastUsed
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError

router = APIRouter(prefix="/v1/tokens", tags=["access"])


@router.post("", status_code=201, response_model=TokenIssued)
@audited("token.issue", "token")
def issue_token(
    body: TokenIn,
    who: Annotated[Principal, needs(Permission.TOKENS_WRITE)],
    edge: AtHand,
    once: Once,
) -> Response:
    """Issue a token. Its text is in this answer and nowhere else, not even in the record of answers
    that Idempotency-Key works by."""

    def work(remember: Remember) -> TokenIssued:
        with edge.store.write() as tx, named_in_body():
            return issue(
                tx,
                body,
                who,
                edge.clock.now(),
                keep=lambda without: remember(tx, without),
                cost=edge.token_cost,
            )

    return once.run(work, status=201, replay=shown_once)


@router.get("")
def read_tokens(
    request: Request,
    who: Annotated[Principal, needs(Permission.TOKENS_READ)],
    edge: AtHand,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[TokenOut]:
    with edge.store.read() as tx:
        tokens = tx.tokens(who.tenant)
    used = cast(LastUsed, request.app.state.last_used)
    return page_of(
        tokens,
        key=lambda token: token.id,
        show=lambda token: token_out(token, used.of(token)),
        limit=limit,
        cursor=cursor,
    )


@router.delete("/{token_id}", response_model=TokenRevoked)
@audited("token.revoke", "token")
def revoke_token(
    token_id: Name,
    who: Annotated[Principal, needs(Permission.TOKENS_WRITE)],
    edge: AtHand,
    once: Once,
) -> Response:
    """Revoke a token; the next request that comes with it is refused."""

    def work(remember: Remember) -> TokenRevoked:
        answer = TokenRevoked(id=token_id)
        with edge.store.write() as tx:
            remember(tx, answer)
            revoke(tx, token_id, who, edge.clock.now())
        return answer

    return once.run(work)


def shown_once(issued: Mapping[str, Any]) -> Response:
    raise YuiError(
        "token-shown-once",
        en=f"Token {issued['id']} was issued for this Idempotency-Key already, and is shown only once: revoke it if it was lost, and issue another with a new key.",
        ja=f"この Idempotency-Key ではトークン {issued['id']} を発行済みで、再表示はできません。紛失した場合は取り消し、新しいキーで発行してください。",
        status=409,
        fields={"id": issued["id"]},
    )
