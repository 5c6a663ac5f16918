"""Who is asking: every request but the open ones carries a bearer token (RFC 6750).

This stands before routing and before a body is taken in, so that a new route can't be left open by
forgetting something, and strangers learn neither which paths exist nor get anything read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, cast

import anyio
from anyio import to_thread
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.http.principal import Principal
from control_plane.http.problems import problem
from control_plane.http.token_memory import TokenMemory
from control_plane.http.tokens import TokenCheck, token_id_of
from control_plane.model.access import Permission, Token, roles_with
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.store import Store

OPEN_PATHS = frozenset({"/healthz", "/openapi.json"})


class Authentication:
    """ASGI middleware. Leaves the principal in the scope's state, or answers 401.

    A token that is not remembered costs time and memory by design. At most two are proved at a time
    and nobody waits longer than `patience` for that, so that a flood of wrong tokens takes neither
    the machine nor those whose tokens are known.
    """

    def __init__(
        self,
        app: ASGIApp,
        store: Store,
        check: TokenCheck,
        now: Callable[[], datetime],
        patience: Seconds = Seconds(5),
    ) -> None:
        self._app = app
        self._memory = TokenMemory(store, check.monotonic)
        self._check = check
        self._now = now
        self._patience = patience
        self._proving = anyio.CapacityLimiter(2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        scheme, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            token = await self._recognise(text.strip()) if scheme.lower() == "bearer" else None
        except TimeoutError:
            await problem(scope, _BUSY, {"Retry-After": "1"})(scope, receive, send)
            return
        except YuiError as error:
            await problem(scope, error)(scope, receive, send)
            return
        if token is None:
            given = bool(scheme)
            challenge = 'Bearer realm="yui"' + (', error="invalid_token"' if given else "")
            answer = problem(
                scope, _TOKEN_INVALID if given else _TOKEN_MISSING, {"WWW-Authenticate": challenge}
            )
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = Principal.of(token)
        await self._app(scope, receive, send)

    async def _recognise(self, text: str) -> Token | None:
        """Raises TimeoutError when too many others are being proved."""
        token_id = token_id_of(text)
        token = None if token_id is None else await self._memory.find(token_id)
        if token is None or (token.expires_at is not None and token.expires_at <= self._now()):
            return None
        if self._check.remembers(text, token.hash):
            return token
        # Only waiting for a turn ends at the time-out, never a proof that is under way.
        with anyio.fail_after(self._patience):
            await self._proving.acquire()
        try:
            proved = await to_thread.run_sync(self._check.proves, text, token.hash)
        finally:
            self._proving.release()
        return token if proved else None


_BUSY = YuiError(
    "busy",
    en="Too many tokens are being checked at the moment: try again in a second.",
    ja="ただいまトークンの確認が混み合っています。少し待って再度お試しください。",
    status=503,
)
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


Whoever = Annotated[Principal, Depends(principal_of)]
"""For the few routes that tell somebody about nothing but themselves."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The dependency of a route that asks for `permission`. Raises `permission-missing`."""

    permission: Permission

    async def __call__(self, request: Request) -> Principal:
        principal = principal_of(request)
        if not principal.may(self.permission):
            raise permission_missing(self.permission)
        return principal


def needs(permission: Permission) -> Any:
    """What a route says of its principal: `who: Annotated[Principal, needs(Permission.POOL_READ)]`."""
    return Depends(Needs(permission))


def permission_missing(permission: Permission) -> YuiError:
    """403: says which permission, and whom to ask."""
    roles = [role.value for role in roles_with(permission)]
    return YuiError(
        "permission-missing",
        en=f"This needs the permission {permission}, which you don't have: ask somebody with the role {' or '.join(roles)}.",
        ja=f"この操作には権限 {permission} が必要です。{'、'.join(roles)} のいずれかの役割を持つ人に依頼してください。",
        status=403,
        fields={"permission": permission.value, "roles": roles},
    )
