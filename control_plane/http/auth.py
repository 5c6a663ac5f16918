"""Who is asking: every request but the open ones carries a bearer token (RFC 6750).

This stands before routing and before a body is taken in, so that a new route can't be left open by
forgetting something, and strangers learn neither which paths exist nor get anything read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, cast

import anyio.to_thread
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.http.principal import Principal
from control_plane.http.problems import problem
from control_plane.http.tokens import TokenCheck, token_id_of
from control_plane.model.errors import YuiError
from control_plane.store import Store

OPEN_PATHS = frozenset({"/healthz", "/openapi.json"})


class Authentication:
    """ASGI middleware. Leaves the principal in the scope's state, or answers 401."""

    def __init__(
        self, app: ASGIApp, store: Store, check: TokenCheck, now: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._store = store
        self._check = check
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        scheme, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            principal = None
            if scheme.lower() == "bearer":
                principal = await anyio.to_thread.run_sync(self._recognise, text.strip())
        except YuiError as error:
            await problem(scope, error, {"Retry-After": "1"})(scope, receive, send)
            return
        if principal is None:
            given = bool(scheme)
            challenge = 'Bearer realm="yui"' + (', error="invalid_token"' if given else "")
            answer = problem(
                scope, _TOKEN_INVALID if given else _TOKEN_MISSING, {"WWW-Authenticate": challenge}
            )
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

    def _recognise(self, text: str) -> Principal | None:
        token_id = token_id_of(text)
        if token_id is None:
            return None
        with self._store.read() as tx:
            token = tx.token_by_id(token_id)
        if token is None or (token.expires_at is not None and token.expires_at <= self._now()):
            return None
        return Principal.of(token) if self._check.proves(text, token.hash) else None


_TOKEN_MISSING = YuiError(
    "token-missing",
    en="This needs a token: send the header 'Authorization: Bearer yui_…'.",
    ja="トークンが必要です。「Authorization: Bearer yui_…」ヘッダーを付けてください。",
    status=401,
)
_TOKEN_INVALID = YuiError(
    "token-invalid",
    en="This token is unknown, revoked or expired: ask your operator for a new one.",
    ja="このトークンは登録されていないか、取り消し済みまたは期限切れです。担当者に新しいトークンを依頼してください。",
    status=401,
)


def principal_of(request: Request) -> Principal:
    return cast(Principal, request.state.principal)


def operator_of(request: Request) -> Principal:
    """Raises `operators-only`."""
    principal = principal_of(request)
    if not principal.operates:
        raise YuiError(
            "operators-only",
            en="Only operators of the pool may do this: ask one of them.",
            ja="この操作はプールの運用担当者だけが行えます。運用担当者に依頼してください。",
            status=403,
        )
    return principal


Anyone = Annotated[Principal, Depends(principal_of)]
"""Whoever has a token; a tenant's sees its own things alone."""

Operator = Annotated[Principal, Depends(operator_of)]
"""Operators alone; a tenant is answered 403."""
