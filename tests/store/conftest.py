"""Every test that asks for `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from control_plane.store import Store
from control_plane.store.tables import metadata
from tests.postgresql import PostgreSQL

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


# To make tables takes ten times as long as to empty or copy them, so most tests share what is made
# once; each still finds a state of its own that is new to it.
@pytest.fixture(scope="session")
def emptied(postgresql: PostgreSQL) -> Iterator[Callable[[], str]]:
    """Empties one PostgreSQL database and names it."""
    url = postgresql.url()
    Store.open(url).close()
    engine = create_engine(url)
    every = ";".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))  # noqa: S608

    def empty() -> str:
        with engine.begin() as connection:
            connection.exec_driver_sql(every)
        return url

    yield empty
    engine.dispose()


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all its tables and nothing in them; copy it."""
    file = tmp_path_factory.mktemp("state") / "new.db"
    Store.open(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def postgresql_url(emptied: Callable[[], str]) -> str:
    return emptied()


@pytest.fixture
def postgresql_store(postgresql_url: str) -> Iterator[Store]:
    """For tests whose transactions overlap, which SQLite's writers never do."""
    opened = Store.open(postgresql_url)
    yield opened
    opened.close()


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path, new_file: Path) -> Iterator[Store]:
    if request.param == "postgresql":
        yield request.getfixturevalue("postgresql_store")
        return
    file = shutil.copy(new_file, tmp_path / "state.db")
    opened = Store.open(f"sqlite:///{file}")
    yield opened
    opened.close()
