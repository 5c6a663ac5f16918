"""What reading repositories again has found, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from backup.records.steps import StepRefused
from backup.records.telling import damage_found, damage_healed, damage_lost, stray_found
from control_plane.journal.operations import draw
from control_plane.model.backup.ids import FindingId, RecoveryPointId, RepositoryId
from control_plane.model.backup.points import Complete, Damaged, Held, PointCopy, Spoiled
from control_plane.model.backup.scrubbing import Found, Healed, Lost, ScrubFinding
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction


def found_damage(
    tx: Transaction,
    repository: RepositoryId,
    tenant: MunicipalityCode,
    now: datetime,
    *,
    key: str,
    what: str,
    points: Sequence[RecoveryPointId],
) -> ScrubFinding:
    """An object is not what it should be; `points` need it. Their copies there count as spoiled, and a
    point of which no other copy is whole as damaged. The same finding again is the same finding."""
    for known in tx.scrub_findings(tenant, repository=repository, open_only=True):
        if known.key == key:
            return known
    finding = tx.add_scrub_finding(
        ScrubFinding(
            FindingId(f"sf-{draw(12)}"),
            repository,
            tenant,
            key,
            what,
            now,
            Found(now),
            tuple(points),
        )
    )
    for id in points:
        point = tx.recovery_point(id)
        copies = tuple(
            PointCopy(repository, each.standing.spoil(now, what))
            if each.repository == repository and isinstance(each.standing, Held)
            else each
            for each in point.copies
        )
        standing = point.standing
        if isinstance(standing, Complete) and not any(each.whole for each in copies):
            standing = standing.damaged(now, what)
        tx.save_recovery_point(replace(point, copies=copies, standing=standing))
    tx.add_event(damage_found(finding, now))
    return finding


def healed_damage(
    tx: Transaction, id: FindingId, source: RepositoryId, now: datetime
) -> ScrubFinding:
    """The object is whole again, from `source`. Copies come back to what they were once nothing of theirs
    is found damaged any more."""
    finding = _finding(tx, id)
    if not isinstance(finding.standing, Found | Lost):
        raise StepRefused(f"finding {id} is {finding.standing}")
    healed = tx.save_scrub_finding(replace(finding, standing=finding.standing.heal(now, source)))
    still = {
        point
        for other in tx.scrub_findings(
            finding.tenant, repository=finding.repository, open_only=True
        )
        for point in other.points
    }
    for point_id in set(finding.points) - still:
        point = tx.recovery_point(point_id)
        copies = tuple(
            PointCopy(each.repository, each.standing.heal())
            if each.repository == finding.repository and isinstance(each.standing, Spoiled)
            else each
            for each in point.copies
        )
        standing = point.standing
        if isinstance(standing, Damaged) and any(each.whole for each in copies):
            standing = standing.healed()
        tx.save_recovery_point(replace(point, copies=copies, standing=standing))
    tx.add_event(damage_healed(healed, source, now))
    return healed


def lost_for_now(
    tx: Transaction, id: FindingId, now: datetime, *, stray: bool = False
) -> ScrubFinding:
    """No other repository has it whole; or it is `stray`, which none can have. Told once."""
    finding = _finding(tx, id)
    if not isinstance(finding.standing, Found):
        return finding
    lost = tx.save_scrub_finding(replace(finding, standing=finding.standing.lose(now)))
    tx.add_event(stray_found(lost, now) if stray else damage_lost(lost, now))
    return lost


def _finding(tx: Transaction, id: FindingId) -> ScrubFinding:
    found = next((each for each in tx.scrub_findings() if each.id == id), None)
    if found is None or isinstance(found.standing, Healed):
        raise StepRefused(f"finding {id} is not open")
    return found
