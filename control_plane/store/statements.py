"""What a statement reads like in SQL, worked out once by a process for all databases of one kind.

SQLAlchemy keeps that per engine, and to work it out takes many times as long as to run most of ours.
It depends on the kind of the database and on its version, and on nothing else that tells one of our
engines from another.
"""

from __future__ import annotations

from functools import cache
from typing import Any

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
