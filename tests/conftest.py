"""What every folder of tests shares."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.postgresql import NoPostgreSQL, PostgreSQL, running_postgresql


def pytest_collection_finish() -> None:
    """What has been loaded by now stays to the end: no search for garbage needs to look through it
    again, and no child process copies it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster of our own: `postgresql.url()` is a new, empty database in it."""
    try:
        running = running_postgresql()
        with running as cluster:
            yield cluster
    except NoPostgreSQL as error:
        pytest.skip(str(error))
