"""Two operators at two terminals, and one pool."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import CHECKOUT, command
from tests.cli.served import POOL, Served, served


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory):
    with served(tmp_path_factory.mktemp("two-operators")) as running:
        yield running


def say_yes(plane: Served, language: str, file: Path, meanwhile: Path) -> tuple[int, str]:
    """Apply `file` at a terminal; between question and answer, a colleague applies `meanwhile`."""
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        command("--lang", language, "pool", "apply", str(file)),
        cwd=CHECKOUT,
        env={**plane.environment, "TERM": "dumb", "COLUMNS": "200"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(keyboard, 4096)
        assert plane.yui("pool", "apply", str(meanwhile)).returncode == 0
        os.write(keyboard, b"y\n")
        while True:
            try:
                said += os.read(keyboard, 4096)
            except OSError:  # how a terminal tells that its other side is closed
                break
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
    return code, " ".join(said.decode().split())


@pytest.mark.long
@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "The pool was described anew after you read it"), ("ja", "読み取り後に変更されている")],
)
def test_what_a_colleague_applied_after_the_question_is_not_overwritten(
    plane: Served, language: str, sentence: str
) -> None:
    mine, theirs = plane.folder / f"mine-{language}.yaml", plane.folder / f"theirs-{language}.yaml"
    mine.write_text("\n".join(line for line in POOL.splitlines() if "m1.xlarge" not in line))
    theirs.write_text(
        POOL + f"  - {{id: {language}.theirs, vcpus: 1, memory: 1 GiB, disk: 9 GiB}}\n"
    )
    assert plane.yui("pool", "apply", str(plane.pool_file), "--yes").returncode == 0
    code, said = say_yes(plane, language, mine, theirs)
    assert code == 6, said
    assert sentence in said
    shown = plane.yui("pool", "show").stdout
    assert f"{language}.theirs" in shown
    assert "m1.xlarge" in shown
