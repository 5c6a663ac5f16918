"""Real data centres, each started once for all who want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ceph import Ceph, NoCeph, running_ceph


def _running() -> Iterator[Ceph]:
    try:
        running = running_ceph()
        with running as data_centre:
            yield data_centre
    except NoCeph as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def ceph() -> Iterator[Ceph]:
    """A data centre; for tests that carry `hypervisor`. Whoever kills it starts it again."""
    yield from _running()


@pytest.fixture(scope="package")
def second_ceph() -> Iterator[Ceph]:
    """Another, far from the first."""
    yield from _running()
