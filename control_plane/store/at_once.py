"""Reads many rows in one step, and makes what they mean anew only where they have changed.

Python's SQLite module lets the other threads run at each row that it fetches, and then waits until one
of them lets it go on: in a busy process a long table takes many times what it takes alone. So SQLite
makes one text of all rows, which is fetched once. And of some thousand rows that are read again for
each decision, few have changed since the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar, cast

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    func,
    select,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

from control_plane.store.columns import UtcTime

T = TypeVar("T")

PlainRow = tuple[Any, ...]
"""A row as it is kept, JSON as its text; equal rows mean the same."""

_KEPT = 100


class Meanings:
    """What was made of rows that were read before. One for a store; for values that never change."""

    def __init__(self) -> None:
        self._known: dict[str, dict[PlainRow, Any]] = {}

    def of(self, kind: str, rows: Sequence[PlainRow], make: Callable[[PlainRow], T]) -> Sequence[T]:
        """What `make` makes of each of `rows`. They are all that there are of their kind: what was made
        of others is forgotten. `make` depends on the row alone."""
        known = self._known.get(kind, {})
        now: dict[PlainRow, T] = {}
        for row in rows:
            meaning = known.get(row)
            now[row] = make(row) if meaning is None else meaning
        # Threads that read at once each leave a whole set; either is as good.
        self._known[kind] = now
        return [now[row] for row in rows]


def rows_at_once(
    connection: Connection, query: Select[Any], **values: object
) -> Sequence[PlainRow]:
    """What `query` finds with the `values` of its parameters, in its order. Its columns hold texts,
    whole numbers, booleans, times, JSON. Make `query` once: what is made of it is kept for the next
    time."""
    if connection.dialect.name != "sqlite":
        return cast(Sequence[PlainRow], connection.execute(_with_texts(query), values).all())
    found = connection.execute(_as_one_text(query), values).scalar_one()
    return [tuple(row) for row in orjson.loads(f"[{found or ''}]")]


@lru_cache(_KEPT)
def _with_texts(query: Select[Any]) -> Select[Any]:
    return query.with_only_columns(*(_as_text(each) for each in query.selected_columns))


@lru_cache(_KEPT)
def _as_one_text(query: Select[Any]) -> Select[Any]:
    # As texts: what a JSON column holds stays one. The subquery has a single column, since each that it
    # has takes its time to be made.
    row = func.json_array(*(type_coerce(c, Text) for c in query.selected_columns)).label("row")
    rows = query.with_only_columns(row).subquery()
    return select(func.group_concat(rows.c.row, ","))


def named(query: Select[Any], row: PlainRow) -> Row[Any]:
    """One of the rows that `rows_at_once` found with that query, with its columns' names and types."""
    columns, names = _described(query)
    values = tuple(
        None if value is None else _read(column, value)
        for column, value in zip(columns, row, strict=True)
    )
    found: IteratorResult[Any] = IteratorResult(names, iter([values]))
    return found.one()


@lru_cache(_KEPT)
def _described(query: Select[Any]) -> tuple[Sequence[ColumnElement[Any]], SimpleResultMetaData]:
    columns = list(query.selected_columns)
    return columns, SimpleResultMetaData([column.name for column in columns])


def _as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, JSON):
        return sql_cast(column, Text).label(column.name)
    return column


def _read(column: ColumnElement[Any], value: Any) -> Any:
    if isinstance(column.type, JSON):
        return orjson.loads(value)
    if isinstance(column.type, Boolean):
        return bool(value)
    if isinstance(column.type, UtcTime) and isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value
