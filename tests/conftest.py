"""What every folder of tests shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql import NoPostgreSQL, PostgreSQL, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster of our own: `postgresql.url()` is a new, empty database in it."""
    try:
        running = running_postgresql()
        with running as cluster:
            yield cluster
    except NoPostgreSQL as error:
        pytest.skip(str(error))
