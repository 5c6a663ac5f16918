"""Who may ask for what, and the record of who asked: tokens and audit entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    OPERATOR = "operator"
    """Looks after the pool."""
    TENANT = "tenant"
    """Acts for one member, and sees nothing of the others."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is kept: `hash` is a password hash of its secret part, never the secret.
    `tenant` is None for operators; a token without `expires_at` lasts until it is revoked."""

    id: str
    hash: str = field(repr=False)
    role: Role
    tenant: str | None
    label: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and how it ended: `principal` is a token's id or a part of the control
    plane, `role` None for strangers, `action` a dotted verb such as `member.join`, `outcome` `done` or
    a problem's type. `sequence` is given by the store."""

    at: datetime
    principal: str
    role: Role | None
    tenant: str | None
    action: str
    subject: str
    outcome: str
    fields: Mapping[str, object] | None = None
    sequence: int = 0
