"""Who is asking: every request but the open ones carries a bearer token (RFC 6750).

This stands before routing and before a body is taken in, so that a new route can't be left open by
forgetting something, and strangers learn neither which paths exist nor get anything read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, cast

from anyio import to_thread
from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from control_plane.http.principal import Principal
from control_plane.http.problems import problem
from control_plane.http.recognition import Recognition
from control_plane.model.access import Permission, roles_with
from control_plane.model.errors import YuiError

OPEN_PATHS = frozenset({"/healthz", "/openapi.json", "/v1/sign-in"})


BREAK_GLASS = "Yui-Break-Glass"
"""The header that names the open grant under which a request is made."""


class Authentication:
    """ASGI middleware. Leaves the principal in the scope's state, or answers 401."""

    def __init__(
        self,
        app: ASGIApp,
        recognition: Recognition,
        also_open: Callable[[str, str], bool] = lambda _method, _path: False,
    ) -> None:
        """`also_open` says of a method and a path whether strangers may ask it besides OPEN_PATHS."""
        self._app = app
        self._recognition = recognition
        self._also_open = also_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._open(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scheme, _, text = headers.get("authorization", "").partition(" ")
        state = scope.setdefault("state", {})
        state["recognise_again"] = partial(self._again, scheme, text.strip(), headers)
        try:
            principal = await self._principal(scheme, text.strip())
            if principal is not None:
                state["principal"] = principal
                grant = headers.get(BREAK_GLASS)
                if grant is not None:
                    principal = await self._recognition.under_grant(principal, grant)
                    state["principal"] = principal
                    await to_thread.run_sync(
                        self._recognition.record_use, principal, scope["method"], scope["path"]
                    )
        except TimeoutError:
            await problem(scope, _BUSY, {"Retry-After": "1"})(scope, receive, send)
            return
        except YuiError as error:
            retry = {"Retry-After": "5"} if error.status == 503 else None
            await problem(scope, error, retry)(scope, receive, send)
            return
        if principal is None:
            given = bool(scheme)
            challenge = 'Bearer realm="yui"' + (', error="invalid_token"' if given else "")
            answer = problem(
                scope, _TOKEN_INVALID if given else _TOKEN_MISSING, {"WWW-Authenticate": challenge}
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _open(self, scope: Scope) -> bool:
        path = scope["path"]
        return path in OPEN_PATHS or self._also_open(scope["method"], path)

    async def _again(self, scheme: str, text: str, headers: Headers) -> Principal | None:
        """For answers that stay open: the principal as it is by now. Raises as the first time."""
        principal = await self._principal(scheme, text)
        grant = headers.get(BREAK_GLASS)
        if principal is None or grant is None:
            return principal
        return await self._recognition.under_grant(principal, grant)

    async def _principal(self, scheme: str, text: str) -> Principal | None:
        return await self._recognition.recognise(text) if scheme.lower() == "bearer" else None


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
    en="This token is unknown, revoked or expired: sign in again with `yui login`, or ask for a new token.",
    ja="このトークンは登録されていないか、取り消し済みまたは期限切れです。`yui login` で再度ログインするか、新しいトークンを依頼してください。",
    status=401,
)
_TOKEN_UNSCOPED = YuiError(
    "token-unscoped",
    en="This token is for no project, and so for nothing here: exchange it at /openstack/identity/v3/auth/tokens for one that is scoped to your project.",
    ja="このトークンはプロジェクトを指定せずに発行されたため、ここでは使えません。/openstack/identity/v3/auth/tokens で、自団体のプロジェクトを指定したトークンに交換してください。",
    status=403,
)


def principal_of(request: Request) -> Principal:
    return cast(Principal, request.state.principal)


async def whoever(request: Request) -> Principal:
    return principal_of(request)


Whoever = Annotated[Principal, Depends(whoever)]
"""For the few routes that tell somebody about nothing but themselves."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The dependency of a route that asks for `permission`; `unscoped` says whether a token for no
    project will do. Raises `permission-missing`, `token-unscoped`."""

    permission: Permission
    unscoped: bool = False

    async def __call__(self, request: Request) -> Principal:
        principal = principal_of(request)
        if self.unscoped:
            principal = replace(principal, scoped=True)
        if not principal.scoped:
            raise _TOKEN_UNSCOPED
        if not principal.may(self.permission):
            raise permission_missing(self.permission)
        return principal


def needs(permission: Permission, *, unscoped: bool = False) -> Any:
    """What a route says of its principal: `who: Annotated[Principal, needs(Permission.POOL_READ)]`."""
    return Depends(Needs(permission, unscoped))


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
