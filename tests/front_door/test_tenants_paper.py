"""What the paper for members and vendors shows to type is typed here, in its order."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.served import DECLARED, Served, served

PAPER = Path(__file__).parents[2] / "docs" / "tenants.md"


def commands(section: str) -> list[str]:
    paper = PAPER.read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", paper, re.MULTILINE | re.DOTALL)
    return re.findall(r"^    (yui .*?)(?:\s+#.*)?$", body, re.MULTILINE)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Three hosts that are up, and the image that the standard blueprints start."""
    described = ("--name", "tiny", "--version", "1", "--provenance", "a test")
    with served(tmp_path_factory.mktemp("paper")) as running:
        assert running.yui("pool", "apply", str(running.pool_file)).returncode == 0
        added = running.yui("image", "add", "tiny.raw", *described, *DECLARED)
        assert added.returncode == 0, added.stderr
        end = time.monotonic() + 60
        while '"cleaning"' in running.yui("host", "list", "--json").stdout:
            assert time.monotonic() < end, "no host was ever clean"
            time.sleep(0.5)
        yield running


@pytest.mark.parametrize("section", ["Catalogue", "Images"])
def test_every_command_of_a_section_does_what_it_says(plane: Served, section: str) -> None:
    shown = commands(section)
    assert len(shown) >= 5
    for text in shown:
        ended = plane.yui(*shlex.split(text)[1:])
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
