"""The audit trail: entries in chains of hashes, the heads that were signed, and the keys that signed.

Only `write_entries` writes entries, at the very end of the transaction whose doing they tell. It holds
the trail's lock from there to the commit, and reads the chains' ends after it has the lock: on
PostgreSQL over a connection of its own, since a transaction's snapshot may be older than the end. (A
row per chain, locked FOR UPDATE, would make every two mutations that overlap lose their race.) So
there is one order of all entries, without a gap and without a fork.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    Select,
    String,
    Text,
    and_,
    bindparam,
    cast,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy.engine import Row

from control_plane.model.access import AuditEntry, Role
from control_plane.model.audit_chain import (
    ALL,
    START,
    AuditHead,
    AuditKey,
    AuditRecord,
    apart,
    chain_of,
    document_of,
    entry_hash,
    hardware_hash,
    link_hash,
    time_text,
)
from control_plane.store import tables
from control_plane.store.at_once import Meanings
from control_plane.store.rows import Rows
from control_plane.store.statements import chosen

# "yui" and "audit" in figures of ours; advisory locks are told apart by number alone.
AUDIT_LOCK = 0x797569_03

_NO_ROLE = "none"
# Whatever is put into a column of SQLite that is no number counts as greater than all numbers.
_NUMBERED = tables.audit_entries.c.position < 2**62
_ADDING = insert(tables.audit_entries)
_KEPT = 20


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a chain stands: 0 and START before its first entry."""

    position: int = 0
    hash: str = START


class AuditReads(Rows):
    def audit(
        self,
        after: int,
        limit: int,
        chain: str = ALL,
        *,
        before: int | None = None,
        newest: bool = False,
    ) -> tuple[AuditEntry, ...]:
        """`audit_records` as entries, for those who want to know what was done."""
        found = self.audit_records(after, limit, chain, before=before, newest=newest)
        return tuple(_entry(record) for record in found)

    def audit_records(
        self,
        after: int,
        limit: int,
        chain: str = ALL,
        *,
        before: int | None = None,
        newest: bool = False,
    ) -> tuple[AuditRecord, ...]:
        """At most `limit` entries of a chain behind place `after` and before `before`, oldest first;
        with `newest` the last ones of them rather than the first. Places are `sequence` in the chain
        over all, and `position` in another. They are read as they stand, so that one that somebody
        spoiled is shown rather than stumbled over."""
        table = tables.audit_entries
        place = table.c.sequence if chain == ALL else table.c.position
        query, values = chosen(
            _in_order(self._on_postgresql, place, newest),
            {table.c.chain: None if chain == ALL else chain},
            behind=(place, after),
            most=limit,
        )
        if before is not None:
            query = query.where(place < before)
        found = tuple(_record(row) for row in self._connection.execute(query, values))
        return found[::-1] if newest else found

    def audit_end(self, chain: str) -> ChainEnd:
        """Where the chain stands."""
        return _ends(self._connection, [chain])[chain]

    def audit_ends(self, of: str = ALL, until: int | None = None) -> Mapping[str, ChainEnd]:
        """Where each chain that has entries stands, the one over all among them; or where `of` alone
        does. With `until`, where they stood at that place of `of`."""
        table = tables.audit_entries
        place = table.c.sequence if of == ALL else table.c.position
        upto = [_NUMBERED] if until is None else [_NUMBERED, place <= until]
        if of != ALL:
            upto.append(table.c.chain == of)
        last = select(table.c.chain, func.max(table.c.position).label("position"))
        ends = last.where(*upto).group_by(table.c.chain).subquery()
        same = and_(table.c.chain == ends.c.chain, table.c.position == ends.c.position)
        columns = (table.c.chain, table.c.position, table.c.hash, table.c.sequence, table.c.link)
        rows = self._connection.execute(select(*columns).join(ends, same)).all()
        found = {row.chain: ChainEnd(row.position, row.hash) for row in rows}
        if rows and of == ALL:
            newest = max(rows, key=lambda row: row.sequence)
            found[ALL] = ChainEnd(newest.sequence, newest.link)
        return found

    def audit_range(
        self, chain: str, since: datetime | None, until: datetime | None
    ) -> tuple[int, int]:
        """The place of the first entry that is no older than `since`, and of the last that is no newer
        than `until`; the last is smaller than the first where there is none."""
        table = tables.audit_entries
        place = table.c.sequence if chain == ALL else table.c.position
        own = [] if chain == ALL else [table.c.chain == chain]
        last = self._connection.scalar(
            select(func.max(place)).where(*own, *([] if until is None else [table.c.at <= until]))
        )
        first: int | None = 1
        if since is not None:
            first = self._connection.scalar(
                select(func.min(place)).where(*own, table.c.at >= since)
            )
        if first is None or last is None:
            end = self.audit_end(chain).position
            return end + 1, 0
        return first, last

    def audit_heads(self, chain: str = ALL, *, latest: bool = False) -> tuple[AuditHead, ...]:
        """The signed heads of a chain, by position; where it is the one over all, those of every chain.
        With `latest` the newest of each alone."""
        table = tables.audit_heads
        query = select(table).order_by(table.c.chain, table.c.position)
        if chain != ALL:
            query = query.where(table.c.chain == chain)
        heads = [AuditHead(**row._asdict()) for row in self._connection.execute(query)]
        return tuple({head.chain: head for head in heads}.values() if latest else heads)

    def audit_keys(self) -> tuple[AuditKey, ...]:
        """The public keys, in the order in which they were introduced."""
        table = tables.audit_keys
        columns = [column for column in table.c if column.name != "number"]
        rows = self._connection.execute(select(*columns).order_by(table.c.number))
        return tuple(AuditKey(**row._asdict()) for row in rows)


