"""Pages of long lists say what the things themselves say, in order, and nothing of other members."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.workload import (
    Moving,
    Placed,
    Power,
    Seen,
    Server,
    ServerStatus,
    Shelved,
    Stranded,
    status_of,
)
from control_plane.store import Store
from control_plane.store.listing import ServerFilter
from tests.store import samples
from tests.store.samples import MAIZURU, NOON, host_id

EVIDENCE = FenceEvidence(host_id(1), FenceKind.OPERATOR_WORD, NOON, "bmc", "off")


def every_kind_of_server() -> list[Server]:
    placements = (Placed(host_id(1)), Moving(host_id(1), host_id(2)), Stranded(EVIDENCE), Shelved())
    kinds = product(placements, Power, Seen, (False, True))
    return [
        replace(samples.server(number, placement), power=power, seen=seen, deleting=deleting)
        for number, (placement, power, seen, deleting) in enumerate(kinds, 1)
    ]


def test_the_status_in_a_list_is_the_servers_own_whatever_it_is(store: Store) -> None:
    samples.furnish(store)
    servers = every_kind_of_server()
    with store.write() as tx:
        for server in servers:
            tx.add_server(server)
    with store.read() as tx:
        page = tx.server_page(ServerFilter(), 1000)
        kept = tx.servers()
        assert {status_of(server) for server in kept} == set(ServerStatus)
        assert [row.id for row in page] == [server.id for server in kept]
        for row, server in zip(page, kept, strict=True):
            assert row.status == status_of(server).value, server
            assert (row.host, row.moving_to) == {
                Placed: (host_id(1), None),
                Moving: (host_id(1), host_id(2)),
                Stranded: (None, None),
                Shelved: (None, None),
            }[type(server.placement)]
            assert (row.vcpus, row.memory_mib) == (server.size.vcpu, server.size.memory)
            assert (row.address, row.generation) == (server.address, server.generation)
        for status in ServerStatus:
            assert [row.id for row in tx.server_page(ServerFilter(status=status), 1000)] == [
                server.id for server in kept if status_of(server) is status
            ]


def test_pages_follow_each_other_without_gap_or_repetition(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        for number in range(1, 8):
            tx.add_server(samples.server(number))
    found: list[str] = []
    after = None
    with store.read() as tx:
        while page := tx.server_page(ServerFilter(), 3, after):
            found += [row.id for row in page]
            after = page[-1].id
        assert found == [server.id for server in tx.servers()]


def test_servers_are_chosen_by_the_beginning_of_their_names_and_percent_means_itself(
    store: Store,
) -> None:
    samples.furnish(store)
    with store.write() as tx:
        for number, name in enumerate(("db-1", "db-2", "web-1"), 1):
            tx.add_server(replace(samples.server(number), name=name))

    with store.read() as tx:

        def named(name: str) -> list[str]:
            return [row.name for row in tx.server_page(ServerFilter(name=name), 10)]

        assert named("db-1") == ["db-1"]
        assert named("db*") == ["db-1", "db-2"]
        assert named("*") == ["db-1", "db-2", "web-1"]
        assert named("d%*") == named("_b-1") == named("db") == []


def test_another_members_servers_are_on_no_page(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(MAIZURU, "舞鶴市"))
        tx.add_server(samples.server(1))
    with store.read() as tx:
        for wanted in (
            ServerFilter(owner=MAIZURU),
            ServerFilter(owner=MAIZURU, tenant="262013"),
            ServerFilter(owner=MAIZURU, host=host_id(1)),
            ServerFilter(owner=MAIZURU, system=samples.SYSTEM),
        ):
            assert tx.server_page(wanted, 10) == []
        assert tx.system_page(10, owner=MAIZURU) == []


def test_a_system_is_listed_with_its_servers_counted(store: Store) -> None:
    samples.furnish(store)
    with store.read() as tx:
        (empty,) = tx.system_page(10)
    assert (empty.servers, empty.running, empty.stopped) == (0, 0, 0)
    with store.write() as tx:
        for number, (power, seen) in enumerate(
            (
                (Power.RUNNING, Seen.RUNNING),
                (Power.RUNNING, Seen.NOWHERE),
                (Power.STOPPED, Seen.RUNNING),
            ),
            1,
        ):
            tx.add_server(replace(samples.server(number), power=power, seen=seen))
    with store.read() as tx:
        (row,) = tx.system_page(10)
        (system,) = tx.systems()
    assert (row.servers, row.running, row.stopped) == (3, 1, 1)
    assert (row.id, row.tenant, row.region) == (system.id, system.tenant.text, system.region)
    assert row.created_at == system.created_at
