"""Moves and renewed certificates keep every promise, or say which one cannot be kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.admission import certify, move
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.pool import DomainKind, Duty
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Server, Stranded
from control_plane.placement import check
from control_plane.store import Lease, LeaseLost, Store, Transaction
from tests.admission.asking import ask, assert_sound, ledger_of, new
from tests.store import samples
from tests.store.samples import KYOTO, NOON, host_id, later, server_id


def _lease(store: Store) -> Lease:
    lease = store.acquire_lease("reconciler", "one", Seconds(10), NOON)
    assert lease is not None
    return lease


def _host_of(store: Store, number: int) -> HostId:
    with store.read() as tx:
        placement = tx.server(server_id(number)).placement
    assert isinstance(placement, Placed)
    return placement.host


def test_a_moving_server_holds_room_on_both_hosts_and_both_are_marked(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1))
    source = _host_of(store, 1)
    target = next(id for id in map(host_id, (1, 2, 3)) if id != source)
    before = ledger_of(store)
    moving = move(store, server_id(1), target, _lease(store)).after
    assert moving.placement == Moving(source, target)
    assert moving.generation == 2
    after = assert_sound(store)
    assert after.workloads[server_id(1)].hosts == (source, target)
    assert after.hosts[target].generation > before.hosts[target].generation
    assert after.hosts[source].generation > before.hosts[source].generation


def test_without_a_target_a_host_is_chosen_that_is_not_the_one_to_leave(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1))
    source = _host_of(store, 1)
    with store.write() as tx:
        tx.save_host(replace(tx.host(source), duty=Duty.DRAINING))
    placement = move(store, server_id(1), None, _lease(store)).after.placement
    assert isinstance(placement, Moving)
    assert placement.source == source != placement.target


def test_a_move_is_recorded_with_what_its_caller_writes_or_not_at_all(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1))
    before = ledger_of(store)

    def record(tx: Transaction, server: Server) -> None:
        assert isinstance(server.placement, Moving)
        tx.put_operation(samples.operation(1))

    def fail(_: Transaction, __: Server) -> None:
        raise RuntimeError("the caller's own mistake")

    rehearsed = move(store, server_id(1), None, None, finish=record, dry_run=True).after
    with pytest.raises(RuntimeError):
        move(store, server_id(1), None, None, finish=fail)
    assert ledger_of(store) == before
    with store.read() as tx:
        assert tx.operations() == ()
    assert move(store, server_id(1), None, None, finish=record).after == rehearsed
    with store.read() as tx:
        assert tx.operations() == (samples.operation(1),)


_CANNOT_MOVE = {
    "server-moving": lambda tx: tx.save_server(
        replace(tx.server(server_id(1)), placement=Moving(host_id(1), host_id(2)))
    ),
    "server-stranded": lambda tx: tx.save_server(
        replace(tx.server(server_id(1)), placement=Stranded(samples.evidence()))
    ),
    "server-deleting": lambda tx: tx.save_server(replace(tx.server(server_id(1)), deleting=True)),
    "server-already-there": lambda tx: tx.save_server(
        replace(tx.server(server_id(1)), placement=Placed(host_id(3)))
    ),
}


@pytest.mark.parametrize("type", _CANNOT_MOVE)
def test_a_server_that_cannot_move_says_why(store: Store, type: str) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        _CANNOT_MOVE[type](tx)
    before = ledger_of(store)
    with pytest.raises(YuiError) as refusal:
        move(store, server_id(1), host_id(3), _lease(store))
    assert refusal.value.type == type
    assert refusal.value.status == 409
    assert refusal.value.en.endswith(".")
    assert refusal.value.ja.endswith("。")
    assert ledger_of(store) == before


def test_unknown_servers_hosts_and_regions_are_not_found(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1))
    lease = _lease(store)
    for attempt, type in (
        (lambda: move(store, ServerId("nowhere"), None, lease), "server-not-found"),
        (lambda: move(store, server_id(1), HostId("nowhere"), lease), "host-not-found"),
        (lambda: certify(store, RegionId("nowhere"), lease), "region-not-found"),
    ):
        with pytest.raises(YuiError) as refusal:
            attempt()
        assert refusal.value.type == type


def test_a_move_that_would_break_a_promise_is_refused(store: Store) -> None:
    samples.furnish(store, hosts=2)
    ask(store, *map(new, range(8)))
    busy = _host_of(store, 0)
    other = host_id(2) if busy == host_id(1) else host_id(1)
    with store.write() as tx:
        tx.put_host_description(samples.host(int(other[-1]), samples.ONE))
    with pytest.raises(YuiError) as refusal:
        move(store, server_id(0), other, _lease(store))
    assert refusal.value.type == "no-room"


def test_a_leader_that_was_replaced_neither_moves_nor_certifies(store: Store) -> None:
    samples.furnish(store)
    ask(store, new(1))
    lease = _lease(store)
    assert store.acquire_lease("reconciler", "two", Seconds(10), later(60)) is not None
    before = ledger_of(store)
    with pytest.raises(LeaseLost):
        move(store, server_id(1), None, lease)
    with pytest.raises(LeaseLost):
        certify(store, KYOTO, lease)
    assert ledger_of(store) == before


def test_a_certificate_is_renewed_without_a_host_that_left(store: Store) -> None:
    samples.furnish(store, hosts=4)
    ask(store, *map(new, range(6)))
    with store.write() as tx:
        tx.save_host(replace(tx.host(host_id(4)), duty=Duty.DRAINING))
    answer = certify(store, KYOTO, _lease(store))
    assert answer.uncovered == ()
    ledger = assert_sound(store)
    assert dict(ledger.certificate.refuges) == dict(answer.refuges)
    assert host_id(4) not in ledger.certificate.refuges.values()


def test_a_new_promise_is_proved_or_the_exact_reason_is_given(store: Store) -> None:
    samples.furnish(store, hosts=4)
    ask(store, *map(new, range(4)))
    with store.write() as tx:
        tx.put_region(samples.region(promised=frozenset({DomainKind.HOST, DomainKind.RACK})))
    assert certify(store, KYOTO, _lease(store)).uncovered == ()
    assert_sound(store)
    with store.write() as tx:
        tx.put_region(samples.region(promised=frozenset({DomainKind.HOST, DomainKind.SITE})))
    answer = certify(store, KYOTO, _lease(store))
    assert {refusal.workload for refusal in answer.uncovered} == set(map(server_id, range(4)))
    assert all(refusal.explain_en() and refusal.explain_ja() for refusal in answer.uncovered)
    assert check(ledger_of(store)) != ()


def test_certifying_what_is_certified_changes_nothing(store: Store) -> None:
    samples.furnish(store)
    ask(store, *map(new, range(6)))
    lease = _lease(store)
    certify(store, KYOTO, lease)
    before = ledger_of(store)
    certify(store, KYOTO, lease)
    assert ledger_of(store) == before
