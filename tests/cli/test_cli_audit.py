"""`yui audit` on a control plane that is served: what it signs, and edits of its state that it finds."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import string

import pytest

from control_plane.cli import audit_messages
from control_plane.cli.language import Message
from tests.cli.running import run_here
from tests.cli.served import served


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def at(folder):
    with served(folder) as running:
        running.yui("pool", "apply", str(running.pool_file), "--yes")
        running.yui("token", "revoke", "nobody")
        yield running


@pytest.fixture
def edited(at):
    """Edits the state behind the API's back, and puts it right afterwards."""
    state = sqlite3.connect(at.folder / "state.db")
    before = state.execute("SELECT * FROM audit_entries").fetchall()

    def edit(statement: str, *values: object) -> None:
        with state:
            assert state.execute(statement, values).rowcount

    yield edit
    with state:
        state.execute("DELETE FROM audit_entries")
        marks = ", ".join("?" * len(before[0]))
        state.executemany(f"INSERT INTO audit_entries VALUES ({marks})", before)  # noqa: S608
    state.close()


def test_the_key_is_made_at_the_first_start_for_its_owner_alone(at):
    key = at.folder / "state.db.audit-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" not in (at.folder / "state.db").read_bytes()


def test_a_trail_that_nobody_edited_is_found_whole(at):
    listed = at.yui("audit", "list")
    assert listed.returncode == 0
    for word in ("pool.apply", "token-not-found", "token.issue", "audit.key"):
        assert word in listed.stdout
    assert at.yui("audit", "verify").returncode == 0
    document = json.loads(at.yui("audit", "verify", "--json").stdout)
    assert document["whole"] is True
    assert document["chains"]["all"]["signed"] == document["chains"]["all"]["last"]


def test_an_export_is_checked_without_the_api_against_a_key_that_one_knows(at, tmp_path):
    file, kept = tmp_path / "trail.jsonl", tmp_path / "heads.json"
    assert at.yui("audit", "export", str(file)).returncode == 0
    assert at.yui("audit", "export", str(file)).returncode == 1, "nothing is written over"
    heads = at.yui("audit", "heads", "--json").stdout
    kept.write_text(heads)
    key = json.loads(heads)["keys"][0]["public"]
    assert json.loads(heads)["signing"] is True
    alone = {"PATH": "", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    check = ("audit", "verify", str(file), "--key", key, "--head", str(kept))
    ended = run_here(check, alone)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "as it was written" in ended.stdout
    file.write_text(file.read_text().replace("pool.apply", "pool.apple"))
    ended = run_here(check, {**alone, "LANG": "ja_JP.UTF-8"})
    assert ended.returncode == 1
    assert "書かれたときのままではありません" in ended.stdout
    assert run_here(("audit", "verify", str(tmp_path / "no")), alone).returncode == 3


EDITS = {
    "a field": (
        "UPDATE audit_entries SET outcome='done' WHERE outcome='token-not-found'",
        "Entry ",
    ),
    "the hidden part": (
        "UPDATE audit_entries SET fields='{}' WHERE action='pool.apply'",
        "pool.apply",
    ),
    "a time": ("UPDATE audit_entries SET at='2020-01-01' WHERE sequence=2", "Entry 2"),
    "nonsense": ("UPDATE audit_entries SET at='?', fields='{', role='king' WHERE sequence=2", "2"),
    "the first": ("DELETE FROM audit_entries WHERE sequence=1", "removed"),
    "the last": (
        "DELETE FROM audit_entries WHERE sequence=(SELECT max(sequence) FROM audit_entries)",
        "removed",
    ),
    "all": ("DELETE FROM audit_entries", "removed"),
    "the member": ("UPDATE audit_entries SET tenant='012220' WHERE sequence=2", "Entry"),
    "the chain": ("UPDATE audit_entries SET chain='member:012220' WHERE sequence=3", "Entry"),
    "one put in": (
        "INSERT INTO audit_entries (sequence, at, principal, role, action, subject, outcome, chain,"
        " position, hash, link) SELECT max(sequence)+1, at, principal, role, action, 'host:x',"
        " outcome, chain, max(position)+1, hash, link FROM audit_entries",
        "host:x",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_state_itself_is_found_and_named(at, edited, edit):
    assert at.yui("audit", "verify").returncode == 0
    statement, named = EDITS[edit]
    edited(statement)
    ended = at.yui("audit", "verify")
    assert ended.returncode == 1
    assert "not as it was written" in ended.stdout
    assert named in ended.stdout
    in_japanese = at.yui("audit", "verify", "--lang", "ja")
    assert in_japanese.returncode == 1
    assert "。" in in_japanese.stdout


def test_a_key_that_is_gone_is_not_made_anew_and_everything_else_goes_on(tmp_path):
    with served(tmp_path) as running:
        running.yui("audit", "verify")
    key = tmp_path / "state.db.audit-key"
    before = key.read_bytes()
    key.rename(tmp_path / "away")
    running.token_file.rename(tmp_path / "token")
    again = tmp_path / "again"
    again.mkdir()
    with served(again, state=tmp_path / "state.db") as second:
        (again / "operator.token").write_text((tmp_path / "token").read_text())
        (again / "operator.token").chmod(0o600)
        assert not key.exists()
        told = second.yui("events").stdout
        assert "audit key" in told or "signed by the key" in told
        assert json.loads(second.yui("audit", "heads", "--json").stdout)["signing"] is False
        assert "not signed" in second.yui("audit", "verify").stdout
    assert (tmp_path / "away").read_bytes() == before


@pytest.mark.long
def test_what_audit_says_it_says_in_both_languages():
    said = {name: m for name, m in vars(audit_messages).items() if isinstance(m, Message)}
    assert len(said) > 10
    for name, message in said.items():
        fields = [
            {field for _, field, _, _ in string.Formatter().parse(text)}
            for text in (message.en, message.ja)
        ]
        assert fields[0] == fields[1], name
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", message.ja), name
