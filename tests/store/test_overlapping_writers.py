"""Two writers at once on PostgreSQL: of two that meddle with the same thing, one loses its race.

Each story opens both transactions before either has ended, lets one write and commit, and then lets
the other write; and then the same with the parts exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, SystemId
from control_plane.model.pool import DomainKind, Duty, FailureDomain, StoragePool
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Placed, Power, Seen
from control_plane.store import LostRace, Snapshot, Store, Transaction
from tests.store import samples
from tests.store.samples import KYOTO, host_id, server_id

pytestmark = pytest.mark.postgresql

Step = Callable[[Transaction], object]


def add(number: int, host: int) -> Step:
    def step(tx: Transaction) -> None:
        address = tx.allocate_address(samples.SITE)
        tx.add_server(samples.server(number, Placed(host_id(host)), address=address))

    return step


def refuge(server: int, host: int) -> Step:
    domain = FailureDomain(DomainKind.HOST, host_id(1))
    return lambda tx: tx.set_refuges(KYOTO, {(domain, server_id(server)): host_id(host)})


def drain(host: int) -> Step:
    return lambda tx: tx.save_host(replace(tx.host(host_id(host)), duty=Duty.DRAINING))


def describe(host: int) -> Step:
    smaller = Resources(VCpu(1), MiB(512))
    return lambda tx: tx.put_host_description(samples.host(host, smaller))


def stop(server: int) -> Step:
    return lambda tx: tx.save_server(replace(tx.server(server_id(server)), power=Power.STOPPED))


def evacuate(server: int, host: int) -> Step:
    return lambda tx: tx.save_server(
        replace(tx.server(server_id(server)), placement=Placed(host_id(host)))
    )


def remove(server: int) -> Step:
    return lambda tx: tx.remove_server(server_id(server))


def remove_host(host: int) -> Step:
    return lambda tx: tx.remove_host(host_id(host))


def hold_region(tx: Transaction) -> None:
    tx.hold_region(KYOTO)


def promise_more(tx: Transaction) -> None:
    tx.put_region(samples.region(promised=frozenset(DomainKind)))


def shrink_storage(tx: Transaction) -> None:
    tx.put_site(samples.site(storage_pools=(StoragePool(samples.POOL, GiB(10), "/srv/yui"),)))


def drop_storage(tx: Transaction) -> None:
    tx.put_site(samples.site(storage_pools=()))


def renumber(tx: Transaction) -> None:
    tx.put_site(samples.site(network="10.99.0.0/24", guest_gateway=None))


def rebuild_image(tx: Transaction) -> None:
    tx.put_image(replace(samples.image(), sha256="1" * 64))


def leave(tx: Transaction) -> None:
    tx.remove_tenant(samples.MAIZURU)


def add_system_of_leaver(tx: Transaction) -> None:
    tx.add_system(samples.system(SystemId("new"), samples.MAIZURU))


def join(tx: Transaction) -> None:
    tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))


# Which servers stand on host 1 at first, and what the two do.
_MEDDLE: dict[str, tuple[tuple[int, ...], Step, Step]] = {
    "two servers come to one host": ((), add(1, 1), add(2, 1)),
    "two servers share one storage pool": ((), add(1, 1), add(2, 2)),
    "two servers take one refuge": ((1, 2), refuge(1, 3), refuge(2, 3)),
    "one server is given two refuges": ((1,), refuge(1, 2), refuge(1, 3)),
    "a server comes where another finds its refuge": ((1,), refuge(1, 3), add(2, 3)),
    "a refuge drains": ((1,), drain(3), refuge(1, 3)),
    "a host drains that a server comes to": ((), drain(1), add(1, 1)),
    "a host shrinks that a server comes to": ((), describe(1), add(1, 1)),
    "an evacuated server arrives at another's refuge": ((1, 2), evacuate(1, 3), refuge(2, 3)),
    "a server is evacuated and stopped": ((1,), evacuate(1, 3), stop(1)),
    "a removed server is given a refuge": ((1,), remove(1), refuge(1, 2)),
    "storage shrinks as it fills": ((), shrink_storage, add(1, 1)),
    "storage goes as it is used": ((), drop_storage, add(1, 1)),
    "a network changes as an address is given": ((), renumber, add(1, 1)),
    "an image changes as a server is made from it": ((), rebuild_image, add(1, 1)),
    "a host goes as a server comes": ((), remove_host(2), add(1, 2)),
    "a host goes as it becomes a refuge": ((1,), remove_host(3), refuge(1, 3)),
    "a member leaves as it gets a system": ((), leave, add_system_of_leaver),
    "a system goes as it gets a server": (
        (),
        lambda tx: tx.remove_system(samples.SYSTEM),
        add(1, 1),
    ),
    "a flavor goes as a server gets it": (
        (),
        lambda tx: tx.remove_flavor(samples.SMALL),
        add(1, 1),
    ),
    "a site goes as it gets a host": (
        (),
        lambda tx: tx.remove_site(samples.elsewhere().id),
        lambda tx: tx.put_host_description(samples.host(9, site=samples.elsewhere().id)),
    ),
    "one member joins twice": ((), join, join),
}


@pytest.mark.long
@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
@pytest.mark.parametrize("case", _MEDDLE)
def test_the_slower_one_loses_its_race_when(
    postgresql_store: Store, case: str, exchanged: bool
) -> None:
    standing, *steps = _MEDDLE[case]
    first, second = reversed(steps) if exchanged else steps
    _furnish(postgresql_store, standing)
    with pytest.raises(LostRace):
        overlap(postgresql_store, first, second)


def test_a_server_that_has_left_its_host_is_given_no_refuge_there(postgresql_store: Store) -> None:
    _furnish(postgresql_store, (1,))
    with pytest.raises(LostRace):
        overlap(postgresql_store, evacuate(1, 3), refuge(1, 2))


@pytest.mark.parametrize("loser", ["a plan", "a new promise"])
def test_a_plan_rests_on_the_promises_that_were_in_force(
    postgresql_store: Store, loser: str
) -> None:
    """A plan that comes first is followed by the new promise, which has to be certified anyway."""
    _furnish(postgresql_store, ())
    if loser == "a plan":
        with pytest.raises(LostRace):
            overlap(postgresql_store, promise_more, hold_region)
    else:
        overlap(postgresql_store, hold_region, promise_more)


_INDIFFERENT: dict[str, tuple[Step, Step]] = {
    "a sighting and a decision about one server": (
        lambda tx: tx.set_seen(server_id(1), Seen.RUNNING),
        stop(1),
    ),
    "two plans that read the same promises": (hold_region, hold_region),
    "a drain and a server elsewhere": (drain(3), add(3, 1)),
    "refuges on two hosts": (refuge(1, 2), refuge(2, 3)),
    "a description that changes nothing": (
        lambda tx: (tx.put_region(samples.region()), tx.put_site(samples.site())),
        add(3, 1),
    ),
}


@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
@pytest.mark.parametrize("case", _INDIFFERENT)
def test_both_get_through_when_they_do_not_meddle(
    postgresql_store: Store, case: str, exchanged: bool
) -> None:
    steps = _INDIFFERENT[case]
    first, second = reversed(steps) if exchanged else steps
    _furnish(postgresql_store, (1, 2))
    overlap(postgresql_store, first, second)


def test_what_the_loser_wrote_is_gone(postgresql_store: Store) -> None:
    _furnish(postgresql_store, ())

    def add_and_lose(tx: Transaction) -> None:
        tx.put_region(samples.region(id=RegionId("half-done")))
        add(2, 1)(tx)

    with pytest.raises(LostRace):
        overlap(postgresql_store, add(1, 1), add_and_lose)
    with postgresql_store.read() as tx:
        assert [region.id for region in tx.regions()] == [KYOTO]
        assert [server.id for server in tx.servers()] == [server_id(1)]


def test_a_member_that_another_process_added_exists_when_one_tries_again(
    postgresql_store: Store,
) -> None:
    _furnish(postgresql_store, ())
    with pytest.raises(LostRace):
        overlap(postgresql_store, join, join)
    with pytest.raises(YuiError) as refusal:
        samples.attempt(postgresql_store, join)
    assert refusal.value.type == "tenant-exists"


def test_a_reader_sees_one_moment_while_others_write(postgresql_store: Store) -> None:
    _furnish(postgresql_store, (1,))
    with postgresql_store.read() as reader:
        before = reader.ledger(KYOTO)
        samples.attempt(postgresql_store, add(2, 2), drain(3))
        assert reader.ledger(KYOTO) == before


def overlap(store: Store, first: Step, second: Step) -> None:
    with store.write() as slower:
        _look_around(slower)
        with store.write() as faster:
            _look_around(faster)
            first(faster)
        second(slower)


def _look_around(tx: Snapshot) -> None:
    """A transaction's snapshot is taken when it first reads."""
    tx.ledger(KYOTO)


def _furnish(store: Store, standing: tuple[int, ...]) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.put_site(samples.elsewhere())
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        for number in standing:
            tx.add_server(samples.server(number))
