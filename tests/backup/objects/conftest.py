"""Real data centres, each started once for all who want one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ceph import Ceph, NoCeph, running_ceph


@pytest.fixture(scope="session")
def ceph() -> Iterator[Ceph]:
    try:
        running = running_ceph()
        with running as data_centre:
            yield data_centre
    except NoCeph as error:
        pytest.skip(str(error))
