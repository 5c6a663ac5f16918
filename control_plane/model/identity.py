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
class Claimed:
    """Whom a provider says its bearer is, proved by its signature. `email` is there only where the
    provider has verified it; `invitable` says whether that may stand for the subject of an invitation."""

    issuer: str
    subject: str
    name: str | None
    email: str | None
    invitable: bool
    expires_at: datetime


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


MOST_MINUTES = 240
"""No emergency permission is open longer; whoever still needs it opens another, and says why."""


def openable(role: Role) -> bool:
    """Whether an emergency may lend that role: a member's for its things, or the second person's."""
    return role.of_member or role is Role.APPROVER


def greatest(*, of_member: bool) -> frozenset[Permission]:
    """What an emergency may lend at most."""
    return PERMISSIONS[Role.MEMBER_ADMIN if of_member else Role.APPROVER]
