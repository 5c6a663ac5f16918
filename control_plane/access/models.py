"""Bearer tokens, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from control_plane.http.bounds import CodeText, RequestBody, ResponseBody, ShortText
from control_plane.model.access import Role


class TokenIn(RequestBody):
    """`tenant` is the municipality code of a member's token and absent from those of the consortium's
    roles. `label` names the person or program that holds it; it signs the audit trail."""

    role: Role
    label: ShortText
    tenant: CodeText | None = None
    expires_in_days: int | None = Field(default=None, ge=1, le=3650)


class TokenOut(ResponseBody):
    """A token as everybody but its holder knows it."""

    id: str
    role: Role
    tenant: str | None
    label: str
    expires_at: datetime | None


class TokenIssued(TokenOut):
    """`token` is shown this once: only its hash is kept."""

    token: str


class TokenRevoked(ResponseBody):
    id: str
    revoked: Literal[True] = True
