"""Container groups count against their member's quota with all else that it has, and against nothing
but that: they hold no room."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection

import pytest

from control_plane.admission import (
    ReclaimWish,
    admit,
    ask_back,
    guarantee,
    quota,
    resize,
    shelve,
    unshelve,
)
from control_plane.admission.container_groups import check
from control_plane.model.allotment import Capacity
from control_plane.model.container_group import Container, ContainerGroup
from control_plane.model.errors import YuiError
from control_plane.model.ids import ContainerGroupId, FlavorId, ReclaimId, RegionId
from control_plane.model.pool import Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Flavor, Shelved
from control_plane.store import LostRace, Store, Transaction
from tests.admission.asking import ask, ledger_of, new
from tests.store import samples
from tests.store.processes import opened, process

WEB = Container("web", f"registry.example.jp/town/web@sha256:{'a' * 64}", VCpu(1), MiB(1024))
LARGE = Flavor(FlavorId("m1.large"), Resources(VCpu(2), MiB(2048)), GiB(10))


def group(name: str, replicas: int = 1) -> ContainerGroup:
    """Each copy is as large as a small server."""
    return ContainerGroup(
        ContainerGroupId(f"cg-{name}"), samples.FUKUCHIYAMA, samples.SYSTEM, samples.KYOTO, name,
        Zone.MYNUMBER, 0, replicas, (WEB,), samples.NOON,
    )  # fmt: skip


def limit(store: Store, vcpu: int, guaranteed: int = 0) -> None:
    sure = Capacity(VCpu(guaranteed), MiB(1024 * guaranteed))
    most = Capacity(VCpu(vcpu), MiB(10**6), GiB(10**6))
    guarantee(store, samples.KYOTO, samples.FUKUCHIYAMA, sure, lambda _, __: None, quota=most)


def put(store: Store, *groups: ContainerGroup) -> None:
    for one in groups:
        with store.write() as tx:
            check(tx, one)
            tx.add_container_group(one)


def change(store: Store, name: str, replicas: int) -> None:
    with store.write() as tx:
        before = tx.container_group(ContainerGroupId(f"cg-{name}"))
        after = replace(before, replicas=replicas)
        check(tx, after, before)
        tx.save_container_group(after)


def delete(store: Store, name: str) -> None:
    with store.write() as tx:
        tx.remove_container_group(ContainerGroupId(f"cg-{name}"))


def counted(store: Store) -> int:
    """vCPU of servers and of groups."""
    with store.read() as tx:
        used = tx.used_by(samples.FUKUCHIYAMA, samples.KYOTO)
        return used.vcpu + tx.on_record_by(samples.FUKUCHIYAMA, samples.KYOTO).vcpu


def refused(work: Callable[[], object]) -> YuiError:
    with pytest.raises(YuiError) as refusal:
        work()
    assert refusal.value.type == "quota-exceeded", refusal.value.en
    return refusal.value


def test_several_groups_together_are_refused_what_none_is_refused_alone(store: Store) -> None:
    samples.furnish(store)
    limit(store, 4)
    put(store, group("a", 2), group("b", 2))
    error = refused(lambda: put(store, group("c")))
    assert error.fields["exceeded"] == [
        {"resource": "vcpus", "used": 0, "container_groups": 4, "asked": 1, "quota": 4}
    ]


def test_groups_and_servers_count_together_whichever_came_first(store: Store) -> None:
    samples.furnish(store)
    limit(store, 4)
    put(store, group("a", 2))
    ask(store, new(1))
    error = refused(lambda: ask(store, new(2), new(3)))
    assert error.fields["exceeded"] == [
        {"resource": "vcpus", "used": 1, "container_groups": 2, "asked": 2, "quota": 4}
    ]
    assert (
        "1 of 4 vCPU are used, 2 more are in container groups on record, and 2 asked for"
        in error.en
    )
    assert (
        "vCPUは上限 4 のうち 1 を使用中、2 をコンテナーグループとして登録済みで、今回の要求は 2"
        in error.ja
    )
    refused(lambda: put(store, group("b", 2)))
    put(store, group("b"))
    refused(lambda: ask(store, new(2)))
    delete(store, "b")
    ask(store, new(2))


def test_a_group_that_changes_asks_for_what_it_grows_by(store: Store) -> None:
    samples.furnish(store)
    limit(store, 5)
    put(store, group("a", 2), group("b"))
    ask(store, new(1))
    change(store, "a", 3)
    error = refused(lambda: change(store, "a", 4))
    assert error.fields["exceeded"] == [
        {"resource": "vcpus", "used": 1, "container_groups": 4, "asked": 1, "quota": 5}
    ]
    limit(store, 2)
    change(store, "a", 2)
    change(store, "a", 1)
    assert counted(store) == 3


def test_a_server_grows_or_comes_back_only_beside_the_groups(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.put_flavor(LARGE)
    limit(store, 3)
    ask(store, new(1))
    put(store, group("a", 2))
    one = samples.server_id(1)

    def larger() -> None:
        resize(store, one, LARGE.id, lambda _, __: None, lambda *_: None)

    def back() -> None:
        unshelve(store, one, lambda _, __: None, lambda *_: None)

    refused(larger)
    with store.write() as tx:
        shelve(tx, tx.server(one))
    with store.write() as tx:
        tx.put_away(tx.server(one), Shelved())
    change(store, "a", 3)
    refused(back)
    delete(store, "a")
    back()
    larger()


def test_groups_stand_in_the_way_of_no_disk(store: Store) -> None:
    samples.furnish(store)
    limit(store, 2)
    put(store, group("a", 2))
    limit(store, 1)
    with store.write() as tx:
        quota.check(tx, samples.KYOTO, samples.FUKUCHIYAMA, Capacity(disk=GiB(100)))


def test_what_groups_ask_for_counts_for_their_member_and_region_alone(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(samples.UJI, "宇治市"))
        tx.put_region(samples.region(id=RegionId("shiga"), name="滋賀"))
    put(store, group("a", 2))
    two = Capacity(VCpu(2), MiB(2048))
    with store.read() as tx:
        assert tx.on_record_by(samples.FUKUCHIYAMA, samples.KYOTO) == two
        assert tx.on_record_by(samples.FUKUCHIYAMA, RegionId("shiga")) == Capacity()
        assert tx.on_record_by(samples.UJI, samples.KYOTO) == Capacity()
        assert tx.on_record() == {(samples.FUKUCHIYAMA.text, samples.KYOTO): two}


def test_a_group_takes_nothing_of_what_is_guaranteed_and_kept(store: Store) -> None:
    """Otherwise the room would be given to others while nothing runs in it."""
    samples.furnish(store)
    limit(store, 8, guaranteed=2)
    before = ledger_of(store)
    put(store, group("a", 2))
    assert ledger_of(store) == before
    with store.read() as tx:
        assert tx.used_by(samples.FUKUCHIYAMA, samples.KYOTO) == Capacity()


def test_a_group_borrows_nothing_so_room_that_is_asked_back_is_no_reason_to_refuse_it(
    store: Store,
) -> None:
    samples.furnish(store)
    limit(store, 14)
    ask(store, *map(new, range(12)))
    wish = ReclaimWish(
        samples.KYOTO, Capacity(VCpu(8), MiB(8192)), None, "鈴木", samples.NOON,
        word="the hall opens", period=timedelta(days=14),
    )  # fmt: skip
    ask_back(store, ReclaimId("rc-1"), wish, lambda *_: None)
    with pytest.raises(YuiError) as refusal:
        ask(store, new(12))
    assert refusal.value.type == "room-is-asked-back"
    put(store, group("a", 2))
    refused(lambda: put(store, group("b")))


Meet = Callable[[], None]


def persistently(work: Callable[[], object]) -> None:
    """Again when its race was lost."""
    for _ in range(100):
        with suppress(LostRace):
            work()
            return
    raise AssertionError("a hundred lost races")


def write(store: Store, work: Callable[[Transaction], None]) -> None:
    with store.write() as tx:
        work(tx)


def ask_for_group(name: str, store: Store, meet: Meet) -> None:
    def work(tx: Transaction) -> None:
        check(tx, group(name))
        tx.add_container_group(group(name))
        meet()

    persistently(lambda: write(store, work))


def grow_group(name: str, store: Store, meet: Meet) -> None:
    def work(tx: Transaction) -> None:
        before = tx.container_group(ContainerGroupId(f"cg-{name}"))
        after = replace(before, replicas=before.replicas + 1)
        check(tx, after, before)
        tx.save_container_group(after)
        meet()

    persistently(lambda: write(store, work))


def ask_for_server(number: int, store: Store, meet: Meet) -> None:
    persistently(lambda: admit(store, samples.KYOTO, lambda _: [new(number)], lambda _, __: meet()))


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "asked",
    [
        (partial(ask_for_group, "b"), partial(ask_for_group, "c")),
        (partial(ask_for_group, "b"), partial(ask_for_server, 1)),
        (partial(grow_group, "a"), partial(ask_for_server, 1)),
        (partial(grow_group, "a"), partial(ask_for_group, "b")),
    ],
    ids=["group-group", "group-server", "growth-server", "growth-group"],
)
def test_of_two_who_ask_at_the_same_time_for_the_last_of_it_one_is_refused(
    postgresql_store: Store, asked: Sequence[Callable[[Store, Meet], None]]
) -> None:
    store = postgresql_store
    samples.furnish(store)
    limit(store, 3)
    put(store, group("a", 2))
    met = threading.Barrier(2, timeout=20)

    def meet() -> None:
        # Both have counted and written by now, where nothing kept one of them waiting.
        with suppress(threading.BrokenBarrierError):
            met.wait(1)

    def one(work: Callable[[Store, Meet], None]) -> str:
        try:
            work(store, meet)
        except YuiError as error:
            return error.type
        return "had"

    with ThreadPoolExecutor(2) as threads:
        answers = sorted(threads.map(one, asked))
    assert answers == ["had", "quota-exceeded"]
    assert counted(store) == 3


def take_all(store: Store, first: int, *, groups: bool) -> int:
    """Ask one by one until the quota is used up; how often there was some left."""
    for number in range(first, first + 100):
        try:
            if groups:
                ask_for_group(f"g{number}", store, lambda: None)
            else:
                ask_for_server(number, store, lambda: None)
        except YuiError as refusal:
            if refusal.type != "quota-exceeded":
                raise
            return number - first
    raise AssertionError("the quota never ended")


def take_all_in_process(talk: Connection, url: str, first: int, groups: bool) -> None:
    with opened(url) as store:
        talk.send("ready")
        talk.recv()
        talk.send(take_all(store, first, groups=groups))


@pytest.mark.postgresql
def test_processes_that_ask_at_once_for_groups_and_servers_use_the_quota_up_exactly(
    postgresql_url: str,
) -> None:
    with opened(postgresql_url) as store, ExitStack() as stack:
        samples.furnish(store)
        limit(store, 11)
        processes = [
            stack.enter_context(
                process(take_all_in_process, postgresql_url, 1000 * number, number != 0)
            )
            for number in range(3)
        ]
        for one in processes:
            assert one.hear() == "ready"
        for one in processes:
            one.say("go")
        had = [one.hear() for one in processes]
        assert sum(int(str(each)) for each in had) == 11
        assert counted(store) == 11
