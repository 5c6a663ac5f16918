"""Two libvirt hosts on one storage, made once for the folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from control_plane.drivers.libvirt import LibvirtDriver
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import Image
from deploy.local import LocalPool
from images.build import build_tiny
from tests.drivers.libvirt.two_hosts import LibvirtHosts, empty_image
from tests.local.hosts import local_pool

KEPT = Path(__file__).parents[3] / "var" / "images"


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPool]:
    with local_pool(tmp_path_factory.mktemp("hosts") / "pool", accelerated=None) as running:
        yield running


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return empty_image(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def tiny() -> Image:
    try:
        built = build_tiny(KEPT)
    except YuiError as lacking:
        if lacking.type in {"program-missing", "package-unavailable"}:
            pytest.skip(lacking.en)
        raise
    return Image(
        ImageId("tiny"),
        built.name,
        built.version,
        built.format,
        built.sha256,
        built.size_bytes,
        built.virtual_size,
        str(built.path),
        built.provenance,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def hosts(
    pool: LocalPool, empty: Image, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[LibvirtHosts]:
    """Fresh drivers; whatever a test left running or lying about goes after it."""
    first, second = (pool.endpoint(host.id) for host in pool.hosts)
    made = LibvirtHosts(
        pool,
        LibvirtDriver(first),
        LibvirtDriver(second),
        first,
        second,
        empty,
        lambda: request.getfixturevalue("tiny"),
        tmp_path,
    )
    yield made
    made.clear()
