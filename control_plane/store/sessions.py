"""Sessions, of which only a digest is kept, and only until they end."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Row

from control_plane.model.access import Session
from control_plane.store.rows import Rows
from control_plane.store.session_tables import sessions


class SessionReads(Rows):
    def session(self, id: str) -> Session | None:
        """None for one that never was or was ended; whether it is over is the caller's to see."""
        row = self._first(select(sessions).where(sessions.c.id == id))
        return None if row is None else _session(row)


class SessionWrites(SessionReads):
    def add_session(self, session: Session) -> None:
        """Those that are over by its beginning go, a few at a time."""
        over = (
            select(sessions.c.id)
            .where(sessions.c.expires_at <= session.begun_at)
            .order_by(sessions.c.expires_at)
            .limit(20)
        )
        self._connection.execute(delete(sessions).where(sessions.c.id.in_(over)))
        self._connection.execute(
            insert(sessions).values(
                id=session.id,
                hash=session.hash,
                whose=session.whose,
                of_user=session.of_user,
                begun_at=session.begun_at,
                expires_at=session.expires_at,
                scoped=session.scoped,
                methods=" ".join(session.methods),
            )
        )

    def end_session(self, id: str) -> bool:
        """Whether there was one."""
        gone = delete(sessions).where(sessions.c.id == id).returning(sessions.c.id)
        return self._first(gone) is not None


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(
        row.id,
        row.hash,
        row.whose,
        row.of_user,
        row.begun_at,
        row.expires_at,
        row.scoped,
        tuple(row.methods.split()),
    )
