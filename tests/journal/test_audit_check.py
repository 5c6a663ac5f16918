"""An audit trail that was edited is found out, wherever and however it was edited."""

from __future__ import annotations

import copy
import json
import sqlite3
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.journal.audit_check import check
from tests.journal.trails import (
    BEGIN,
    MIKASA,
    UJI,
    head_in,
    judged,
    kinds,
    rechained,
    trail,
    trail_on,
    without_end,
)
from tests.journal.trails import documents as documents_of
from tests.thoroughness import examples


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The whole trail of two members and a consortium, signed twice on its way."""
    with trail(tmp_path_factory.mktemp("trail")) as of:
        of.write([None, MIKASA, UJI, MIKASA, None, UJI, UJI, MIKASA])
        of.signer.sign()
        of.write([MIKASA, UJI, None, MIKASA, UJI])
        yield of.export()


@pytest.fixture(scope="module")
def of_mikasa(tmp_path_factory):
    with trail(tmp_path_factory.mktemp("trail")) as of:
        of.write([None, MIKASA, UJI, MIKASA, None, UJI, UJI, MIKASA])
        yield of.export(f"member:{MIKASA}")


def key_of(lines):
    return next(line["public"] for line in documents_of(lines) if line["type"] == "key")


def entries(documents):
    return [index for index, line in enumerate(documents) if line["type"] == "entry"]


def test_what_was_not_edited_is_whole_and_signed_to_the_end(exported):
    verdict = check(exported, pinned=[key_of(exported)])
    assert verdict.whole
    assert verdict.notes == ()
    assert verdict.entries == 14
    assert {name: (c.first, c.last, c.signed) for name, c in verdict.chains.items()} == {
        "all": (1, 14, 14),
        "consortium": (1, 4, 4),
        f"member:{MIKASA}": (1, 5, 5),
        f"member:{UJI}": (1, 5, 5),
    }


def test_a_member_checks_its_own_trail_and_learns_nothing_of_others(of_mikasa):
    verdict = check(of_mikasa, pinned=[key_of(of_mikasa)])
    assert verdict.whole
    assert {name: c.last for name, c in verdict.chains.items()} == {f"member:{MIKASA}": 3}
    text = b"".join(of_mikasa).decode()
    for other in (UJI, "consortium", "kyoto-2", "sequence", "link", '"all"'):
        assert other not in text


def test_a_key_that_nobody_named_is_taken_on_trust_and_says_so(exported):
    verdict = check(exported)
    assert verdict.whole
    (note,) = verdict.notes
    assert key_of(exported) in note.en
    assert key_of(exported) in note.ja


CHANGES = {
    "action": "server.start",
    "at": "2026-04-01T00:00:00.000001Z",
    "chain": f"member:{UJI}",
    "fields": {"label": "当番", "status": 0},
    "hardware": "0" * 64,
    "outcome": "made up",
    "position": 99,
    "principal": "somebody-else",
    "role": "auditor",
    "subject": "server:other",
    "tenant": UJI,
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_changed_field_is_found_and_its_entry_is_named(exported, name):
    edited = without_end(documents_of(exported))
    index = next(
        i
        for i in entries(edited)
        if (e := edited[i]["entry"])["tenant"] == MIKASA and e["position"] == 3
    )
    assert edited[index]["entry"][name] != CHANGES[name]
    edited[index]["entry"][name] = CHANGES[name]
    found = [f for f in judged(edited).findings if f.kind != "cut-off"]
    assert found
    if name not in ("chain", "position"):
        assert (found[0].kind, found[0].chain, found[0].position) == (
            "entry-changed",
            f"member:{MIKASA}",
            3,
        )
        assert "Entry 3 of the chain of member 012220" in found[0].en
        assert "3 番目" in found[0].ja


def test_each_kind_of_edit_is_called_what_it_is(exported):
    honest = without_end(documents_of(exported))
    assert kinds(honest) == set()
    places = entries(honest)
    middle = [line for i, line in enumerate(honest) if i != places[4]]
    assert "entry-removed" in kinds(middle)
    swapped = copy.deepcopy(honest)
    a, b = places[6], places[7]
    swapped[a], swapped[b] = swapped[b], swapped[a]
    assert "out-of-order" in kinds(swapped)
    tail = [line for i, line in enumerate(honest) if i not in places[-3:]]
    assert "tail-removed" in kinds(tail)
    twice = copy.deepcopy(honest)
    twice.insert(places[5], copy.deepcopy(honest[places[4]]))
    assert "out-of-order" in kinds(twice)
    gone = [line for line in honest if line.get("entry", {}).get("tenant") != UJI]
    assert {"entry-removed", "tail-removed"} <= kinds(gone)


def test_a_trail_that_was_chained_anew_does_not_match_what_was_signed(exported):
    honest = without_end(documents_of(exported))
    forged = copy.deepcopy(honest)
    forged[entries(forged)[3]]["entry"]["subject"] = "server:other"
    assert {"rewritten"} <= kinds(rechained(forged))
    short = rechained([line for i, line in enumerate(honest) if i != entries(honest)[3]])
    assert {"rewritten", "tail-removed"} & kinds(short)


def test_a_forger_who_also_drops_the_heads_is_caught_by_one_that_was_kept(exported):
    honest = without_end(documents_of(exported))
    heads = [line for line in honest if line["type"] == "head"]
    kept = head_in(next(line for line in heads if line["chain"] == "all"))
    forged = [line for line in honest if line["type"] != "head"]
    forged[entries(forged)[2]]["entry"]["outcome"] = "never"
    assert kinds(rechained(forged)) == set()
    assert kinds(rechained(forged), kept=[kept]) == {"rewritten"}
    short = [line for i, line in enumerate(forged) if i < entries(forged)[4]]
    assert kinds(rechained(short), kept=[kept]) == {"tail-removed"}


def test_a_forger_with_a_key_of_its_own_is_caught_by_whoever_names_the_right_one(
    exported, tmp_path
):
    with trail(tmp_path) as other:
        other.write([None, MIKASA, UJI])
        forged = other.export()
    assert check(forged).whole
    found = {f.kind for f in check(forged, pinned=[key_of(exported)]).findings}
    assert {"key-missing", "key-unknown"} <= found


def test_a_head_of_a_stranger_among_the_others_is_found(exported, tmp_path):
    with trail(tmp_path) as other:
        other.write([None] * 5)
        theirs = without_end(documents_of(other.export()))
    honest = without_end(documents_of(exported))
    put_in = [line for line in theirs if line["type"] in ("key", "head")]
    assert kinds([honest[0], *honest[1:2], *put_in, *honest[2:]]) == {"key-unknown", "key-untold"}


def test_a_changed_file_is_found_whatever_line_was_changed(exported):
    for index in range(len(exported)):
        cut = check(exported[:index] + exported[index + 1 :])
        assert not cut.whole, index
        twice = check(exported[: index + 1] + exported[index:])
        assert not twice.whole, index
    for index in range(1, len(exported)):
        assert not check(exported[:index]).whole


def test_what_is_no_export_is_told_by_line_and_breaks_nothing():
    for garbage in (b"", b"\xff\xfe\n", b"[]\n", b"{}\n", b"null\n", b"7\n", b"[" * 100_000):
        verdict = check([garbage])
        assert "unreadable" in {f.kind for f in verdict.findings}
    assert {f.kind for f in check([]).findings} == {"cut-off"}


def test_a_part_of_a_trail_says_where_it_begins_and_holds(tmp_path):
    with trail(tmp_path) as of:
        of.write([None, MIKASA, UJI, MIKASA, None, UJI, UJI, MIKASA])
        of.signer.sign()
        of.write([MIKASA, UJI, None])
        lines = of.export(since=BEGIN + timedelta(minutes=3), until=BEGIN + timedelta(minutes=8))
    verdict = check(lines, pinned=[key_of(lines)])
    assert verdict.whole
    assert verdict.entries == 6
    assert verdict.chains["all"].first == 5
    assert any("from 5 on" in note.en for note in verdict.notes)
    edited = without_end(documents_of(lines))
    edited[entries(edited)[0]]["entry"]["subject"] = "server:other"
    assert "entry-changed" in kinds(edited)
    edited = without_end(documents_of(lines))
    del edited[entries(edited)[0]]
    assert "entry-removed" in kinds(edited)


def test_without_a_key_the_chains_are_checked_and_the_lack_is_said(tmp_path):
    with trail(tmp_path, key=False) as of:
        of.write([None, MIKASA])
        lines = of.export()
    verdict = check(lines)
    assert verdict.whole
    assert any("Nothing here is signed" in note.en for note in verdict.notes)
    assert {f.kind for f in check(lines, pinned=["0" * 64]).findings} == {
        "unsigned",
        "key-missing",
    }


TENANTS = st.lists(st.sampled_from([None, MIKASA, UJI]), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """A trail of those members' entries; each time from its beginning."""
    folder = tmp_path_factory.mktemp("trail")
    with trail(folder) as first:

        def trail_of(tenants):
            with sqlite3.connect(folder / "state.db") as state:
                state.execute("DELETE FROM audit_entries")
                state.execute("DELETE FROM audit_heads")
                state.execute("DELETE FROM audit_keys")
            state.close()
            of = trail_on(first.store, folder / "audit.key")
            of.write(tenants)
            return without_end(documents_of(of.export()))

        yield trail_of


