"""Who asks, as services know them: a role, the member it may act for, and a name for the record."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from control_plane.model.access import PERMISSIONS, AuditEntry, Permission, Role, Token
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Principal:
    """`token` is the id of the token it came with, `label` the name on it. `tenant` is None for
    roles of the consortium, so it is also the filter that keeps a member to its own things."""

    token: str
    label: str
    role: Role
    tenant: MunicipalityCode | None
    allowed: frozenset[Permission] | None = None
    """What it may do, where that is not what its role may."""

    @staticmethod
    def of(token: Token) -> Principal:
        tenant = None if token.tenant is None else MunicipalityCode(token.tenant)
        if token.role.of_member != (tenant is not None):
            raise ValueError(f"token {token.id} has role {token.role} and tenant {tenant}")
        return Principal(token.id, token.label, token.role, tenant)

    @property
    def permissions(self) -> frozenset[Permission]:
        return PERMISSIONS[self.role] if self.allowed is None else self.allowed

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def sees_hardware(self) -> bool:
        """Whether answers to it name hosts and storage."""
        return self.may(Permission.POOL_READ)

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
            fields={"label": self.label, **(fields or {})},
            hardware=None
            if hardware is None
            # Without something random in it, its hash could be found by guessing.
            else {**hardware, "salt": secrets.token_hex(16)},
        )
