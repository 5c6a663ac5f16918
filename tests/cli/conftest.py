"""A home directory without settings, and `yui` run from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli.running import Ended, environment_of, run_here


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def yui(home: Path) -> Callable[..., Ended]:
    """`yui("host", "list", env={…})`."""

    def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        return run_here(arguments, {**environment_of(home), **(env or {})})

    return run
