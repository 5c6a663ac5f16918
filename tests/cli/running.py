"""Two ways to run `yui`: within this process, which is quick, and as a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from control_plane.cli.main import run

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


def run_here(arguments: tuple[str, ...], environment: Mapping[str, str]) -> Ended:
    """With that environment and no other, output to no terminal, and nobody to answer questions."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(arguments)
    return Ended(int(code), out.getvalue(), err.getvalue())


def run_apart(
    arguments: tuple[str, ...], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=CHECKOUT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "control_plane.cli", *arguments]


def environment_of(home: Path) -> dict[str, str]:
    """English, and no settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
