"""Answers already given, so that a request repeated with its key is answered and not done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from control_plane.store import tables
from control_plane.store.rows import Rows


@dataclass(frozen=True, slots=True)
class IdempotentAnswer:
    """What `principal` was answered under `key`. `fingerprint` is a digest of the request, so that
    the same key with another request is known; `status` and `body` are the HTTP answer."""

    key: str
    principal: str
    fingerprint: str
    status: int
    body: Mapping[str, object] | None
    at: datetime


class IdempotencyReads(Rows):
    def find_idempotent(self, key: str, principal: str) -> IdempotentAnswer | None:
        answers = tables.idempotent_answers
        row = self._first(
            select(answers).where(answers.c.principal == principal, answers.c.key == key)
        )
        if row is None:
            return None
        return IdempotentAnswer(
            row.key, row.principal, row.fingerprint, row.status, row.body, row.at
        )


class IdempotencyWrites(IdempotencyReads):
    def put_idempotent(self, answer: IdempotentAnswer) -> None:
        """Raises LostRace when the key was answered meanwhile: look again."""
        self._connection.execute(
            insert(tables.idempotent_answers).values(
                principal=answer.principal,
                key=answer.key,
                fingerprint=answer.fingerprint,
                status=answer.status,
                body=None if answer.body is None else dict(answer.body),
                at=answer.at,
            )
        )

    def forget_idempotent(self, before: datetime) -> int:
        """Drop answers given before that time; says how many."""
        answers = tables.idempotent_answers
        return self._connection.execute(delete(answers).where(answers.c.at < before)).rowcount
