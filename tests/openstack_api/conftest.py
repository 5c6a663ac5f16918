"""One cloud for a module's tests; names in it are each test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.conftest import Prepared, prepared
from tests.openstack_api.cloud import Cloud, running_cloud

__all__ = ["prepared"]


@pytest.fixture(scope="module")
def cloud(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(prepared, tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
