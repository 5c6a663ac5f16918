"""Several control planes fill one pool at once, and it ends exactly full."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from control_plane.admission import certify, move
from control_plane.model.errors import YuiError
from control_plane.model.pool import Duty
from control_plane.model.units import GiB
from control_plane.model.workload import Moving
from control_plane.store import LostRace, Store, Transaction
from tests.admission.asking import ask, assert_sound, new
from tests.store import samples
from tests.store.processes import opened, process

# Four hosts that hold eight each, one of which may die: three times eight can be promised.
_HOSTS = 4
_FITS = 24
_PROCESSES = 4


def fill(store: Store, first: int) -> list[str]:
    """Ask for servers, one after another, until there is no more room; the ids of those given."""
    given: list[str] = []
    for number in range(first, first + 100):
        try:
            given.extend(server.id for server in ask(store, new(number)).servers)
        except YuiError as refusal:
            if refusal.type != "no-room":
                raise
            return given
    raise AssertionError("the pool never became full")


def fill_in_process(talk: Connection, url: str, first: int) -> None:
    with opened(url) as store:
        talk.send("ready")
        talk.recv()
        talk.send(fill(store, first))


def fill_from_processes(url: str) -> list[str]:
    with ExitStack() as stack:
        processes = [
            stack.enter_context(process(fill_in_process, url, 1000 * number))
            for number in range(_PROCESSES)
        ]
        for one in processes:
            assert one.hear() == "ready"
        for one in processes:
            one.say("go")
        return [id for one in processes for id in one.hear()]


@pytest.mark.long
@pytest.mark.postgresql
def test_processes_that_admit_at_once_never_promise_more_than_the_hosts_hold(
    postgresql_url: str,
) -> None:
    with opened(postgresql_url) as store:
        samples.furnish(store, hosts=_HOSTS)
        given = fill_from_processes(postgresql_url)
        ledger = assert_sound(store)
    assert len(given) == len(set(given)) == _FITS
    assert set(ledger.workloads) == set(given), "an admission that was answered has been lost"


@pytest.mark.postgresql
def test_processes_that_admit_at_once_never_promise_more_than_the_storage_holds(
    postgresql_url: str,
) -> None:
    with opened(postgresql_url) as store:
        samples.furnish(store, hosts=_HOSTS, capacity=105)
        given = fill_from_processes(postgresql_url)
        ledger = assert_sound(store)
        assert ledger.storage[samples.POOL].used == GiB(100)
    assert len(given) == len(set(given)) == 10
    assert set(ledger.workloads) == set(given)


def test_threads_that_admit_at_once_on_one_file_never_promise_more_than_the_hosts_hold(
    tmp_path: Path,
) -> None:
    with opened(f"sqlite:///{tmp_path}/state.db") as store, ThreadPoolExecutor(4) as threads:
        samples.furnish(store, hosts=_HOSTS)
        filled = threads.map(lambda number: fill(store, 1000 * number), range(4))
        given = [id for part in filled for id in part]
        ledger = assert_sound(store)
    assert len(given) == len(set(given)) == _FITS
    assert set(ledger.workloads) == set(given)


@pytest.mark.postgresql
def test_admissions_drains_moves_and_certificates_all_at_once_leave_a_valid_certificate(
    postgresql_store: Store,
) -> None:
    store = postgresql_store
    samples.furnish(store, hosts=6)
    ask(store, *map(new, range(4)))

    def admit_some(first: int) -> None:
        for number in range(first, first + 6):
            _insist(lambda number=number: ask(store, new(number)))

    def drain_and_return() -> None:
        for number in (1, 2, 3, 1):
            _insist(lambda n=number: _set_duty(store, n, Duty.DRAINING))
            _insist(lambda: certify(store, samples.KYOTO, None))
            _insist(lambda n=number: _set_duty(store, n, Duty.IN_SERVICE))

    def move_about() -> None:
        for number in (0, 1, 2, 3, 0, 1):
            _insist(lambda n=number: move(store, samples.server_id(n), None, None))
            _insist(lambda n=number: _arrive(store, n))

    with ThreadPoolExecutor(4) as threads:
        work = [
            threads.submit(admit_some, 100),
            threads.submit(admit_some, 200),
            threads.submit(drain_and_return),
            threads.submit(move_about),
        ]
    for done in work:
        done.result()
    assert certify(store, samples.KYOTO, None).uncovered == ()
    assert len(assert_sound(store).workloads) == 16


def _insist(change: Callable[[], object]) -> None:
    """As a reconciler does, at its next tick."""
    for _ in range(100):
        try:
            change()
        except LostRace:
            continue
        return
    raise AssertionError("a hundred lost races")


def _set_duty(store: Store, number: int, duty: Duty) -> None:
    samples.attempt(
        store, lambda tx: tx.save_host(replace(tx.host(samples.host_id(number)), duty=duty))
    )


def _arrive(store: Store, number: int) -> None:
    def arrive(tx: Transaction) -> None:
        server = tx.server(samples.server_id(number))
        assert isinstance(server.placement, Moving)
        tx.save_server(replace(server, placement=server.placement.arrived()))

    samples.attempt(store, arrive)
