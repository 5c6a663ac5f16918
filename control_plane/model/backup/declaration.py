"""A disaster is declared: whatever was taken near its day stays until the declaration is revoked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.model.backup.ids import DeclarationId, RecoveryPointId
from control_plane.model.backup.retention import HeldPoint
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, RegionId
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Revoked:
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class DisasterDeclaration:
    """Pins points taken from `before` ahead of `around` until `after` behind it, and the last one from
    before that. Of `tenants`, of systems in `region`, or of all where neither is named."""

    id: DeclarationId
    around: datetime
    before: timedelta
    after: timedelta
    reason: str
    declared_by: str
    declared_at: datetime
    region: RegionId | None = None
    tenants: frozenset[MunicipalityCode] = frozenset()
    revoked: Revoked | None = None
    generation: Generation = Generation(1)

    @property
    def in_force(self) -> bool:
        return self.revoked is None

    def concerns(self, tenant: MunicipalityCode, region: RegionId) -> bool:
        """Whether it pins points of a system of that member there."""
        return (not self.tenants or tenant in self.tenants) and self.region in (None, region)

    def names(self, tenant: MunicipalityCode) -> bool:
        """Whether any system of that member may be concerned."""
        return not self.tenants or tenant in self.tenants

    def revoke(self, at: datetime, by: str, reason: str) -> DisasterDeclaration:
        """Raises `disaster-revoked`."""
        if self.revoked is not None:
            raise YuiError(
                "disaster-revoked",
                en=f"The declaration {self.id} was revoked already by {self.revoked.by}: nothing is pinned by it.",
                ja=f"災害宣言 {self.id} は、すでに {self.revoked.by} さんが解除しています。",
                status=409,
                fields={"disaster": self.id},
            )
        return replace(self, revoked=Revoked(at, by, reason))


def pinned(
    declarations: Iterable[DisasterDeclaration],
    tenant: MunicipalityCode,
    region: RegionId,
    points: Iterable[HeldPoint],
) -> frozenset[RecoveryPointId]:
    """The points of one system that declarations in force keep."""
    whole = sorted((p for p in points if p.whole), key=lambda p: (p.taken_at, p.id))
    found: set[RecoveryPointId] = set()
    for each in declarations:
        if not (each.in_force and each.concerns(tenant, region)):
            continue
        begins, ends = each.around - each.before, each.around + each.after
        found.update(p.id for p in whole if begins <= p.taken_at <= ends)
        earlier = [p.id for p in whole if p.taken_at < begins]
        found.update(earlier[-1:])
    return frozenset(found)