def changed_leaf(value, data):
    """The JSON value with one thing in it changed."""
    if isinstance(value, dict) and value:
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: changed_leaf(value[key], data)}
    if isinstance(value, str) and value:
        place = data.draw(st.integers(0, len(value) - 1))
        put = data.draw(st.sampled_from("0af9-Zあ").filter(lambda c: c != value[place]))
        return value[:place] + put + value[place + 1 :]
    if isinstance(value, int) and not isinstance(value, bool):
        return value + data.draw(st.sampled_from([-1, 1, 10]))
    return "x" if value is None else None


@pytest.mark.long
@settings(max_examples=examples(50), deadline=None)
@given(tenants=TENANTS, data=st.data())
def test_any_single_change_of_any_trail_is_found(growing, tenants, data):
    """Of entries alone: nothing signs the lines, and the heads are those of the honest trail."""
    honest = growing(tenants)
    assert kinds(honest) == set()
    edited = copy.deepcopy(honest)
    places = entries(edited)
    at = data.draw(st.sampled_from(places), label="entry")
    match data.draw(st.sampled_from(["change", "delete", "swap", "insert", "duplicate"])):
        case "change":
            part = data.draw(st.sampled_from(["entry", "hash", "link", "sequence"]))
            edited[at][part] = changed_leaf(edited[at][part], data)
        case "delete":
            del edited[at]
        case "swap":
            other = data.draw(st.sampled_from(places))
            if other == at:
                return
            edited[at], edited[other] = edited[other], edited[at]
        case "insert":
            new = copy.deepcopy(edited[at])
            new["entry"] = changed_leaf(new["entry"], data)
            edited.insert(data.draw(st.integers(places[0], len(edited))), new)
        case "duplicate":
            edited.insert(data.draw(st.integers(places[0], len(edited))), edited[at])
    assert kinds(edited), json.dumps(edited[at], ensure_ascii=False)


@settings(max_examples=examples(20), deadline=None)
@given(tenants=TENANTS, data=st.data())
def test_no_change_is_hidden_by_chaining_the_trail_anew(growing, tenants, data):
    honest = growing(tenants)
    edited = copy.deepcopy(honest)
    places = entries(edited)
    at = data.draw(st.sampled_from(places), label="entry")
    if data.draw(st.booleans(), label="delete"):
        del edited[at]
    else:
        said = edited[at]["entry"]
        name = data.draw(st.sampled_from(["action", "at", "fields", "principal", "subject"]))
        said[name] = changed_leaf(said[name], data)
    assert kinds(rechained(edited)) & {"rewritten", "tail-removed"}
