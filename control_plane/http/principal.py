"""Who asks, as services know them: a role, the member it may act for, and a name for the record."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.model.access import PERMISSIONS, AuditEntry, Permission, Role, Token
from control_plane.model.identity import BreakGlass, User
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Principal:
    """`token` is the id of the token or of the user it came with, `label` the name on it. `tenant` is
    None for roles of the consortium, so it is also the filter that keeps a member to its own things."""

    token: str
    label: str
    role: Role
    tenant: MunicipalityCode | None
    allowed: frozenset[Permission] | None = None
    """What it may do, where that is not what its role may."""
    expires_at: datetime | None = None
    account: str | None = None
    """The service account whose token it is; people have none."""
    grant: BreakGlass | None = None
    """What it asks under, when it asks in an emergency."""
    is_user: bool = False
    """Whether `token` is the id of a user, whom an identity provider vouches for."""
    scoped: bool = True
    """Whether what it came with is good for more than saying who it is."""

    @staticmethod
    def of(token: Token) -> Principal:
        return Principal(
            token.id,
            token.label,
            token.role,
            _tenant(token.id, token.role, token.tenant),
            None if token.scopes is None else token.permissions,
            token.expires_at,
            token.account,
        )

    @staticmethod
    def of_user(user: User, expires_at: datetime) -> Principal:
        tenant = _tenant(user.id, user.role, user.tenant)
        return Principal(user.id, user.name, user.role, tenant, None, expires_at, is_user=True)

    def under(self, grant: BreakGlass) -> Principal:
        """The same person with what the grant opens: for one member's things that alone, for the
        consortium's on top of what they may anyway."""
        if grant.tenant is None:
            return replace(self, allowed=self.permissions | grant.permissions, grant=grant)
        tenant = MunicipalityCode(grant.tenant)
        return replace(self, tenant=tenant, allowed=grant.permissions, grant=grant)

    @property
    def permissions(self) -> frozenset[Permission]:
        if not self.scoped:
            return frozenset()
        return PERMISSIONS[self.role] if self.allowed is None else self.allowed

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def sees_hardware(self) -> bool:
        """Whether answers to it name hosts and storage."""
        return self.may(Permission.POOL_READ)

    @property
    def user(self) -> str:
        """What is kept of whoever made something: the service account, the user, or the token alone."""
        if self.account is not None:
            return self.account
        return self.token if self.is_user else f"token-{self.token}"

    @property
    def marks(self) -> Mapping[str, object]:
        """What every entry of the audit trail says of it."""
        under = {} if self.grant is None else {"break_glass": self.grant.id}
        return {"label": self.label, **under}

    def did(
        self,
        action: str,
        subject: str,
        at: datetime,
        *,
        tenant: MunicipalityCode | None = None,
        fields: Mapping[str, object] | None = None,
        hardware: Mapping[str, object] | None = None,
    ) -> AuditEntry:
        """The entry of the audit trail for something done: `tenant` is the member whose thing it
        was done to and who reads the entry, all but `hardware`."""
        return AuditEntry(
            at=at,
            principal=self.token,
            role=self.role,
            tenant=None if tenant is None else tenant.text,
            action=action,
            subject=subject,
            outcome="done",
            fields={**self.marks, **(fields or {})},
            hardware=None
            if hardware is None
            # Without something random in it, its hash could be found by guessing.
            else {**hardware, "salt": secrets.token_hex(16)},
        )


def _tenant(id: str, role: Role, tenant: str | None) -> MunicipalityCode | None:
    if role.of_member != (tenant is not None):
        raise ValueError(f"{id} has role {role} and tenant {tenant}")
    return None if tenant is None else MunicipalityCode(tenant)
