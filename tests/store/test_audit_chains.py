"""Entries of the audit trail stand in chains that nobody's haste can fork."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest
from sqlalchemy import text

from control_plane.model.access import AuditEntry, Role
from control_plane.model.audit_chain import START, entry_hash, link_hash
from control_plane.store import LostRace, Store
from tests.store.processes import opened, process
from tests.store.samples import NOON
from tests.store.test_upgrades import written_by

ENTRY = AuditEntry(NOON, "tok", Role.OPERATOR, None, "host.drain", "host:kyoto-1", "done")
CITIES = ("262013", "262048", None)


def assert_whole(store: Store) -> int:
    """Every hash follows from the one before, in each chain and in the one over all."""
    with store.read() as tx:
        records = tx.audit_records(0, 100_000)
        ends = tx.audit_ends()
    links: tuple[int, str] = (0, START)
    chains: dict[str, tuple[int, str]] = {}
    for record in records:
        place, previous = chains.get(record.chain, (0, START))
        assert record.position == place + 1
        assert record.hash == entry_hash(previous, record.document)
        assert record.sequence == links[0] + 1
        assert record.link == link_hash(
            links[1], record.sequence, record.chain, record.position, record.hash
        )
        chains[record.chain] = record.position, record.hash
        links = record.sequence, record.link
    expected = {**chains, "all": links} if records else {}
    assert {chain: (end.position, end.hash) for chain, end in ends.items()} == expected
    return len(records)


def test_each_member_has_a_chain_and_one_goes_over_all(store: Store) -> None:
    for number in range(4):
        with store.write() as tx:
            for tenant in CITIES:
                tx.add_audit(replace(ENTRY, tenant=tenant, fields={"number": number, "名": "当番"}))
    assert assert_whole(store) == 12
    with store.read() as tx:
        assert {chain: end.position for chain, end in tx.audit_ends().items()} == {
            "all": 12,
            "consortium": 4,
            "member:262013": 4,
            "member:262048": 4,
        }


def test_an_undone_transaction_leaves_no_entry_and_no_gap(store: Store) -> None:
    with store.write() as tx:
        tx.add_audit(ENTRY)
    with suppress(RuntimeError), store.write() as tx:
        tx.add_audit(ENTRY)
        raise RuntimeError
    with store.write() as tx:
        tx.add_audit(ENTRY)
    assert assert_whole(store) == 2


def test_what_json_cannot_carry_exactly_stands_in_the_trail_as_text(store: Store) -> None:
    odd: dict[str, object] = {
        "big": 2**60,
        "half": 0.5,
        "never": float("nan"),
        "set": {"b", "a"},
        "broken": "a\ud800b\0c",
        "nested": [{"x": (1, None, True)}],
    }
    with store.write() as tx:
        tx.add_audit(replace(ENTRY, subject="host:\ud800", fields=odd))
    assert assert_whole(store) == 1
    with store.read() as tx:
        (entry,) = tx.audit(0, 10)
    assert entry.subject == "host:?"
    assert entry.fields == {
        "big": str(2**60),
        "half": 0.5,
        "never": "nan",
        "set": ["a", "b"],
        "broken": "a?b\ufffdc",
        "nested": [{"x": [1, None, True]}],
    }


@pytest.mark.postgresql
def test_transactions_that_overlap_neither_fork_a_chain_nor_lose_a_race(
    postgresql_store: Store,
) -> None:
    with postgresql_store.write() as early:
        assert early.audit(0, 10) == ()
        with postgresql_store.write() as late:
            late.add_audit(ENTRY)
        # The snapshot of `early` knows nothing of the entry that it must now come after.
        early.add_audit(replace(ENTRY, subject="host:kyoto-2"))
    assert assert_whole(postgresql_store) == 2


def write_entries(talk: Connection, url: str, tenants: list[str | None], count: int) -> None:
    with opened(url) as store:
        talk.send("ready")
        talk.recv()
        for number in range(count):
            with store.write() as tx:
                tx.audit_end("consortium")
                tx.add_audit(replace(ENTRY, tenant=tenants[number % len(tenants)]))
                tx.add_audit(replace(ENTRY, tenant=tenants[0], fields={"number": number}))
        talk.send("done")


@pytest.mark.postgresql
def test_processes_that_write_at_once_make_one_chain(postgresql_url: str) -> None:
    shared: list[str | None] = ["262013", None, "262048"]
    with (
        process(write_entries, postgresql_url, shared, 40) as one,
        process(write_entries, postgresql_url, shared[::-1], 40) as two,
        process(write_entries, postgresql_url, [None], 40) as three,
    ):
        everyone = (one, two, three)
        assert [each.hear() for each in everyone] == ["ready"] * 3
        for each in everyone:
            each.say("go")
        assert [each.hear() for each in everyone] == ["done"] * 3
    with opened(postgresql_url) as store:
        assert assert_whole(store) == 3 * 40 * 2


@pytest.mark.postgresql
def test_who_loses_its_race_leaves_no_entry(postgresql_store: Store) -> None:
    store = postgresql_store
    with suppress(LostRace), store.write() as late:
        late.add_audit(ENTRY)
        late.tenants()
        with store.write() as early:
            early.set_announced("log", 1)
            early.add_audit(replace(ENTRY, subject="host:kyoto-2"))
        late.set_announced("log", 2)
        raise AssertionError("one of the two loses")
    assert assert_whole(store) == 1


def test_the_trail_of_an_earlier_yui_is_chained_as_it_stands(new_url: Callable[[], str]) -> None:
    url = new_url()
    row = (
        "INSERT INTO audit_entries"
        " (sequence, at, principal, role, tenant, action, subject, outcome, fields)"
        " VALUES (:n, '2026-04-01 12:00:00.5', 'sato', 'operator', :tenant, :action, 's', 'done', :f)"
    )
    with written_by("0007", url) as old:
        for number, tenant, action, fields in (
            (3, None, "pool.apply", None),
            (4, "262013", "server.migrate", '{"label": "当番", "target": "kyoto-2"}'),
            (9, "262013", "server.stop", '{"label": "当番", "ratio": 4.0}'),
            (12, None, "host.drain", "{}"),
        ):
            old.execute(text(row), {"n": number, "tenant": tenant, "action": action, "f": fields})
    with opened(url) as store:
        assert assert_whole(store) == 4
        with store.write() as tx:
            tx.add_audit(replace(ENTRY, tenant="262013"))
        assert assert_whole(store) == 5
        with store.read() as tx:
            moved = tx.audit(0, 1, "member:262013")[0]
    assert moved.fields == {"label": "当番"}
    assert moved.hardware is not None
    assert moved.hardware["target"] == "kyoto-2"
