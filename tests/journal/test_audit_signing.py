"""What signs the audit trail, and what it refuses to sign, on the databases that Yui runs on."""

from __future__ import annotations

import json
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import create_engine, text

from control_plane.journal.audit_check import check
from control_plane.journal.audit_export import export
from control_plane.journal.audit_key import load_key, signing_key
from control_plane.journal.audit_signing import Signer
from control_plane.model.errors import YuiError
from control_plane.store import Store
from tests.journal.trails import BEGIN, MIKASA, UJI, trail_on
from tests.store.conftest import DATABASES

NOW = BEGIN + timedelta(days=1)


@pytest.fixture(params=DATABASES)
def url(request, tmp_path, new_file):
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return f"sqlite:///{shutil.copy(new_file, tmp_path / 'state.db')}"


@pytest.fixture
def store(url):
    opened = Store.open(url)
    yield opened
    opened.close()


@pytest.fixture
def of(store, tmp_path):
    """A trail with some entries, none of them signed yet."""
    found = trail_on(store, tmp_path / "audit.key")
    found.write([None, MIKASA, UJI, MIKASA, None, UJI])
    return found


@pytest.fixture
def edit(url):
    """Runs SQL on the database itself."""
    engine = create_engine(url)

    def run(statement: str) -> None:
        with engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount

    yield run
    engine.dispose()


def events(of):
    with of.store.read() as tx:
        return [event for event in tx.events(0, 100) if event.kind.startswith("audit.")]


def heads(of):
    with of.store.read() as tx:
        return {head.chain: head.position for head in tx.audit_heads(latest=True)}


def test_heads_are_signed_when_something_was_added_and_told_to_people(of):
    assert {h.chain for h in of.signer.sign(tell=True)} == {
        "all",
        "consortium",
        f"member:{MIKASA}",
        f"member:{UJI}",
    }
    assert heads(of) == {"all": 7, "consortium": 3, f"member:{MIKASA}": 2, f"member:{UJI}": 2}
    assert of.signer.sign(tell=True) == ()
    of.write([UJI])
    assert {head.chain for head in of.signer.sign(tell=True)} == {"all", f"member:{UJI}"}
    told = events(of)
    assert [event.kind for event in told] == ["audit.signed", "audit.signed"]
    assert told[-1].fields["position"] == 8
    assert told[-1].fields["hash"] in told[-1].en
    assert told[-1].fields["hash"] in told[-1].ja
    assert told[-1].tenant is None


@pytest.mark.long
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET outcome = 'never' WHERE sequence = 4",
        'UPDATE audit_entries SET fields = \'{"label": "x"}\' WHERE sequence = 4',
        "UPDATE audit_entries SET at = '2026-04-01 00:00:01' WHERE sequence = 4",
        "UPDATE audit_entries SET hash = link WHERE sequence = 4",
        "UPDATE audit_entries SET link = hash WHERE sequence = 4",
        "UPDATE audit_entries SET tenant = '262048' WHERE sequence = 3",
        "UPDATE audit_entries SET hardware = '{}' WHERE hardware IS NOT NULL",
        "DELETE FROM audit_entries WHERE sequence = 4",
        "DELETE FROM audit_entries WHERE sequence = 7",
        "DELETE FROM audit_entries WHERE chain = 'member:262048'",
        "DELETE FROM audit_entries",
    ],
)
def test_an_edit_of_the_database_is_found_by_every_check(of, edit, statement):
    of.signer.sign()
    assert check(of.export()).whole
    edit(statement)
    verdict = check(of.export())
    assert not verdict.whole
    assert all(finding.en and finding.ja for finding in verdict.findings)


def test_an_edited_trail_is_not_signed_and_people_are_told_once(of, edit):
    of.signer.sign()
    of.write([MIKASA, None])
    edit("UPDATE audit_entries SET subject = 'server:other' WHERE sequence = 8")
    for _ in range(3):
        of.signer.sign(tell=True)
    assert heads(of)[f"member:{MIKASA}"] == 2
    (told,) = (event for event in events(of) if event.kind == "audit.edited")
    assert told.severity.value == "critical"
    assert "012220" in told.en
    assert "3" in told.ja


def test_an_end_that_was_cut_off_is_not_signed(of, edit):
    of.signer.sign()
    edit("DELETE FROM audit_entries WHERE sequence = 7")
    of.write([None])
    of.signer.sign(tell=True)
    assert heads(of)["all"] == 7
    assert {e.fields["chain"] for e in events(of) if e.kind == "audit.edited"} == {
        "all",
        f"member:{UJI}",
    }


