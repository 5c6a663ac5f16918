"""What a statement is and reads like in SQL, worked out once by a process for all databases of one kind.

SQLAlchemy keeps that per engine, and to work it out takes many times as long as to run most of ours.
It depends on the kind of the database and on its version, and on nothing else that tells one of our
engines from another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam
from sqlalchemy.util import LRUCache

_MOST = 1000


class Statements(LRUCache[Any, Any]):
    """For `compiled_cache`, whose keys begin with the engine's own dialect."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_alike(key), default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_alike(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_alike(key), value)


@cache
def statements() -> Statements:
    return Statements(_MOST)


def _alike(key: Any) -> Any:
    dialect, *rest = key
    return type(dialect), dialect.server_version_info, *rest


def chosen(
    base: Select[Any],
    alike: Mapping[ColumnElement[Any], object | None],
    *,
    behind: tuple[ColumnElement[Any], object | None] | None = None,
    most: int | None = None,
) -> tuple[Select[Any], dict[str, object]]:
    """`base`, itself made once, where the columns are what they are given to be, as far as they are
    given anything; with `behind`, where that column is beyond a value; no more than `most` rows.
    Answers the statement, made once too, and the values of its parameters: to put one together takes
    longer than to run it."""
    given = {column: value for column, value in alike.items() if value is not None}
    values: dict[str, object] = {f"chosen_{column.name}": value for column, value in given.items()}
    after = None
    if behind is not None and behind[1] is not None:
        after, values["chosen_behind"] = behind
    if most is not None:
        values["chosen_most"] = most
    return _choosing(base, tuple(given), after, most is not None), values


@lru_cache(_MOST)
def _choosing(
    base: Select[Any],
    alike: tuple[ColumnElement[Any], ...],
    after: ColumnElement[Any] | None,
    limited: bool,
) -> Select[Any]:
    query = base.where(*(column == bindparam(f"chosen_{column.name}") for column in alike))
    if after is not None:
        query = query.where(after > bindparam("chosen_behind"))
    return query.limit(bindparam("chosen_most")) if limited else query
