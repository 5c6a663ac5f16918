"""Joining, as the paper for members shows it, is typed by two persons."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from tests.cli.served import DECLARED, served
from tests.front_door.test_tenants_paper import commands

FOR_APPROVERS = ("approve", "reject")


def test_every_command_of_joining_does_what_it_says_with_the_right_persons_token(
    tmp_path: Path,
) -> None:
    approver = tmp_path / "approver.token"
    described = ("--name", "tiny", "--version", "1", "--provenance", "a test")
    first = ("--first-approver-token", str(approver))
    with served(tmp_path, *first, approval="two-persons") as running:
        assert running.yui("pool", "apply", str(running.pool_file)).returncode == 0
        added = running.yui("image", "add", "tiny.raw", *described, *DECLARED)
        assert added.returncode == 0, added.stderr
        end = time.monotonic() + 60
        while '"cleaning"' in running.yui("host", "list", "--json").stdout:
            assert time.monotonic() < end, "no host was ever clean"
            time.sleep(0.5)
        shown = commands("Joining")
        assert len(shown) >= 9
        for text in shown:
            words = shlex.split(text)[1:]
            second = words[1] in FOR_APPROVERS
            if second:
                alone = running.yui(*words)
                assert "members.approve" in alone.stderr
            ended = running.yui(*words, env={"YUI_TOKEN_FILE": str(approver)} if second else None)
            assert ended.returncode == 0, f"{text}\n{ended.stderr}"
            assert ended.stdout.strip(), text
        end = time.monotonic() + 60
        while "hosted" not in running.yui("member", "show", "012220").stdout:
            assert time.monotonic() < end, "it was never hosted"
            time.sleep(0.5)