class AuditWrites(AuditReads):
    def __init__(
        self,
        connection: Connection,
        meanings: Meanings | None = None,
        aside: Engine | None = None,
    ) -> None:
        """`aside` gives connections that see what was committed last, where `connection` does not."""
        super().__init__(connection, meanings)
        self._aside = aside
        self._entries: list[AuditEntry] = []

    def add_audit(self, entry: AuditEntry) -> None:
        """The entry is written, and gets its place, as the transaction ends."""
        self._entries.append(entry)

    def add_audit_head(self, head: AuditHead) -> None:
        """Keeps a signed head. LostRace where one of that chain and place is there."""
        self._connection.execute(insert(tables.audit_heads).values(**asdict(head)))

    def add_audit_key(self, key: AuditKey) -> None:
        """Keeps a public key. LostRace where another was introduced at the same time."""
        number = len(self.audit_keys()) + 1
        self._connection.execute(insert(tables.audit_keys).values(number=number, **asdict(key)))

    def write_entries(self) -> None:
        """Chain and write what was added. Called once, by the Store, before it commits."""
        if not self._entries:
            return
        if self._on_postgresql:
            self._connection.execute(select(func.pg_advisory_xact_lock(AUDIT_LOCK)))
        names = sorted({chain_of(entry.tenant) for entry in self._entries})
        ends = self._latest_ends([ALL, *names])
        rows = []
        for entry in self._entries:
            chained = _chained(entry, ends)
            ends[ALL] = ChainEnd(chained.sequence, chained.link)
            ends[chain_of(entry.tenant)] = ChainEnd(chained.position, chained.hash)
            rows.append(_values_of(chained))
        self._connection.execute(_ADDING, rows)
        self._entries.clear()

    def _latest_ends(self, chains: Sequence[str]) -> dict[str, ChainEnd]:
        if self._aside is None:
            return _ends(self._connection, chains)
        with self._aside.connect() as connection:
            return _ends(connection, chains)


def _ends(connection: Connection, chains: Sequence[str]) -> dict[str, ChainEnd]:
    """Of all in one statement: whoever waits to write waits for it."""
    query = _ends_of(tuple(chain == ALL for chain in chains))
    named = {f"chain_{at}": chain for at, chain in enumerate(chains)}
    rows = connection.execute(query, named)
    found = {row.chain: ChainEnd(row.place, _sound_hash(row.hash)) for row in rows}
    return {chain: found.get(chain, ChainEnd()) for chain in chains}


