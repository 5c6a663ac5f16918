"""Only the holder of a lease writes under it, however long the holder before was asleep."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from control_plane.model.units import Seconds
from control_plane.store import Lease, LeaseLost, Store
from tests.postgresql import somebody_waits_for_a_lock
from tests.store import samples
from tests.store.processes import lead, opened, process
from tests.store.samples import NOON, later

TEN = Seconds(10)


def test_a_held_lease_is_given_to_nobody_else_until_it_runs_out(store: Store) -> None:
    first = store.acquire_lease("reconciler", "one", TEN, NOON)
    assert first == Lease("reconciler", "one", 1, later(10))
    assert store.acquire_lease("reconciler", "two", TEN, later(9)) is None
    with store.read() as tx:
        assert tx.lease("reconciler") == first
        assert tx.lease("another") is None
    second = store.acquire_lease("reconciler", "two", TEN, later(10))
    assert second == Lease("reconciler", "two", 2, later(20))


def test_a_renewed_lease_keeps_its_token_and_lasts_longer(store: Store) -> None:
    lease = _acquire(store, "one")
    renewed = store.renew_lease(lease, TEN, later(8))
    assert renewed == Lease("reconciler", "one", lease.token, later(18))
    assert store.acquire_lease("reconciler", "two", TEN, later(17)) is None


def test_a_lease_that_ran_out_and_was_left_alone_can_still_be_renewed(store: Store) -> None:
    lease = _acquire(store, "one")
    assert store.renew_lease(lease, TEN, later(100)).token == lease.token


def test_tokens_only_grow_also_across_release_and_restart(store: Store) -> None:
    first = _acquire(store, "one")
    store.release_lease(first)
    second = _acquire(store, "two")
    restarted = _acquire(store, "two")
    third = _acquire(store, "three", later(60))
    store.release_lease(third)
    again = _acquire(store, "one", later(60))
    leases = (first, second, restarted, third, again)
    assert [lease.token for lease in leases] == [1, 2, 3, 4, 5]


def test_a_released_lease_is_held_by_nobody(store: Store) -> None:
    store.release_lease(_acquire(store, "one"))
    with store.read() as tx:
        assert tx.lease("reconciler") is None


def test_a_holder_that_restarts_gets_a_new_token_and_its_older_self_loses(store: Store) -> None:
    older = _acquire(store, "one")
    newer = _acquire(store, "one")
    assert newer.token > older.token
    with pytest.raises(LeaseLost), store.write(older):
        pass


@pytest.mark.parametrize("how", ["taken over", "released", "never held"])
def test_nothing_is_written_under_a_lease_that_was(store: Store, how: str) -> None:
    lease = _acquire(store, "one")
    if how == "taken over":
        assert store.acquire_lease("reconciler", "two", TEN, later(60)) is not None
    elif how == "released":
        store.release_lease(lease)
    else:
        lease = Lease("unheard-of", "one", 1, later(60))
    with pytest.raises(LeaseLost) as lost, store.write(lease) as tx:
        tx.put_region(samples.region())
    assert lost.value.type == "lease-lost"
    with store.read() as tx:
        assert tx.regions() == ()
    with pytest.raises(LeaseLost):
        store.renew_lease(lease, TEN, later(61))
    with pytest.raises(LeaseLost):
        store.release_lease(lease)


def test_under_a_held_lease_writing_works_also_while_it_is_renewed(store: Store) -> None:
    lease = _acquire(store, "one")
    renewed = store.renew_lease(lease, TEN, later(5))
    for held in (lease, renewed):
        with store.write(held) as tx:
            tx.put_region(samples.region(name=str(held.expires_at)))
    with store.read() as tx:
        assert tx.region(samples.KYOTO).name == str(renewed.expires_at)


@pytest.mark.postgresql
def test_a_leader_that_slept_through_a_takeover_cannot_write(postgresql_url: str) -> None:
    with opened(postgresql_url) as store, process(lead, postgresql_url, Seconds(30)) as leader:
        assert leader.hear() == "holds the lease"
        os.kill(leader.pid, signal.SIGSTOP)
        assert store.acquire_lease("reconciler", "two", TEN, later(60)) is not None
        os.kill(leader.pid, signal.SIGCONT)
        leader.say("write")
        assert leader.hear() == "lease-lost"
        with store.read() as tx:
            assert tx.regions() == ()


@pytest.mark.postgresql
def test_a_leader_that_falls_asleep_as_it_writes_holds_nobody_up_and_writes_nothing(
    postgresql_url: str,
) -> None:
    with opened(postgresql_url) as store, process(lead, postgresql_url, Seconds(1)) as leader:
        assert leader.hear() == "holds the lease"
        leader.say("write")
        assert leader.hear() == "inside"
        os.kill(leader.pid, signal.SIGSTOP)
        # PostgreSQL ends the sleeper's transaction first.
        taken = store.acquire_lease("reconciler", "two", TEN, later(60))
        assert taken is not None
        os.kill(leader.pid, signal.SIGCONT)
        leader.say("go on")
        assert leader.hear() in ("lost-race", "state-unreachable")
        with store.read() as tx:
            assert tx.regions() == ()
            assert tx.lease("reconciler") == taken


@pytest.mark.postgresql
def test_a_takeover_waits_for_the_write_that_was_there_first(postgresql_url: str) -> None:
    with (
        opened(postgresql_url) as store,
        process(lead, postgresql_url, Seconds(60)) as leader,
        ThreadPoolExecutor(1) as other,
    ):
        assert leader.hear() == "holds the lease"
        leader.say("write")
        assert leader.hear() == "inside"
        takeover = other.submit(store.acquire_lease, "reconciler", "two", TEN, later(60))
        while not somebody_waits_for_a_lock(postgresql_url):
            assert not takeover.done(), "the lease was taken over in the middle of a write"
        leader.say("go on")
        assert leader.hear() == "written"
        assert takeover.result() is not None


@pytest.mark.postgresql
def test_of_many_that_ask_at_once_one_gets_the_lease(postgresql_url: str) -> None:
    with opened(postgresql_url) as store, ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit(store.acquire_lease, "reconciler", f"holder-{number}", TEN, NOON)
            for number in range(24)
        ]
        given = [lease for answer in asked if (lease := answer.result()) is not None]
    assert [lease.token for lease in given] == [1]


def _acquire(store: Store, holder: str, now: datetime = NOON) -> Lease:
    lease = store.acquire_lease("reconciler", holder, TEN, now)
    assert lease is not None
    return lease
