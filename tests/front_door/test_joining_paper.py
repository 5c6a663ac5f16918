"""Joining and leaving, as the paper for members shows it, is typed by two persons."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Ended
from tests.cli.served import CHECKOUT, DECLARED, Served, command, served
from tests.front_door.test_tenants_paper import commands

# One text after another, as on paper.
pytestmark = pytest.mark.long

FOR_APPROVERS = ("approve", "reject")


@dataclass(frozen=True)
class Two:
    """A pool that an operator and an approver look after."""

    served: Served
    approver_file: Path

    def operator(self, *words: str) -> Ended:
        return self.served.yui(*words)

    def approver(self, *words: str) -> Ended:
        return self.served.yui(*words, env={"YUI_TOKEN_FILE": str(self.approver_file)})


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("joining")
    approver = folder / "approver.token"
    described = ("--name", "tiny", "--version", "1", "--provenance", "a test")
    first = ("--first-approver-token", str(approver))
    exports = ("--export-dir", str(folder / "exports"))
    with served(folder, *first, *exports, approval="two-persons") as running:
        assert running.yui("pool", "apply", str(running.pool_file)).returncode == 0
        added = running.yui("image", "add", "tiny.raw", *described, *DECLARED)
        assert added.returncode == 0, added.stderr
        _until(lambda: '"cleaning"' not in running.yui("host", "list", "--json").stdout)
        yield Two(running, approver)


def _until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not so():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.3)


def state_of(two: Two) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(two.operator("member", "show", "012220", "--json").stdout)
    return shown


def test_every_command_of_joining_does_what_it_says_with_the_right_persons_token(two: Two) -> None:
    shown = commands("Joining")
    assert len(shown) >= 9
    for text in shown:
        words = shlex.split(text)[1:]
        second = words[1] in FOR_APPROVERS
        if second:
            assert "members.approve" in two.operator(*words).stderr
        ended = two.approver(*words) if second else two.operator(*words)
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
    _until(lambda: state_of(two)["state"] == "hosted")


def test_whoever_applied_and_waits_sees_the_approval_and_the_end(two: Two) -> None:
    waiting = subprocess.Popen(
        command("member", "join", "012289", "-b", "facility-booking", "--wait"),
        cwd=CHECKOUT,
        env=two.served.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _until(lambda: "012289" in two.operator("member", "list", "--state", "applied").stdout)
        assert two.approver("member", "approve", "012289").returncode == 0
        out, err = waiting.communicate(timeout=60)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0, err
    assert "Waiting for another person to approve" in err
    assert "012289 is approved" in err
    assert "012289 has joined: 1 of 1" in out


def test_every_command_of_leaving_does_what_it_says_until_the_member_has_left(
    two: Two, tmp_path: Path
) -> None:
    _until(lambda: state_of(two)["state"] == "hosted")
    admin = tmp_path / "admin.token"
    issued = ("--label", "鈴木", "--tenant", "012220", "--out", str(admin))
    assert two.operator("token", "create", *issued).returncode == 0

    shown = commands("Leaving")
    assert len(shown) >= 9
    for text in shown:
        words = [str(tmp_path / word) if word == "export" and before == "--to" else word
                 for before, word in pairwise(["", *shlex.split(text)[1:]])]  # fmt: skip
        if words[1] == "export":
            _until(lambda: state_of(two)["stage"] == "to-be-confirmed")
        if words[1] == "approve-leave":
            assert "members.approve" in two.operator(*words).stderr
            ended = two.approver(*words)
        elif words[1] == "confirm-export" or "--to" in words:
            assert "own" in two.operator(*words).stderr
            ended = two.served.yui(*words, env={"YUI_TOKEN_FILE": str(admin)})
        else:
            ended = two.operator(*words)
        assert ended.returncode == 0, f"{text}\n{ended.stderr}"
        assert ended.stdout.strip(), text
    check = ["sha256sum", "--quiet", "-c", "SHA256SUMS"]
    subprocess.run(check, cwd=tmp_path / "export", check=True)
    audit = tmp_path / "export/audit/audit.jsonl"
    assert two.operator("audit", "verify", str(audit)).returncode == 0
    _until(lambda: state_of(two)["state"] == "left")
    assert "012220" not in two.operator("member", "list").stdout
    assert "were not encrypted by Yui" in two.operator("events", "--json").stdout