@lru_cache(_KEPT)
def _ends_of(over_all: tuple[bool, ...]) -> CompoundSelect[Any]:
    """Of as many chains; true stands for the one over all."""
    table = tables.audit_entries
    each = []
    for at, of_all in enumerate(over_all):
        chain = bindparam(f"chain_{at}", type_=String)
        name = chain.label("chain")
        if of_all:
            own = select(name, table.c.sequence.label("place"), table.c.link.label("hash"))
            last = own.order_by(table.c.sequence.desc())
        else:
            own = select(name, table.c.position.label("place"), table.c.hash.label("hash"))
            own = own.where(table.c.chain == chain, _NUMBERED)
            last = own.order_by(table.c.position.desc())
        each.append(select(last.limit(1).subquery()))
    return union_all(*each)


@cache
def _in_order(on_postgresql: bool, place: ColumnElement[int], newest: bool) -> Select[Any]:
    return select(*_columns(on_postgresql)).order_by(place.desc() if newest else place)


def _sound_hash(stands: object) -> str:
    """Entries go on behind one whose hash somebody spoiled, and don't fit it: a check finds that."""
    text = str(stands)
    is_hash = len(text) == len(START) and set(text) <= set("0123456789abcdef")
    return text if is_hash else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _chained(entry: AuditEntry, ends: Mapping[str, ChainEnd]) -> AuditEntry:
    chain = chain_of(entry.tenant)
    before, all_before = ends[chain], ends[ALL]
    placed = replace(
        apart(entry, secrets.token_hex(16)),
        sequence=all_before.position + 1,
        position=before.position + 1,
    )
    hash = entry_hash(before.hash, document_of(placed))
    link = link_hash(all_before.hash, placed.sequence, chain, placed.position, hash)
    return replace(placed, hash=hash, link=link)


def _values_of(entry: AuditEntry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "chain": chain_of(entry.tenant),
        "position": entry.position,
        "at": entry.at,
        "principal": entry.principal,
        "role": _NO_ROLE if entry.role is None else entry.role.value,
        "tenant": entry.tenant,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "fields": entry.fields,
        "hardware": entry.hardware,
        "hash": entry.hash,
        "link": entry.link,
    }


def _columns(on_postgresql: bool) -> list[ColumnElement[Any]]:
    """Each as it stands: SQLite keeps times as text, and keeps any text that is put there."""
    table = tables.audit_entries
    as_text = {"fields", "hardware"} if on_postgresql else {"at", "fields", "hardware"}
    return [
        cast(column, Text).label(column.name) if column.name in as_text else column
        for column in table.c
    ]


def _record(row: Row[Any]) -> AuditRecord:
    hardware = _json(row.hardware)
    document = {
        "action": row.action,
        "at": _time(row.at),
        "chain": row.chain,
        "fields": _json(row.fields),
        "hardware": None if hardware is None else _hash_of(hardware),
        "outcome": row.outcome,
        "position": row.position,
        "principal": row.principal,
        "role": None if row.role == _NO_ROLE else row.role,
        "subject": row.subject,
        "tenant": row.tenant,
    }
    # SQLite also keeps bytes where text belongs.
    shown = {k: v.hex() if isinstance(v, bytes) else v for k, v in document.items()}
    return AuditRecord(shown, str(row.hash), row.sequence, str(row.link), hardware)


def _hash_of(hardware: Any) -> str:
    try:
        return hardware_hash(hardware)
    except ValueError:
        return "unreadable"


def _time(value: datetime | str) -> str:
    try:
        at = datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
    except ValueError:
        return str(value)
    return time_text(at)


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text


def _entry(record: AuditRecord) -> AuditEntry:
    said: Mapping[str, Any] = record.document
    return AuditEntry(
        at=datetime.fromisoformat(said["at"]),
        principal=said["principal"],
        role=None if said["role"] is None else Role(said["role"]),
        tenant=said["tenant"],
        action=said["action"],
        subject=said["subject"],
        outcome=said["outcome"],
        fields=said["fields"],
        sequence=record.sequence,
        hardware=record.hardware,
        position=record.position,
        hash=record.hash,
        link=record.link,
    )
