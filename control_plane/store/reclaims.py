"""Lent room that is asked back, with what its borrowers were told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.allotment import Capacity
from control_plane.model.ids import Generation, ReclaimId, RegionId, ServerId
from control_plane.model.reclaim import Notice, Reclaim, ReclaimState
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import MiB, VCpu
from control_plane.store.failures import LostRace
from control_plane.store.reclaim_tables import reclaim_notices, reclaims
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.statements import chosen

_NEWEST_FIRST = select(reclaims).order_by(reclaims.c.asked_at.desc(), reclaims.c.id)
_OPEN = _NEWEST_FIRST.where(
    reclaims.c.state.in_(sorted(state.value for state in ReclaimState if state.open))
)


class ReclaimReads(Rows):
    def reclaims(
        self,
        tenant: TenantName | None = None,
        region: RegionId | None = None,
        *,
        open_only: bool = False,
    ) -> tuple[Reclaim, ...]:
        """The newest first; with `tenant`, those of which it had a notice."""
        query, values = chosen(
            _OPEN if open_only else _NEWEST_FIRST, {reclaims.c.region_id: region}
        )
        if tenant is not None:
            query = query.where(_noticed(tenant))
        return self._reclaims(query, values)

    def reclaim(self, id: ReclaimId, tenant: TenantName | None = None) -> Reclaim:
        """With `tenant`, one of which it had no notice is not found."""
        query, values = chosen(_NEWEST_FIRST, {reclaims.c.id: id})
        if tenant is not None:
            query = query.where(_noticed(tenant))
        found = self._reclaims(query, values)
        if not found:
            raise not_found("reclaim", id)
        return found[0]

    def _reclaims(self, query: Select[Any], values: Mapping[str, object]) -> tuple[Reclaim, ...]:
        rows = self._connection.execute(query, values).all()
        notices: defaultdict[str, list[Notice]] = defaultdict(list)
        if rows:
            of = reclaim_notices.c.reclaim_id.in_([row.id for row in rows])
            for row in self._connection.execute(
                select(reclaim_notices).where(of).order_by(reclaim_notices.c.tenant)
            ):
                notices[row.reclaim_id].append(_notice(row))
        return tuple(_reclaim(row, notices[row.id]) for row in rows)


class ReclaimWrites(ReclaimReads):
    def add_reclaim(self, reclaim: Reclaim) -> Reclaim:
        self._connection.execute(
            insert(reclaims).values(
                id=reclaim.id,
                region_id=reclaim.region,
                vcpu=reclaim.asked.vcpu,
                memory_mib=reclaim.asked.memory,
                beneficiary=None if reclaim.beneficiary is None else reclaim.beneficiary.text,
                asked_by=reclaim.asked_by,
                asked_at=reclaim.asked_at,
                ends_at=reclaim.ends_at,
                word=reclaim.word,
                generation=reclaim.generation,
                **_standing(reclaim),
            )
        )
        if reclaim.notices:
            self._connection.execute(
                insert(reclaim_notices),
                [
                    {
                        "reclaim_id": reclaim.id,
                        "tenant": one.tenant.text,
                        "vcpu": one.due.vcpu,
                        "memory_mib": one.due.memory,
                        "most_vcpu": one.most.vcpu,
                        "most_memory_mib": one.most.memory,
                        "servers": list(one.servers),
                    }
                    for one in reclaim.notices
                ],
            )
        return reclaim

    def save_reclaim(self, reclaim: Reclaim) -> Reclaim:
        """Write how far it is, guarded by its generation. Raises LostRace."""
        written = self._connection.execute(
            update(reclaims)
            .where(reclaims.c.id == reclaim.id, reclaims.c.generation == reclaim.generation)
            .values(generation=reclaim.generation + 1, **_standing(reclaim))
        )
        if written.rowcount == 0:
            raise LostRace(f"reclaim {reclaim.id}")
        return replace(reclaim, generation=Generation(reclaim.generation + 1))


def _noticed(tenant: TenantName) -> ColumnElement[bool]:
    told = select(reclaim_notices.c.reclaim_id).where(reclaim_notices.c.tenant == str(tenant))
    return reclaims.c.id.in_(told)


def _standing(reclaim: Reclaim) -> dict[str, Any]:
    return {
        "state": reclaim.state.value,
        "shelved": list(reclaim.shelved),
        "ended_at": reclaim.ended_at,
    }


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        MunicipalityCode(row.tenant),
        Capacity(VCpu(row.vcpu), MiB(row.memory_mib)),
        Capacity(VCpu(row.most_vcpu), MiB(row.most_memory_mib)),
        tuple(map(ServerId, row.servers)),
    )


def _reclaim(row: Row[Any], notices: Sequence[Notice]) -> Reclaim:
    return Reclaim(
        id=ReclaimId(row.id),
        region=RegionId(row.region_id),
        asked=Capacity(VCpu(row.vcpu), MiB(row.memory_mib)),
        beneficiary=None if row.beneficiary is None else MunicipalityCode(row.beneficiary),
        notices=tuple(notices),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        ends_at=row.ends_at,
        state=ReclaimState(row.state),
        word=row.word,
        shelved=tuple(map(ServerId, row.shelved)),
        ended_at=row.ended_at,
        generation=Generation(row.generation),
    )
