"""Hosts are cleaned beside everything else, and only what was seen of them counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from control_plane.model.host_health import Cleaning, Up
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from control_plane.store import Store
from tests.reconcile.small_pool import SmallPool

SLOW = Seconds(20)


@pytest.fixture
def pool(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path}/state.db")
    yield SmallPool(store)
    store.close()


def slow_first_inspection(pool: SmallPool) -> list[str]:
    """Let the first host that is inspected take its time; answers the list of inspections begun."""
    begun: list[str] = []

    def delay(call: str) -> None:
        if call == "facts":
            begun.append(call)
            if len(begun) == 1:
                pool.world.virtual_clock.sleep(SLOW)

    pool.world.gate.before_call = delay
    return begun


def test_a_host_that_is_slow_to_clean_keeps_no_other_waiting(pool):
    slow_first_inspection(pool)
    pool.until(lambda: isinstance(pool.host(2).health, Up), most=SLOW / 2)
    assert isinstance(pool.host(1).health, Cleaning)
    assert isinstance(pool.host(3).health, Up)
    pool.until(pool.all_up)


def test_a_host_that_fell_silent_while_it_was_cleaned_is_cleaned_again(pool):
    begun = slow_first_inspection(pool)
    host = HostId("kyoto-1")
    pool.world.at(Seconds(4), lambda: pool.world.cut_network(host))
    pool.world.at(Seconds(9), lambda: pool.world.restore_network(host))
    pool.until(pool.all_up)
    assert len(begun) == 4, "three hosts, of which one had to be inspected twice"


def test_a_host_that_was_described_anew_while_it_was_cleaned_is_cleaned_again(pool):
    begun = slow_first_inspection(pool)
    pool.until(lambda: isinstance(pool.host(2).health, Up))
    with pool.store.write() as tx:
        tx.put_host_description(replace(pool.host(1), traits=frozenset({"ssd"})))
    pool.until(pool.all_up)
    assert len(begun) == 4


def test_people_are_told_of_a_cleaning_that_does_not_end(pool):
    slow_first_inspection(pool)
    pool.world.gate.before_call = lambda call: (
        pool.world.virtual_clock.sleep(Seconds(600)) if call == "facts" else None
    )
    pool.until(lambda: pool.world.clock.monotonic() > 200)
    with pool.store.read() as tx:
        told = [e.en for e in tx.events(after=0, limit=500) if e.kind == "host.cleaning-failed"]
    assert len(told) == 3
    assert all("it took too long" in text for text in told)
