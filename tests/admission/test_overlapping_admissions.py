"""An admission whose ground shifts under it, on PostgreSQL, plans again and keeps the promise.

Each story lets somebody else commit after the admission has taken its snapshot and before it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from control_plane.admission import NewServer, admit, certify
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Suspect
from control_plane.model.ids import SystemId
from control_plane.model.pool import DomainKind, Duty, StoragePool
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.store import Store, Transaction
from tests.admission.asking import ask, assert_sound, new, nothing_else, pair
from tests.postgresql import somebody_waits_for_a_lock
from tests.store import samples
from tests.store.processes import opened
from tests.store.samples import KYOTO, host_id, server_id

pytestmark = pytest.mark.postgresql


def every_host(change: Callable[[Transaction, int], object]) -> Callable[[Store], object]:
    """Whichever host the plan has chosen, it is among these."""
    return lambda store: samples.attempt(store, *[lambda tx, n=n: change(tx, n) for n in (1, 2, 3)])


def shrink_storage(store: Store) -> None:
    room_for_one = StoragePool(samples.POOL, GiB(10), "/srv/yui")
    samples.attempt(store, lambda tx: tx.put_site(samples.site(storage_pools=(room_for_one,))))


_SHIFTS: dict[str, Callable[[Store], object]] = {
    "the same room is given to another": lambda store: ask(store, *map(new, range(20, 26))),
    "another takes a pair of hosts": lambda store: ask(store, *pair(20)),
    "the hosts drain": every_host(
        lambda tx, n: tx.save_host(replace(tx.host(host_id(n)), duty=Duty.DRAINING))
    ),
    "the hosts fall silent": every_host(
        lambda tx, n: tx.save_host(
            replace(tx.host(host_id(n)), health=Suspect(samples.NOON, "mgmt"))
        )
    ),
    "the hosts shrink": every_host(
        lambda tx, n: tx.put_host_description(samples.host(n, Resources(VCpu(1), MiB(512))))
    ),
    "storage shrinks": shrink_storage,
}


@pytest.mark.parametrize("case", _SHIFTS)
def test_an_admission_plans_again_when(postgresql_store: Store, case: str) -> None:
    store = postgresql_store
    samples.furnish(store)
    tries: list[int] = []

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        tries.append(len(tx.servers()))
        if len(tries) == 1:
            _SHIFTS[case](store)
        return [new(1), new(2)]

    try:
        admit(store, KYOTO, prepare, nothing_else)
    except YuiError as refusal:
        if refusal.type != "no-room":
            raise
    # Looked at, asked again as the plan was to be kept, and then looked at anew.
    assert len(tries) > 2, "the first plan went in although its ground had shifted"
    assert_sound(store)


def test_two_that_want_the_last_room_never_both_get_it(postgresql_store: Store) -> None:
    store = postgresql_store
    samples.furnish(store)
    ask(store, *map(new, range(15)))

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        if len(tx.servers()) == 15:
            ask(store, new(30))
        return [new(31)]

    with pytest.raises(YuiError) as refusal:
        admit(store, KYOTO, prepare, nothing_else)
    assert refusal.value.type == "no-room"
    ledger = assert_sound(store)
    assert len(ledger.workloads) == 16
    assert server_id(30) in ledger.workloads


def test_two_members_that_come_at_the_same_moment_get_networks_of_their_own(
    postgresql_store: Store,
) -> None:
    store, other = postgresql_store, SystemId("262048-resident-records")
    samples.furnish(store)
    with store.write() as tx:
        tx.put_site(samples.site(member_prefix=28))
        tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))
        tx.add_system(samples.system(other, samples.UJI))

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        if not tx.servers():
            ask(store, new(1), new(2))
        return [new(3, system=other), new(4, system=other)]

    admit(store, KYOTO, prepare, nothing_else)
    assert_sound(store)
    with store.read() as tx:
        first, second = tx.networks()
        assert first.segment != second.segment
        assert not first.subnets[0].addresses.overlaps(second.subnets[0].addresses)
        for network in (first, second):
            addresses = [IPv4Interface(s.address).network for s in tx.servers(network.tenant)]
            assert addresses == [network.subnets[0].addresses] * 2


def test_a_rehearsal_that_overlaps_a_real_admission_changes_nothing(
    postgresql_store: Store,
) -> None:
    store = postgresql_store
    samples.furnish(store)

    def prepare(tx: Transaction) -> Sequence[NewServer]:
        if not tx.servers():
            ask(store, new(1))
        return [new(2)]

    answer = admit(store, KYOTO, prepare, nothing_else, dry_run=True)
    assert [server.id for server in answer.servers] == [server_id(2)]
    assert set(assert_sound(store).workloads) == {server_id(1)}


def test_what_is_promised_changes_before_an_admission_or_after_it_but_not_meanwhile(
    postgresql_url: str,
) -> None:
    url = postgresql_url
    with opened(url) as store, ThreadPoolExecutor(1) as operator:
        samples.furnish(store, hosts=4)
        kinds = frozenset({DomainKind.HOST, DomainKind.RACK})

        def promise_more() -> None:
            samples.attempt(store, lambda tx: tx.put_region(samples.region(promised=kinds)))
            certify(store, KYOTO, None)

        under_way: list[Future[None]] = []

        def prepare(tx: Transaction) -> Sequence[NewServer]:
            assert tx.tenants()
            if not under_way:
                under_way.append(operator.submit(promise_more))
                while not (under_way[0].done() or somebody_waits_for_a_lock(url)):
                    pass
            return [new(1), new(2)]

        admit(store, KYOTO, prepare, nothing_else)
        under_way[0].result()
        assert assert_sound(store).promised == kinds
