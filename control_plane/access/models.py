"""Tokens, users, service accounts and emergency permissions, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from control_plane.http.bounds import CodeText, RequestBody, ResponseBody, ShortText, Statement
from control_plane.model.access import Permission, Role
from control_plane.model.identity import MOST_MINUTES

Days = Annotated[int, Field(ge=1, le=366)]
"""How long a token lasts: there is none without an end."""

Scopes = Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
"""Permissions; a token may do none that its role may not."""

_Long = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]
"""One word of visible ASCII, such as an issuer's address or a subject."""

Email = Annotated[
    str,
    StringConstraints(
        min_length=3, max_length=254, to_lower=True, pattern=r"^[!-?A-~]+@[!-?A-~]+$"
    ),
]


class TokenIn(RequestBody):
    """`tenant` is the municipality code of a member's token and absent from those of the consortium's
    roles; a member's own people may leave it out. `label` names the person or program that holds it; it
    signs the audit trail. Without `scopes` the token may do what its role may."""

    role: Role
    label: ShortText
    tenant: CodeText | None = None
    expires_in_days: Days = 90
    scopes: Scopes | None = None


class TokenOut(ResponseBody):
    """A token as everybody but its holder knows it. `last_used_at` may be some minutes behind;
    `service_account` is null for a person's."""

    id: str
    role: Role
    tenant: str | None
    label: str
    expires_at: datetime | None
    scopes: list[Permission] | None
    service_account: str | None
    created_at: datetime | None
    last_used_at: datetime | None


class TokenIssued(TokenOut):
    """`token` is shown this once: only its hash is kept."""

    token: str


class TokenRevoked(ResponseBody):
    id: str
    revoked: Literal[True] = True


class UserIn(RequestBody):
    """A person whom the identity provider `issuer` knows as `subject`. With `email` in its place it is
    an invitation, which the first login with that verified address takes; only where the operators
    trust that provider's addresses."""

    issuer: _Long
    subject: _Long | None = None
    email: Email | None = None
    name: ShortText
    role: Role
    tenant: CodeText | None = None


class UserChange(RequestBody):
    """What is left out stays as it is."""

    name: ShortText | None = None
    role: Role | None = None
    disabled: bool | None = None


class UserOut(ResponseBody):
    """`subject` is null while it is an invitation."""

    id: str
    tenant: str | None
    issuer: str
    subject: str | None
    name: str
    email: str | None
    role: Role
    disabled: bool
    created_at: datetime


class UserRemoved(ResponseBody):
    id: str
    removed: Literal[True] = True


class ServiceAccountIn(RequestBody):
    """A program with tokens of its own. `scopes` is the most that they may do; without it, what `role`
    may."""

    name: ShortText
    role: Role
    tenant: CodeText | None = None
    scopes: Scopes | None = None


class ServiceAccountOut(ResponseBody):
    id: str
    tenant: str | None
    name: str
    role: Role
    scopes: list[Permission]
    created_at: datetime


class ServiceAccountRemoved(ResponseBody):
    id: str
    removed: Literal[True] = True


class AccountTokenIn(RequestBody):
    """Without `scopes`: those of the account."""

    label: ShortText | None = None
    scopes: Scopes | None = None
    expires_in_days: Days = 90


class BreakGlassIn(RequestBody):
    """Permissions for an emergency: those of `role`, or the `permissions` named. For `tenant`'s things,
    or without it for the consortium's."""

    tenant: CodeText | None = None
    role: Role | None = None
    permissions: Scopes | None = None
    reason: Statement
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)]


class BreakGlassOut(ResponseBody):
    """Send `id` in the header `Yui-Break-Glass` with each request that needs it."""

    id: str
    principal: str
    label: str
    tenant: str | None
    permissions: list[Permission]
    reason: str
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    state: Literal["open", "closed", "lapsed"]


class Me(ResponseBody):
    """Whoever asks. `kind` says what it came with; `break_glass` is the grant it asked under."""

    id: str
    name: str
    kind: Literal["user", "token", "service-account"]
    role: Role
    tenant: str | None
    permissions: list[Permission]
    expires_at: datetime | None
    break_glass: str | None


class SignInProvider(ResponseBody):
    """What a program needs to sign somebody in with the device flow (RFC 8628)."""

    issuer: str
    client_id: str
    scopes: list[str]
    bearer: Literal["id_token", "access_token"]


class SignIn(ResponseBody):
    providers: list[SignInProvider]
