"""Lists come in an order, in pieces, and with nothing of other members."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from control_plane.model.access import AuditEntry, Role, Token
from control_plane.model.ids import OperationId, SystemId
from control_plane.model.operation import Event, OperationState, Severity
from control_plane.model.workload import Moving, Placed, Seen
from control_plane.store import IdempotentAnswer, LostRace, Store
from tests.store import samples
from tests.store.samples import FUKUCHIYAMA, MAIZURU, NOON, host_id, later, server_id


def test_servers_are_found_by_member_system_host_and_page(store: Store) -> None:
    samples.furnish(store)
    other = SystemId("262021-library")
    with store.write() as tx:
        tx.add_tenant(samples.tenant(MAIZURU, "舞鶴市"))
        tx.add_system(samples.system(other, MAIZURU))
        tx.add_server(samples.server(1))
        tx.add_server(samples.server(2, Moving(host_id(1), host_id(2))))
        tx.add_server(samples.server(3, Placed(host_id(3)), tenant=MAIZURU, system=other))

    with store.read() as tx:

        def found(**wanted: object) -> list[int]:
            return [int(server.id[-4:]) for server in tx.servers(**wanted)]

        assert found() == [1, 2, 3]
        assert found(tenant=MAIZURU) == found(tenant="262021") == found(system=other) == [3]
        assert found(host=host_id(1)) == [1, 2]
        assert found(host=host_id(2)) == [2]
        assert found(host=host_id(2), tenant=MAIZURU) == []
        assert found(limit=2) == [1, 2]
        assert found(limit=2, after=server_id(2)) == [3]
        assert [system.id for system in tx.systems(tenant=FUKUCHIYAMA)] == [samples.SYSTEM]
        assert [tenant.code for tenant in tx.tenants()] == [FUKUCHIYAMA, MAIZURU]


def test_operations_are_listed_newest_first_in_pages(store: Store) -> None:
    with store.write() as tx:
        for number in range(5):
            operation = samples.operation(number)
            # Two of one instant: a page must neither repeat nor skip one of them.
            at = later(number // 2)
            tx.put_operation(
                replace(
                    operation,
                    created_at=at,
                    tenant="262021" if number == 4 else operation.tenant,
                    state=OperationState.DONE if number == 0 else OperationState.RUNNING,
                )
            )
    with store.read() as tx:

        def found(**wanted: object) -> list[int]:
            return [int(one.id[-4:]) for one in tx.operations(**wanted)]

        assert found() == [4, 3, 2, 1, 0]
        assert found(limit=2) == [4, 3]
        assert found(limit=2, after=OperationId("operation-0003")) == [2, 1]
        assert found(tenant=FUKUCHIYAMA) == [3, 2, 1, 0]
        assert found(tenant=MAIZURU) == [4]
        assert found(state=OperationState.DONE) == [0]
        with pytest.raises(Exception, match="no operation"):
            tx.operations(tenant=MAIZURU, after=OperationId("operation-0003"))


def test_events_are_numbered_in_order_and_read_from_where_one_left_off(store: Store) -> None:
    with store.read() as tx:
        assert tx.last_event() == 0
    with store.write() as tx:
        first = tx.add_event(_event("first"))
        second = tx.add_event(_event("second", "262013"))
    with store.write() as tx:
        third = tx.add_event(_event("third", "262021"))
    assert 0 < first.sequence < second.sequence < third.sequence
    with store.read() as tx:
        assert tx.events(0, 10) == (first, second, third)
        assert tx.events(first.sequence, 1) == (second,)
        assert tx.events(0, 10, tenant="262013") == (replace(second, sequence=1),)
        assert tx.events(1, 10, tenant="262013") == ()
        assert tx.events(0, 10, about="262013") == (second,)
        assert tx.events(third.sequence, 10) == ()
        assert tx.last_event() == third.sequence


@pytest.mark.postgresql
def test_a_reader_never_misses_an_event_that_was_numbered_before_one_it_has_seen(
    postgresql_store: Store,
) -> None:
    """Threads write as fast as they can while one reads on from the last number it saw."""
    store, writers, each = postgresql_store, 4, 25

    def write(writer: int) -> None:
        for number in range(each):
            with store.write() as tx:
                tx.add_event(_event(f"{writer}-{number}"))
                # A slow transaction with an early number is what could be overtaken.
                tx.put_operation(samples.operation(writer * each + number))

    seen: list[Event] = []
    with ThreadPoolExecutor(writers) as threads:
        work = [threads.submit(write, writer) for writer in range(writers)]
        while len(seen) < writers * each:
            for done in work:
                if done.done():
                    done.result()
            all_written = all(done.done() for done in work)
            with store.read() as tx:
                seen.extend(tx.events(seen[-1].sequence if seen else 0, 1000))
            if all_written:
                break
    assert len({event.subject for event in seen}) == writers * each


def test_audit_entries_are_read_in_order(store: Store) -> None:
    entry = AuditEntry(NOON, "tok", Role.MEMBER_ADMIN, "262013", "server.stop", "server:1", "done")
    with store.write() as tx:
        tx.add_audit(replace(entry, tenant=None))
        tx.add_audit(entry)
        tx.add_audit(replace(entry, tenant=None))
    with store.read() as tx:
        found = tx.audit(0, 10)
        assert [(e.sequence, e.tenant, e.position) for e in found] == [
            (1, None, 1),
            (2, "262013", 1),
            (3, None, 2),
        ]
        assert tx.audit(1, 10) == found[1:]
        assert tx.audit(0, 10, "member:262013") == found[1:2]
        assert tx.audit(1, 10, "consortium") == found[2:]


def test_a_revoked_token_is_gone(store: Store) -> None:
    token = Token("tok", "hash", Role.OPERATOR, None, "当番")
    with store.write() as tx:
        tx.add_token(token)
    with store.read() as tx:
        assert tx.tokens() == (token,)
        assert tx.tokens(tenant="262013") == ()
    with pytest.raises(Exception, match="exists already"):
        samples.attempt(store, lambda tx: tx.add_token(token))
    with store.write() as tx:
        tx.revoke_token("tok")
    with store.read() as tx:
        assert tx.token_by_id("tok") is None


def test_one_key_is_answered_once_and_forgotten_in_time(store: Store) -> None:
    answer = IdempotentAnswer("key", "tok", "digest", 204, None, NOON)
    with store.write() as tx:
        tx.put_idempotent(answer)
        tx.put_idempotent(replace(answer, key="later", at=later(60)))
    with pytest.raises(LostRace):
        samples.attempt(store, lambda tx: tx.put_idempotent(replace(answer, status=500)))
    with store.write() as tx:
        assert tx.forget_idempotent(later(1)) == 1
    with store.read() as tx:
        assert tx.find_idempotent("key", "tok") is None
        assert tx.find_idempotent("later", "tok") is not None


def test_sightings_of_many_servers_are_written_at_once(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        tx.add_server(samples.server(2))
        tx.set_seen_of({})
        tx.set_seen_of({server_id(1): Seen.RUNNING, server_id(9): Seen.RUNNING})
    with store.read() as tx:
        assert [server.seen for server in tx.servers()] == [Seen.RUNNING, Seen.NOWHERE]


def _event(subject: str, tenant: str | None = None) -> Event:
    return Event("host.up", subject, NOON, Severity.INFO, "Up.", "復旧しました。", tenant)
