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
    folder = tmp_path_factory.mktemp("paper")
    with served(folder, "--first-approver-token", str(folder / "approver.token")) as running:
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


def test_every_command_about_networks_does_what_it_says(plane: Served) -> None:
    for code in ("012220", "012289"):
        joined = plane.yui("member", "join", code, "-b", "resident-records")
        assert joined.returncode == 0, joined.stderr
    admin, approver = (plane.folder / f"{name}.token" for name in ("admin", "approver"))
    put = ("--label", "鈴木", "--tenant", "012220", "--out", str(admin))
    assert plane.yui("token", "create", *put).returncode == 0
    binding = "BINDING"
    shown = commands("Networks")
    assert len(shown) >= 15
    for text in shown:
        who = approver if text.startswith("yui binding approve") else admin
        words = shlex.split(text.replace("BINDING", binding))[1:]
        ended = plane.yui(*words, env={"YUI_TOKEN_FILE": str(who)})
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
        found = re.search(r"binding-[a-z2-7]{10}", ended.stdout)
        binding = binding if found is None else found.group()
    ended = plane.yui("--lang", "ja", "binding", "list", "--state", "revoked")
    assert "取り消し" in ended.stdout
    wrong = plane.yui("--lang", "ja", "security-group", "create", "x", "--rule", "in tcp 443")
    assert "ルールとして読めません" in wrong.stderr
