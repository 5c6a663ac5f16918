"""What happened, in order: events, and how far people were told of them.

A reader that has seen number n must never miss a smaller one that appears later. PostgreSQL hands
numbers out before their transactions commit, so writers of the journal take turns: from its first
entry until its end, a transaction holds the journal's lock. Write to it last. A transaction that is
undone leaves a hole in the numbers, and nothing ever fills it.

A member's events have numbers of their own besides, without holes: from those of all, members would
read how much goes on at others'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.operation import Event, Severity
from control_plane.store import tables
from control_plane.store.rows import Rows, TenantName

# "yui" and "journal" in figures of ours; advisory locks are told apart by number alone.
JOURNAL_LOCK = 0x797569_01


class JournalReads(Rows):
    def events(
        self,
        after: int,
        limit: int,
        tenant: TenantName | None = None,
        *,
        before: int | None = None,
        newest: bool = False,
        about: TenantName | None = None,
        severities: Sequence[Severity] = (),
    ) -> tuple[Event, ...]:
        """At most `limit` events numbered above `after` and below `before`, oldest first; with
        `newest` the last ones of them rather than the first. With `tenant`, that member's alone, by the
        member's own numbers. `about` chooses a member's by the numbers of all, `severities` those of
        them."""
        only = (tenant, before, about)
        if only == (None, None, None) and not newest and not severities:
            rows = self._connection.execute(_FOLLOWING, {"after": after, "most": limit})
            return tuple(_event(row, row.sequence) for row in rows)
        events = tables.events.c
        number = events.sequence if tenant is None else events.tenant_sequence
        query = select(tables.events).where(number > after).limit(limit)
        if before is not None:
            query = query.where(number < before)
        for member in (tenant, about):
            if member is not None:
                query = query.where(events.tenant == str(member))
        if severities:
            query = query.where(events.severity.in_([each.value for each in severities]))
        query = query.order_by(number.desc() if newest else number)
        found = tuple(
            _event(row, row.sequence if tenant is None else row.tenant_sequence)
            for row in self._connection.execute(query)
        )
        return found[::-1] if newest else found

    def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._connection.scalar(_NEWEST) or 0

    def announced(self) -> Mapping[str, int]:
        """The last event that each notifier has told people, by the notifier's name."""
        rows = self._connection.execute(_ANNOUNCED)
        return {row.notifier: row.sequence for row in rows}


class JournalWrites(JournalReads):
    def add_event(self, event: Event) -> Event:
        """Answers the event with its number."""
        self._hold_journal()
        sequence = self._connection.execute(_ADDING_ONE, _values_of(event)).scalar_one()
        return replace(event, sequence=sequence)

    def add_events(self, events: Sequence[Event]) -> None:
        """`add_event` for many at once, in their order."""
        if events:
            self._hold_journal()
            self._connection.execute(_ADDING, [_values_of(e) for e in events])

    def set_announced(self, notifier: str, sequence: int) -> None:
        """That notifier has told people of everything up to the event of that number."""
        told = {"by": notifier, "upto": sequence}
        if not self._connection.execute(_TOLD, told).rowcount:
            self._connection.execute(_FIRST_TOLD, told)

    def _hold_journal(self) -> None:
        if self._on_postgresql:
            self._connection.execute(select(func.pg_advisory_xact_lock(JOURNAL_LOCK)))


# Made once: what has happened is asked for all the time.
_ANNOUNCED = select(tables.announced)
_TOLD = (
    update(tables.announced)
    .where(tables.announced.c.notifier == bindparam("by"))
    .values(sequence=bindparam("upto"))
)
_FIRST_TOLD = insert(tables.announced).values(notifier=bindparam("by"), sequence=bindparam("upto"))
_NEWEST = select(func.max(tables.events.c.sequence))
_FOLLOWING = (
    select(tables.events)
    .where(tables.events.c.sequence > bindparam("after"))
    .order_by(tables.events.c.sequence)
    .limit(bindparam("most"))
)
_before = tables.events.alias("those_before")
_ADDING = insert(tables.events).values(
    # Writers take turns, so nobody counts the same twice.
    tenant_sequence=select(
        case((bindparam("of") != "", func.coalesce(func.max(_before.c.tenant_sequence), 0) + 1))
    )
    .where(_before.c.tenant == bindparam("of"))
    .scalar_subquery()
)
_ADDING_ONE = _ADDING.returning(tables.events.c.sequence)


def _values_of(event: Event) -> dict[str, Any]:
    return {
        "of": event.tenant or "",
        "kind": event.kind,
        "subject": event.subject,
        "at": event.at,
        "severity": event.severity.value,
        "en": event.en,
        "ja": event.ja,
        "tenant": event.tenant,
        "fields": None if event.fields is None else dict(event.fields),
        "member_en": event.member_en,
        "member_ja": event.member_ja,
    }


def _event(row: Row[tuple[object, ...]], number: int) -> Event:
    return Event(
        row.kind,
        row.subject,
        row.at,
        Severity(row.severity),
        row.en,
        row.ja,
        row.tenant,
        row.fields,
        number,
        row.member_en,
        row.member_ja,
    )