def test_an_end_that_was_cut_off_with_its_heads_is_not_signed_by_who_remembers(of, edit):
    of.signer.sign()
    edit("DELETE FROM audit_heads")
    edit("DELETE FROM audit_entries WHERE sequence > 4")
    assert of.signer.sign(tell=True) == ()
    assert heads(of) == {}
    assert "tail-removed" in {finding.kind for finding in check(of.export()).findings}
    assert "all" in {e.fields["chain"] for e in events(of) if e.kind == "audit.edited"}


def test_the_key_is_a_file_of_its_owner_and_in_no_table(of, tmp_path):
    key = tmp_path / "audit.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert signing_key(of.store, key, NOW).public == of.signer.key.public
    assert "PRIVATE" not in repr(of.signer.key)
    with of.store.read() as tx:
        (introduced,) = tx.audit(0, 1)
        (known,) = tx.audit_keys()
    assert introduced.action == "audit.key"
    assert introduced.fields["public"] == known.public == of.signer.key.public


def refused(kind, *arguments, **named):
    with pytest.raises(YuiError) as refusal:
        signing_key(*arguments, **named)
    assert refusal.value.type == kind
    assert refusal.value.ja.endswith("。")
    return refusal.value


def test_a_missing_key_is_said_and_no_other_is_made(of, tmp_path):
    (tmp_path / "audit.key").unlink()
    error = refused("audit-key-missing", of.store, tmp_path / "audit.key", NOW)
    assert of.signer.key.public[:16] in error.en
    assert not (tmp_path / "audit.key").exists()


def test_a_strange_key_is_said_and_not_used(of, tmp_path):
    strange = Ed25519PrivateKey.generate()
    pem = strange.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "audit.key").write_bytes(pem)
    error = refused("audit-key-unknown", of.store, tmp_path / "audit.key", NOW)
    assert "--previous-audit-key" in error.en
    refused("audit-key-unknown", of.store, tmp_path / "new", NOW, previous=tmp_path / "audit.key")


@pytest.mark.parametrize(
    ("content", "mode"), [(b"", 0o600), (b"no key\n", 0o600), (None, 0o644), (None, 0o640)]
)
def test_a_key_that_is_spoiled_or_open_to_others_is_not_used(of, tmp_path, content, mode):
    key = tmp_path / "audit.key"
    if content is not None:
        key.write_bytes(content)
    key.chmod(mode)
    refused("audit-key-unusable", of.store, key, NOW)


def test_a_new_key_is_vouched_for_by_the_one_before_and_either_is_enough_to_check(of, tmp_path):
    old = of.signer.key.public
    of.signer.sign()
    key = signing_key(of.store, tmp_path / "new.key", NOW, previous=tmp_path / "audit.key")
    assert key.public != old
    of.write([MIKASA, None])
    new = Signer(of.store, of.world.clock, key)
    lines = list(export(of.store, of.world.clock, new, "all"))
    for pinned in ([], [old], [key.public], [old, key.public]):
        assert check(lines, pinned=pinned).whole
    own = list(export(of.store, of.world.clock, new, f"member:{MIKASA}"))
    assert check(own, pinned=[old]).whole
    # From now on either file will do.
    assert signing_key(of.store, tmp_path / "audit.key", NOW).public == old
    assert signing_key(of.store, tmp_path / "new.key", NOW).public == key.public


def test_after_a_key_was_lost_the_new_one_is_trusted_by_those_who_are_told_to(of, tmp_path):
    old = of.signer.key.public
    of.signer.sign()
    (tmp_path / "audit.key").unlink()
    key = signing_key(of.store, tmp_path / "audit.key", NOW, lost="The disk of node 1 burnt.")
    of.write([MIKASA])
    lines = list(export(of.store, of.world.clock, Signer(of.store, of.world.clock, key), "all"))
    assert {f.kind for f in check(lines, pinned=[old]).findings} == {"key-unknown", "unsigned"}
    assert check(lines, pinned=[old, key.public]).whole
    entry = next(e for line in lines if "burnt" in str(e := json.loads(line).get("entry")))
    assert entry["action"] == "audit.key"


def test_control_planes_that_start_at_once_agree_on_one_key(store, tmp_path):
    with ThreadPoolExecutor(6) as threads:
        starting = [
            threads.submit(signing_key, store, tmp_path / "audit.key", NOW) for _ in range(6)
        ]
        publics = {each.result().public for each in starting}
    assert publics == {load_key(tmp_path / "audit.key").public}
    with store.read() as tx:
        assert [key.public for key in tx.audit_keys()] == [*publics]
        assert len(tx.audit(0, 10)) == 1
    assert [path.name for path in tmp_path.glob("audit.key*")] == ["audit.key"]


def test_two_that_sign_the_same_leave_one_head(of):
    one, two = of.signer, Signer(of.store, of.world.clock, of.signer.key)
    one.sign()
    assert two.sign() == ()
    assert check(of.export()).whole
