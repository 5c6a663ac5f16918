"""Whoever decided by what is no longer so loses its race, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.model.ids import Generation
from control_plane.model.pool import DomainKind, Duty, FailureDomain
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Moving, Placed, Power, Seen, Stranded
from control_plane.store import LostRace, Store, Transaction
from tests.store import samples
from tests.store.samples import host_id, server_id

OWN = FailureDomain(DomainKind.HOST, host_id(1))


def generation(store: Store, number: int) -> int:
    with store.read() as tx:
        return tx.host(host_id(number)).generation


def test_a_host_saved_from_an_old_reading_loses_its_race(store: Store) -> None:
    samples.furnish(store)
    with store.read() as tx:
        read = tx.host(host_id(1))
    with store.write() as tx:
        saved = tx.save_host(replace(read, duty=Duty.DRAINING))
    assert saved.generation == read.generation + 1
    with pytest.raises(LostRace):
        samples.attempt(store, lambda tx: tx.save_host(replace(read, duty=Duty.MAINTENANCE)))
    with store.read() as tx:
        assert tx.host(host_id(1)) == saved


def test_a_server_saved_from_an_old_reading_loses_its_race(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        first = tx.add_server(samples.server(1))
    with store.write() as tx:
        saved = tx.save_server(replace(first, power=Power.STOPPED))
    assert saved.generation == 2
    with pytest.raises(LostRace):
        samples.attempt(store, lambda tx: tx.save_server(replace(first, deleting=True)))
    with store.read() as tx:
        assert tx.server(first.id) == saved


def test_a_guard_raises_every_host_or_none(store: Store) -> None:
    samples.furnish(store)
    current = Generation(generation(store, 1))
    with store.write() as tx:
        tx.guard_hosts({host_id(1): current, host_id(2): current})
    assert (generation(store, 1), generation(store, 2)) == (current + 1, current + 1)
    with pytest.raises(LostRace):
        samples.attempt(
            store, lambda tx: tx.guard_hosts({host_id(3): current, host_id(2): current})
        )
    assert generation(store, 3) == current


_GROWTH: dict[str, tuple[Callable[[Transaction], object], set[int]]] = {
    "a server is added": (lambda tx: tx.add_server(samples.server(2, Placed(host_id(2)))), {2}),
    "a server begins to move": (
        lambda tx: tx.save_server(
            replace(tx.server(server_id(1)), placement=Moving(host_id(1), host_id(2)))
        ),
        {2},
    ),
    "a server is evacuated": (
        lambda tx: tx.save_server(replace(tx.server(server_id(1)), placement=Placed(host_id(2)))),
        {2},
    ),
    "a server becomes larger, on its host and its refuge": (
        lambda tx: tx.save_server(
            replace(tx.server(server_id(1)), size=Resources(VCpu(1), MiB(2048)))
        ),
        {1, 3},
    ),
    "a host becomes a refuge": (
        lambda tx: tx.set_refuges(samples.KYOTO, {(OWN, server_id(1)): host_id(2)}),
        {2},
    ),
}


@pytest.mark.parametrize("case", _GROWTH)
def test_a_host_that_comes_to_hold_more_is_marked_when(store: Store, case: str) -> None:
    _with_one_protected_server(store)
    change, marked = _GROWTH[case]
    before = {number: generation(store, number) for number in (1, 2, 3)}
    with store.write() as tx:
        change(tx)
    after = {number: generation(store, number) for number in (1, 2, 3)}
    assert {number for number in after if after[number] != before[number]} == marked


_NO_GROWTH: dict[str, Callable[[Transaction], object]] = {
    "a server is stopped": lambda tx: tx.save_server(
        replace(tx.server(server_id(1)), power=Power.STOPPED)
    ),
    "a server is seen": lambda tx: tx.set_seen(server_id(1), Seen.RUNNING),
    "a server is stranded": lambda tx: tx.save_server(
        replace(tx.server(server_id(1)), placement=Stranded(samples.evidence()))
    ),
    "a server is removed": lambda tx: tx.remove_server(server_id(1)),
    "a refuge is given up": lambda tx: tx.set_refuges(samples.KYOTO, {(OWN, server_id(1)): None}),
    "the pool is described as it was": lambda tx: (
        tx.put_region(samples.region()),
        tx.put_site(samples.site()),
        tx.put_host_description(samples.host(1)),
    ),
}


@pytest.mark.parametrize("case", _NO_GROWTH)
def test_no_host_is_marked_when(store: Store, case: str) -> None:
    _with_one_protected_server(store)
    before = {number: generation(store, number) for number in (1, 2, 3)}
    with store.write() as tx:
        _NO_GROWTH[case](tx)
    assert {number: generation(store, number) for number in (1, 2, 3)} == before


def test_one_transaction_may_mark_a_host_in_several_ways_and_still_save_it(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        read = tx.host(host_id(1))
        tx.add_server(samples.server(1))
        tx.guard_hosts({host_id(1): read.generation})
        tx.add_server(samples.server(2))
        saved = tx.save_host(replace(read, duty=Duty.DRAINING))
    with store.read() as tx:
        assert tx.host(host_id(1)) == saved
    assert saved.generation > read.generation


def test_a_host_cannot_be_saved_twice_from_one_reading_even_in_one_transaction(
    store: Store,
) -> None:
    samples.furnish(store)

    def save_twice(tx: Transaction) -> None:
        read = tx.host(host_id(1))
        tx.save_host(replace(read, duty=Duty.DRAINING))
        tx.save_host(replace(read, traits=frozenset()))

    with pytest.raises(LostRace):
        samples.attempt(store, save_twice)


def test_a_refuge_for_a_server_that_is_gone_loses_its_race(store: Store) -> None:
    samples.furnish(store)
    with pytest.raises(LostRace):
        samples.attempt(
            store,
            lambda tx: tx.set_refuges(samples.KYOTO, {(OWN, server_id(1)): host_id(2)}),
        )


def test_a_new_description_leaves_health_and_duty_alone(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        drained = tx.save_host(replace(tx.host(host_id(1)), duty=Duty.DRAINING))
        smaller = samples.host(1, Resources(VCpu(2), MiB(2048)))
        described = tx.put_host_description(smaller)
    assert (described.health, described.duty) == (drained.health, Duty.DRAINING)
    assert described.capacity == smaller.capacity
    assert described.generation > drained.generation


def test_an_error_anywhere_undoes_the_whole_transaction(store: Store) -> None:
    samples.furnish(store)

    def fail(_: Transaction) -> None:
        raise RuntimeError("the caller's own mistake")

    with pytest.raises(RuntimeError):
        samples.attempt(store, lambda tx: tx.add_server(samples.server(1)), fail)
    with store.read() as tx:
        assert tx.servers() == ()
        assert tx.ledger(samples.KYOTO).storage[samples.POOL].used == GiB(0)


def _with_one_protected_server(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        tx.set_refuges(samples.KYOTO, {(OWN, server_id(1)): host_id(3)})
