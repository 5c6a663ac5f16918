"""Runs `yui` as people and programs do: a process of its own, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

Yui = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory without a profile file."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def yui(home: Path) -> Yui:
    """`yui("host", "list", input=…, env={…})`, in English and without any settings."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "control_plane.cli", *arguments],
            cwd=CHECKOUT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "LANG": "C.UTF-8",
                **(env or {}),
            },
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
