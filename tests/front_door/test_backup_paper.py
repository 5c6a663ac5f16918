"""What the paper about backups shows to type is typed here, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from backup.keeper.keeper import LEASE_NAME
from backup.repository import RepositoryKey
from backup.yui_restore import read_private_key
from control_plane.cli import backup_messages
from control_plane.cli.language import Message
from control_plane.model.ids import SystemId
from control_plane.model.units import Seconds
from tests.api.backups import add_places, point_of
from tests.api.conftest import MIKASA, Prepared, prepared
from tests.cli.served import Served, served

__all__ = ["prepared"]

CHECKOUT = Path(__file__).parents[2]
PAPER = CHECKOUT / "docs" / "backup.md"
KEY_FILE = re.compile(r"(?:/etc/yui/)?\b(safe\.pub|safe\.key|archive(?:-2)?\.key)\b")


@pytest.fixture(scope="module")
def plane(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A member with a recovery point in both of two regions."""
    folder = tmp_path_factory.mktemp("backups")
    with prepared.copied(folder) as api:
        api.join(MIKASA)
        with api.store.write() as tx:
            add_places(tx)
            point_of(tx, tx.system(SystemId(f"m{MIKASA}-resident-records")))
        # Another looks after backups: it would find soon that the point lies in neither repository.
        for_years = Seconds(10 * 365 * 86400.0)
        assert api.store.acquire_lease(LEASE_NAME, "another", for_years, datetime.now(UTC))
        operator = api.operator_token
    with served(folder, state=folder / "state.db") as running:
        running.token_file.write_text(operator)
        running.token_file.chmod(0o600)
        of_member = ("--label", "鈴木", "--tenant", MIKASA, "--out", str(folder / "member.token"))
        assert running.yui("token", "create", *of_member).returncode == 0
        yield running


def test_every_command_of_the_paper_does_what_it_says(plane: Served) -> None:
    shown = re.findall(r"^    (yui .*?)$", PAPER.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(shown) >= 42
    names = {"RESTORE": "", "DISASTER": "", "REQUEST": ""}
    for text in shown:
        if text.startswith("yui backup pull "):
            continue  # Typed where there is something to fetch: tests/backup/member_copy.
        typed = text.replace("examples/", f"{CHECKOUT}/examples/")
        typed = KEY_FILE.sub(rf"{plane.folder}/\1", typed)
        for kind, found in names.items():
            typed = re.sub(rf"\b{kind}\b", found, typed)
        # Operators look after the pool and declare disasters; all else is a member's to ask.
        operators = ("yui repository", "yui link", "yui disaster")
        who = "operator" if text.startswith(operators) else "member"
        env = {"YUI_TOKEN_FILE": str(plane.folder / f"{who}.token")}
        ended = plane.yui(*shlex.split(typed)[1:], env=env)
        assert ended.returncode == 0, f"{typed}\n{ended.stderr}"
        assert (ended.stdout + ended.stderr).strip(), typed
        if text == "yui backup restores":
            names["RESTORE"] = re.findall(r"rs-[a-z2-7]{12}", ended.stdout)[-1]
        for kind, form in (("DISASTER", "ds"), ("REQUEST", "kt")):
            names[kind] = next(
                iter(re.findall(rf"{form}-[a-z2-7]{{12}}", ended.stdout)), names[kind]
            )
        if text.startswith("yui backup-key list"):
            names["REQUEST"] = re.findall(r"(kt-[a-z2-7]{12}) +destroy", ended.stdout)[-1]
    for name in ("safe.key", "archive.key"):
        assert (plane.folder / name).stat().st_mode & 0o777 == 0o600
    assert isinstance(read_private_key(plane.folder / "safe.key"), X25519PrivateKey)
    RepositoryKey.parse((plane.folder / "archive.key").read_text())
    # Nothing that holds a key is written over, and no private half is taken for a public one.
    before = (plane.folder / "safe.key").read_bytes()
    again = ("--out", str(plane.folder / "safe.key"), "--public", str(plane.folder / "new.pub"))
    assert plane.yui("backup-key", "new-pair", *again).returncode == 1
    again = ("--out", str(plane.folder / "new.key"), "--public", str(plane.folder / "safe.pub"))
    assert plane.yui("backup-key", "new-pair", *again).returncode == 1
    assert not list(plane.folder.glob("new.*"))
    assert (plane.folder / "safe.key").read_bytes() == before
    told = plane.yui("--lang", "ja", "backup", "status")
    assert "別の建物に置くコピーのためのリポジトリがありません" in told.stdout
    told = plane.yui("--lang", "ja", "backup", "policy", "show", f"m{MIKASA}-resident-records")
    assert "毎日 23:30: 同じ建物 (hill)・別の建物・別のリージョン (afar)に 14 世代" in told.stdout
    alone = plane.folder / "alone.yaml"
    alone.write_text(
        "rpo_hours: 24\ncopies:\n  - {every: day, at: '23:30', generations: 5, places: [on-site]}\n"
    )
    refused = plane.yui("backup", "policy", "set", f"m{MIKASA}-resident-records", str(alone))
    assert refused.returncode == 1
    assert "would be lost together with the system" in refused.stderr
    for wrong in (
        ("backup-key", "escrow", MIKASA, "--recipient", str(alone), "--reason", "x"),
        (
            *("backup-key", "escrow", MIKASA, "--reason", "x"),
            *("--recipient", str(plane.folder / "safe.key")),
        ),
        ("backup", "policy", "set", f"m{MIKASA}-resident-records", str(plane.folder / "none")),
    ):
        ended = plane.yui(*wrong)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    for when, said in (
        (
            "1995-01-17",
            "has no complete recovery point from 1995-01-17 or before: its oldest is of",
        ),
        ("yesterday", "'yesterday' is no time: write a day as 2026-11-20"),
    ):
        asked = ("backup", "restore", f"m{MIKASA}-resident-records", "--at", when, "--to", "new")
        ended = plane.yui(*asked)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
        assert said in ended.stderr
    unasked = plane.yui("backup", "restore", "rp-mikasa", "--to", "in-place")
    assert "add --yes" in unasked.stderr


def test_the_commands_say_the_same_in_both_languages() -> None:
    found = {n: m for n, m in vars(backup_messages).items() if isinstance(m, Message)}
    for table in (backup_messages.EVERY, backup_messages.WEEKDAYS, backup_messages.WHY_KEPT):
        found |= table
    assert len(found) > 80
    for name, message in found.items():
        assert set(re.findall(r"{(\w+)}", message.en)) == set(re.findall(r"{(\w+)}", message.ja)), (
            name
        )
        assert name in {"ID", "SIZE", "BUDGET", "REPOSITORY_UNSOUND", "rule"} or re.search(
            r"[\u3040-\u30ff\u4e00-\u9fff]", message.ja
        ), name
