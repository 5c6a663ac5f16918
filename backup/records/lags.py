"""How far each system's backups are behind, and of what somebody should hear."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime

from backup.records.estate import Blueprints, Estate, SystemBackup
from control_plane.model.backup.member_copy import MemberCopy
from control_plane.model.backup.objectives import Breach, breaches
from control_plane.model.backup.points import BackupStanding, RecoveryPointRecord, standing_of
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction
from control_plane.store.disasters import ToldBreach


@dataclass(frozen=True, slots=True)
class SystemStatus:
    backup: SystemBackup
    standing: BackupStanding
    breaches: tuple[Breach, ...]
    points: int
    at_member: MemberCopy | None = None
    """The newest that the member says it has at home."""


@dataclass(frozen=True, slots=True)
class News:
    """What became so since the last look, and which systems have nothing wrong any more."""

    missed: tuple[tuple[SystemBackup, Breach], ...]
    met_again: tuple[SystemBackup, ...]


def statuses(
    tx: Snapshot,
    blueprints: Blueprints,
    now: datetime,
    *,
    tenant: MunicipalityCode | None = None,
    system: SystemId | None = None,
) -> tuple[SystemStatus, ...]:
    """By system. Those without servers have nothing to lose, unless their container groups kept something
    before; and those being deleted nobody to miss them."""
    wanted = None if system is None else (system,)
    estate = Estate.read(tx, blueprints, tenant=tenant, systems=wanted)
    points: defaultdict[SystemId, list[RecoveryPointRecord]] = defaultdict(list)
    for point in tx.recovery_points(tenant, system=system, live=True):
        if point.taken_at <= now:
            points[point.system].append(point)
    at_members = tx.member_copies(tenant)
    return tuple(
        replace(_status(backup, points[id], now), at_member=at_members.get(id))
        for id, backup in sorted(estate.systems.items())
        if (backup.servers or (backup.groups and points[id])) and not backup.system.deleting
    )


def _status(backup: SystemBackup, points: list[RecoveryPointRecord], now: datetime) -> SystemStatus:
    standing = standing_of(points, backup.apart)
    assigned = {place: each.id for place, each in backup.assigned.items()}
    # What has no server has nothing that could be started to prove it.
    policy = backup.policy if backup.servers else replace(backup.policy, test_every_days=None)
    found = breaches(policy, standing, assigned, backup.since, now)
    return SystemStatus(backup, standing, found, sum(1 for p in points if p.whole))


def news(tx: Transaction, blueprints: Blueprints, now: datetime) -> News:
    """Remembers what it returns, so that each shortfall is told once for as long as it lasts."""
    told = tx.told_breaches()
    now_so: dict[ToldBreach, datetime] = {}
    missed: list[tuple[SystemBackup, Breach]] = []
    well: list[SystemBackup] = []
    had = {system for system, _, _ in told}
    for status in statuses(tx, blueprints, now):
        for breach in status.breaches:
            key = (
                status.backup.system.id,
                breach.what.value,
                breach.place or breach.repository or "",
            )
            now_so[key] = told.get(key, breach.since)
            if key not in told:
                missed.append((status.backup, breach))
        if not status.breaches and status.backup.system.id in had:
            well.append(status.backup)
    if now_so != told:
        tx.set_told_breaches(now_so)
    return News(tuple(missed), tuple(well))
