from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.cloud import LocalCloud
from tests.local.one_site import one_site


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with one_site(tmp_path / "cloud") as made:
        yield made
