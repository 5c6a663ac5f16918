"""Fence evidence, kept for good, and the words of operators that wait to be acted on."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod, FenceWord
from control_plane.model.ids import HostId
from control_plane.store import tables
from control_plane.store.rows import Rows

_WAITING = select(tables.fence_words).order_by(
    tables.fence_words.c.at, tables.fence_words.c.host_id
)


class FenceReads(Rows):
    def fences(self, host: HostId | None = None) -> tuple[FenceEvidence, ...]:
        """All evidence that ever was, oldest first."""
        query = select(tables.fences).order_by(tables.fences.c.sequence)
        if host is not None:
            query = query.where(tables.fences.c.host_id == host)
        return tuple(
            FenceEvidence(HostId(row.host_id), FenceKind(row.kind), row.at, row.by, row.detail)
            for row in self._connection.execute(query)
        )

    def fence_words(self) -> tuple[FenceWord, ...]:
        """What operators have asked for or stated and nobody has acted on yet, oldest first."""
        return tuple(
            FenceWord(HostId(row.host_id), row.by, row.statement, FenceMethod(row.method), row.at)
            for row in self._connection.execute(_WAITING)
        )


class FenceWrites(FenceReads):
    def add_fence(self, evidence: FenceEvidence) -> None:
        """Keep the evidence for good; the same evidence twice is kept once."""
        fences = tables.fences
        same = (
            (fences.c.host_id == evidence.host)
            & (fences.c.kind == evidence.kind.value)
            & (fences.c.at == evidence.at)
            & (fences.c.by == evidence.by)
        )
        if self._first(select(fences.c.sequence).where(same)) is None:
            self._connection.execute(
                insert(fences).values(
                    host_id=evidence.host,
                    kind=evidence.kind.value,
                    at=evidence.at,
                    by=evidence.by,
                    detail=evidence.detail,
                )
            )

    def add_fence_word(self, word: FenceWord) -> None:
        """One word waits per host: the newest takes the place of the one before. Raises
        `host-not-found`."""
        self._need("host", tables.hosts, word.host)
        self.remove_fence_word(word.host)
        self._connection.execute(
            insert(tables.fence_words).values(
                host_id=word.host,
                by=word.by,
                statement=word.statement,
                method=word.method.value,
                at=word.at,
            )
        )

    def remove_fence_word(self, host: HostId) -> None:
        """It has been acted on, or no longer holds; no word waiting is fine too."""
        self._connection.execute(
            delete(tables.fence_words).where(tables.fence_words.c.host_id == host)
        )
