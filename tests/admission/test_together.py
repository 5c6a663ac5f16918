"""What many ask for at once is decided together, as if one had asked after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from control_plane.admission import Admitted, NewServer, admit
from control_plane.admission.settle import turns_of
from control_plane.model.errors import YuiError
from control_plane.model.units import GiB, MiB, Resources, Seconds, VCpu
from control_plane.model.workload import Flavor, Server
from control_plane.store import Store, Transaction
from tests.admission.asking import assert_sound, new, nothing_else
from tests.store import samples
from tests.store.samples import KYOTO, server_id


def ask_at_once(store: Store, *wanted: Sequence[NewServer]) -> list[Future[Admitted[None]]]:
    """Each waits until all do, and is refused a name that a server has."""

    def ask(new: Sequence[NewServer]) -> Admitted[None]:
        def prepare(tx: Transaction) -> Sequence[NewServer]:
            taken = tx.server_names_taken(samples.FUKUCHIYAMA, [one.name for one in new])
            if taken:
                raise YuiError("server-name-taken", en=f"{taken}", ja=f"{taken}")
            return new

        return admit(store, KYOTO, prepare, nothing_else, together=True)

    turns = turns_of(store, KYOTO)
    with ThreadPoolExecutor(len(wanted)) as threads:
        with turns.one_by_one(Seconds(60)):
            asked = [threads.submit(ask, new) for new in wanted]
            give_up = time.monotonic() + 0.4
            while turns.waiting < len(wanted) and time.monotonic() < give_up:
                time.sleep(0.001)
        return asked


def refusals(asked: Sequence[Future[Admitted[None]]]) -> list[str]:
    found = [each.exception() for each in asked]
    return [error.type for error in found if isinstance(error, YuiError)]


def test_everybody_gets_what_it_asked_for_and_hears_of_nothing_else(store: Store) -> None:
    samples.furnish(store)
    asked = ask_at_once(store, *([new(number)] for number in range(1, 9)))
    for number, answer in enumerate((each.result() for each in asked), 1):
        assert [server.id for server in answer.servers] == [server_id(number)]
        assert answer.plan is not None
        assert set(answer.plan.hosts) == {server_id(number)}
        assert {server for _, server in answer.refuges} == {server_id(number)}
    assert len(assert_sound(store).workloads) == 8


def test_one_that_finds_no_room_takes_nobody_with_it(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.put_flavor(Flavor(samples.flavor().id, Resources(VCpu(1), MiB(512)), GiB(10)))
    big = [new(number) for number in range(20, 60)]
    asked = ask_at_once(store, [new(1)], big, [new(2)])
    assert refusals(asked) == ["no-room"]
    assert set(assert_sound(store).workloads) == {server_id(1), server_id(2)}


def test_two_that_want_one_name_do_not_both_get_it(store: Store) -> None:
    samples.furnish(store)
    asked = ask_at_once(store, [new(1)], [new(2, name="db1")], [new(3)])
    assert refusals(asked) == ["server-name-taken"]
    with store.read() as tx:
        assert sorted(server.name for server in tx.servers()) == ["db1", "db3"]
    assert_sound(store)


def test_what_one_takes_of_the_last_room_is_not_there_for_the_other(store: Store) -> None:
    samples.furnish(store)
    asked = ask_at_once(store, *([new(number)] for number in range(1, 25)))
    placed = [each.result().servers for each in asked if each.exception() is None]
    assert set(refusals(asked)) == {"no-room"}
    assert len(assert_sound(store).workloads) == sum(map(len, placed)) == 16


def test_an_operation_is_written_for_each(store: Store) -> None:
    samples.furnish(store)

    def finish(tx: Transaction, servers: Sequence[Server]) -> str:
        (server,) = servers
        tx.put_operation(samples.operation(int(server.id[-4:])))
        return server.id

    def ask(number: int) -> str:
        return admit(store, KYOTO, lambda _: [new(number)], finish, together=True).result

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(ask, range(1, 7))) == [server_id(n) for n in range(1, 7)]
    with store.read() as tx:
        assert len(tx.operations()) == 6
