"""One cloud for all tests of Network; each leaves it with the networks and groups that it found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openstack.connection import Connection

from tests.api.conftest import Prepared
from tests.openstack_api.cloud import Cloud, running_cloud


@pytest.fixture(scope="package")
def cloud(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(prepared, tmp_path_factory.mktemp("networks")) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def town(cloud: Cloud) -> Iterator[Connection]:
    with cloud.connection() as connection:
        yield connection
