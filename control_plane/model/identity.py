"""People and programs that may ask, and the extraordinary permissions that a person may open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.access import PERMISSIONS, Permission, Role


@dataclass(frozen=True, slots=True)
class User:
    """A person whom an identity provider knows as `subject`; `issuer` is the provider. Without a
    `subject` it is an invitation by `email`, until the first login. `tenant` is None for roles of the
    consortium."""

    id: str
    tenant: str | None
    issuer: str
    subject: str | None
    name: str
    email: str | None
    role: Role
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program, which comes with tokens that may do at most what `scopes` names."""

    id: str
    tenant: str | None
    name: str
    role: Role
    scopes: frozenset[Permission]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Permissions beyond a person's role, for a reason and a time. With `tenant` they hold for that
    member's things, else for the consortium's. `told_over` says whether its end was announced."""

    id: str
    principal: str
    label: str
    tenant: str | None
    permissions: frozenset[Permission]
    reason: str
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    told_over: bool = False

    def open_at(self, moment: datetime) -> bool:
        return self.closed_at is None and moment < self.expires_at


GRANTABLE_TO_MEMBERS_THINGS = PERMISSIONS[Role.MEMBER_ADMIN]
"""What may be opened for one member: what its admin may do."""

GRANTABLE_FOR_CONSORTIUM = PERMISSIONS[Role.APPROVER]
"""What may be opened for the consortium: what an approver may do, where none can be reached."""
