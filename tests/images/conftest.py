"""The tiny guest's image, built once and kept for later runs under `var/images`."""

from __future__ import annotations

from pathlib import Path

import pytest

from control_plane.model.errors import YuiError
from images.build import BuiltImage, build_tiny
from tests.images.guest import need

KEPT = Path(__file__).parents[2] / "var" / "images"


@pytest.fixture(scope="session")
def tiny() -> BuiltImage:
    need("qemu-img", "qemu-system-x86_64", "xorriso")
    try:
        return build_tiny(KEPT)
    except YuiError as lacking:
        if lacking.type in {"program-missing", "package-unavailable"}:
            pytest.skip(lacking.en)
        raise
