"""Declared disasters, how far repositories were scrubbed, and of which shortfalls people were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.backup.declaration import DisasterDeclaration, Revoked
from control_plane.model.backup.ids import (
    DeclarationId,
    FindingId,
    RecoveryPointId,
    RepositoryId,
)
from control_plane.model.backup.scrubbing import FindingStanding, ScrubFinding, ScrubState
from control_plane.model.ids import Generation, RegionId, SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.backup_tables import (
    disaster_declarations,
    scrub_findings,
    scrub_states,
    told_breaches,
)
from control_plane.store.documents import document_of, state_name, value_of
from control_plane.store.failures import LostRace
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.statements import chosen

ToldBreach = tuple[SystemId, str, str]
"""The system, what it falls short of, and the repository that is for, or ''."""


# Made once: the worker asks for these at each of its turns.
_declared = disaster_declarations.c
_DECLARED = select(disaster_declarations).order_by(_declared.declared_at, _declared.id)
_IN_FORCE = _DECLARED.where(_declared.revoked_at.is_(None))
_SCRUBBED = select(scrub_states).order_by(scrub_states.c.repository_id, scrub_states.c.tenant)
_FOUND = select(scrub_findings).order_by(scrub_findings.c.found_at, scrub_findings.c.id)
_UNHEALED = _FOUND.where(scrub_findings.c.state != "healed")
_TOLD = select(told_breaches)


class DisasterReads(Rows):
    def disasters(self, *, in_force: bool = False) -> tuple[DisasterDeclaration, ...]:
        """The oldest first."""
        found = self._connection.execute(_IN_FORCE if in_force else _DECLARED)
        return tuple(_disaster(row) for row in found)

    def disaster(self, id: DeclarationId) -> DisasterDeclaration:
        row = self._row(disaster_declarations, id)
        if row is None:
            raise not_found("disaster", id)
        return _disaster(row)

    def scrub_states(self) -> tuple[ScrubState, ...]:
        """By repository and member."""
        return tuple(_scrub(row) for row in self._connection.execute(_SCRUBBED))

    def scrub_findings(
        self,
        tenant: TenantName | None = None,
        *,
        repository: RepositoryId | None = None,
        open_only: bool = False,
    ) -> tuple[ScrubFinding, ...]:
        """The oldest first; `open_only` those that nothing has healed."""
        findings = scrub_findings.c
        member = None if tenant is None else str(tenant)
        query, values = chosen(
            _UNHEALED if open_only else _FOUND,
            {findings.tenant: member, findings.repository_id: repository},
        )
        return tuple(_finding(row) for row in self._connection.execute(query, values))

    def told_breaches(self) -> Mapping[ToldBreach, datetime]:
        """Since when each is so, of those that were told and are not over."""
        rows = self._connection.execute(_TOLD)
        return {(SystemId(r.system_id), r.what, r.repository_id): r.since for r in rows}


class DisasterWrites(DisasterReads):
    def add_disaster(self, declared: DisasterDeclaration) -> DisasterDeclaration:
        self._connection.execute(
            insert(disaster_declarations).values(
                id=declared.id,
                around=declared.around,
                before_seconds=int(declared.before.total_seconds()),
                after_seconds=int(declared.after.total_seconds()),
                reason=declared.reason,
                declared_by=declared.declared_by,
                declared_at=declared.declared_at,
                region_id=declared.region,
                tenants=sorted(each.text for each in declared.tenants),
                generation=1,
            )
        )
        return replace(declared, generation=Generation(1))

    def save_disaster(self, declared: DisasterDeclaration) -> DisasterDeclaration:
        """Whether it is revoked. Raises LostRace."""
        table, revoked = disaster_declarations, declared.revoked
        written = self._connection.execute(
            update(table)
            .where(table.c.id == declared.id, table.c.generation == declared.generation)
            .values(
                generation=declared.generation + 1,
                revoked_at=None if revoked is None else revoked.at,
                revoked_by=None if revoked is None else revoked.by,
                revoked_reason=None if revoked is None else revoked.reason,
            )
        )
        if not written.rowcount:
            raise LostRace(f"disaster {declared.id}")
        return replace(declared, generation=Generation(declared.generation + 1))

    def put_scrub_state(self, scrub: ScrubState) -> None:
        table = scrub_states
        self._connection.execute(
            delete(table).where(
                table.c.repository_id == scrub.repository, table.c.tenant == scrub.tenant.text
            )
        )
        self._connection.execute(
            insert(table).values(
                repository_id=scrub.repository,
                tenant=scrub.tenant.text,
                began_at=scrub.began_at,
                cursor=scrub.cursor,
                read_bytes=scrub.read_bytes,
                passes=scrub.passes,
                passed_at=scrub.passed_at,
            )
        )

    def add_scrub_finding(self, finding: ScrubFinding) -> ScrubFinding:
        self._connection.execute(
            insert(scrub_findings).values(
                id=finding.id,
                repository_id=finding.repository,
                tenant=finding.tenant.text,
                key=finding.key,
                what=finding.what,
                found_at=finding.found_at,
                points=list(finding.points),
                generation=1,
                state=state_name(finding.standing),
                standing=document_of(finding.standing),
            )
        )
        return replace(finding, generation=Generation(1))

    def save_scrub_finding(self, finding: ScrubFinding) -> ScrubFinding:
        """Raises LostRace."""
        table = scrub_findings
        written = self._connection.execute(
            update(table)
            .where(table.c.id == finding.id, table.c.generation == finding.generation)
            .values(
                generation=finding.generation + 1,
                state=state_name(finding.standing),
                standing=document_of(finding.standing),
                points=list(finding.points),
            )
        )
        if not written.rowcount:
            raise LostRace(f"scrub finding {finding.id}")
        return replace(finding, generation=Generation(finding.generation + 1))

    def set_told_breaches(self, told: Mapping[ToldBreach, datetime]) -> None:
        """In the place of all that were told before."""
        self._connection.execute(delete(told_breaches))
        if told:
            self._connection.execute(
                insert(told_breaches),
                [
                    {"system_id": system, "what": what, "repository_id": where, "since": since}
                    for (system, what, where), since in told.items()
                ],
            )


def _disaster(row: Row[Any]) -> DisasterDeclaration:
    return DisasterDeclaration(
        id=DeclarationId(row.id),
        around=row.around,
        before=timedelta(seconds=row.before_seconds),
        after=timedelta(seconds=row.after_seconds),
        reason=row.reason,
        declared_by=row.declared_by,
        declared_at=row.declared_at,
        region=None if row.region_id is None else RegionId(row.region_id),
        tenants=frozenset(map(MunicipalityCode, row.tenants)),
        revoked=None
        if row.revoked_at is None
        else Revoked(row.revoked_at, row.revoked_by, row.revoked_reason),
        generation=Generation(row.generation),
    )


def _scrub(row: Row[Any]) -> ScrubState:
    return ScrubState(
        RepositoryId(row.repository_id),
        MunicipalityCode(row.tenant),
        row.began_at,
        row.cursor,
        row.read_bytes,
        row.passes,
        row.passed_at,
    )


def _finding(row: Row[Any]) -> ScrubFinding:
    standing: FindingStanding = value_of(FindingStanding, row.standing)
    return ScrubFinding(
        id=FindingId(row.id),
        repository=RepositoryId(row.repository_id),
        tenant=MunicipalityCode(row.tenant),
        key=row.key,
        what=row.what,
        found_at=row.found_at,
        standing=standing,
        points=tuple(map(RecoveryPointId, row.points)),
        generation=Generation(row.generation),
    )
