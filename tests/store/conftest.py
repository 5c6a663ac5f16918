"""Every test that asks for `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from control_plane.store import Store

DATABASES = [
    pytest.param("sqlite", id="SQLite"),
    pytest.param("postgresql", id="PostgreSQL", marks=pytest.mark.postgresql),
]


@pytest.fixture(params=DATABASES)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Names a database that nobody has opened yet."""
    if request.param == "postgresql":
        url: Callable[[], str] = request.getfixturevalue("postgresql").url
        return url
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/state-{next(numbers)}.db"


@pytest.fixture
def store(new_url: Callable[[], str]) -> Iterator[Store]:
    opened = Store.open(new_url())
    yield opened
    opened.close()


@pytest.fixture
def open_store() -> Iterator[Callable[[str], Store]]:
    """Opens stores that are closed when the test ends."""
    with ExitStack() as stack:

        def open_and_remember(url: str) -> Store:
            opened = Store.open(url)
            stack.callback(opened.close)
            return opened

        yield open_and_remember


@pytest.fixture
def postgresql_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """For tests whose transactions overlap, which SQLite's writers never do."""
    opened = Store.open(request.getfixturevalue("postgresql").url())
    yield opened
    opened.close()
