"""The ledger tells who holds what on which host, and what may be done with the host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.model.host_health import Cleaning, Confirmed, Fenced, HostHealth, Suspect, Up
from control_plane.model.ids import GroupId, RegionId, SiteId, StoragePoolId
from control_plane.model.ledger import LedgerStoragePool, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, Duty, FailureDomain, StoragePool, Zone
from control_plane.model.units import GiB
from control_plane.model.workload import Moving, Placed, Power, Stranded
from control_plane.store import Store
from tests.store import samples
from tests.store.samples import KYOTO, NOON, POOL, host_id, server_id

_FENCED = Fenced(NOON, samples.evidence(1))

_STANDINGS: list[tuple[HostHealth, Duty, Standing]] = [
    (Up(NOON), Duty.IN_SERVICE, Standing.OPEN),
    (Up(NOON), Duty.DRAINING, Standing.CLOSED),
    (Up(NOON), Duty.MAINTENANCE, Standing.GONE),
    *(
        (health, duty, Standing.CLOSED)
        for health in (Suspect(NOON, "mgmt"), Confirmed(NOON, ("mgmt", "storage")))
        for duty in Duty
    ),
    *((health, duty, Standing.GONE) for health in (Cleaning(NOON), _FENCED) for duty in Duty),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("health", "duty", "standing"),
    [pytest.param(*row, id=f"{type(row[0]).__name__}, {row[1]}") for row in _STANDINGS],
)
def test_what_may_be_done_with_a_host_follows_from_its_health_and_duty(
    store: Store, health: HostHealth, duty: Duty, standing: Standing
) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.save_host(replace(tx.host(host_id(1)), health=health, duty=duty))
    with store.read() as tx:
        assert tx.ledger(KYOTO).hosts[host_id(1)].standing is standing


def test_every_server_that_is_not_removed_holds_its_room(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1, power=Power.STOPPED))
        tx.add_server(samples.server(2, Moving(host_id(1), host_id(2)), deleting=True))
        tx.add_server(samples.server(3, Stranded(samples.evidence(3))))
        tx.add_server(samples.server(4))
        tx.remove_server(server_id(4))
    with store.read() as tx:
        ledger = tx.ledger(KYOTO)
    assert {id: workload.hosts for id, workload in ledger.workloads.items()} == {
        server_id(1): (host_id(1),),
        server_id(2): (host_id(1), host_id(2)),
        server_id(3): (),
    }
    assert ledger.storage == {POOL: LedgerStoragePool(POOL, GiB(1000), GiB(30))}


def test_a_workload_carries_all_that_placement_asks_of_it(store: Store) -> None:
    samples.furnish(store)
    server = samples.server(
        1,
        Placed(host_id(2)),
        group=GroupId("apart"),
        traits=frozenset({"ssd"}),
        sites=frozenset({samples.SITE}),
        zone=Zone.LGWAN,
        tier=2,
    )
    with store.write() as tx:
        tx.add_server(server)
    with store.read() as tx:
        assert tx.ledger(KYOTO).workloads[server.id] == LedgerWorkload(
            id=server.id,
            owner="262013",
            size=samples.ONE,
            disk=GiB(10),
            zone=Zone.LGWAN,
            tier=2,
            storage=POOL,
            hosts=(host_id(2),),
            group=GroupId("apart"),
            traits=frozenset({"ssd"}),
            sites=frozenset({samples.SITE}),
        )


def test_a_host_carries_all_that_placement_asks_of_it_and_dies_with_itself_and_its_site(
    store: Store,
) -> None:
    samples.furnish(store)
    with store.read() as tx:
        ledger, described = tx.ledger(KYOTO), tx.host(host_id(1))
    host = ledger.hosts[host_id(1)]
    assert (host.site, host.capacity, host.zones, host.storage, host.traits, host.generation) == (
        described.site,
        described.capacity,
        described.zones,
        described.storage,
        described.traits,
        described.generation,
    )
    assert host.domains == described.domains | {
        FailureDomain(DomainKind.HOST, host_id(1)),
        FailureDomain(DomainKind.SITE, samples.SITE),
    }


def test_storage_that_a_host_names_but_nobody_describes_is_no_storage_of_it(store: Store) -> None:
    samples.furnish(store)
    extra = StoragePool(StoragePoolId("extra"), GiB(5), "/srv/extra")
    with store.write() as tx:
        tx.put_site(samples.site(storage_pools=(*samples.site().storage_pools, extra)))
        tx.put_host_description(samples.host(1, storage=frozenset({POOL, extra.id})))
        tx.put_site(samples.site())
    with store.read() as tx:
        assert tx.ledger(KYOTO).hosts[host_id(1)].storage == {POOL}


def test_a_region_sees_nothing_of_another(store: Store) -> None:
    samples.furnish(store)
    saga, saga_site = RegionId("saga"), SiteId("saga-dc")
    with store.write() as tx:
        tx.put_region(samples.region(id=saga))
        tx.put_site(samples.site(id=saga_site, region=saga, storage_pools=()))
        tx.put_host_description(samples.host(9, site=saga_site, region=saga, storage=frozenset()))
        tx.add_server(samples.server(1))
    with store.read() as tx:
        kyoto, other = tx.ledger(KYOTO), tx.ledger(saga)
        assert host_id(9) not in kyoto.hosts
        assert set(other.hosts) == {host_id(9)}
        assert (other.workloads, other.storage) == ({}, {})
        assert [host.id for host in tx.hosts(saga)] == [host_id(9)]
        assert tx.servers(region=saga) == ()
        assert [site.id for site in tx.sites(saga)] == [saga_site]


def test_the_certificate_holds_the_refuges_last_set(store: Store) -> None:
    samples.furnish(store)
    host = FailureDomain(DomainKind.HOST, host_id(1))
    rack = FailureDomain(DomainKind.RACK, "r1")
    with store.write() as tx:
        for number in (1, 2, 3):
            tx.add_server(samples.server(number))
        tx.set_refuges(
            KYOTO,
            {
                (host, server_id(1)): host_id(2),
                (host, server_id(2)): host_id(2),
                (rack, server_id(1)): host_id(2),
                (host, server_id(3)): host_id(3),
            },
        )
    with store.write() as tx:
        tx.set_refuges(
            KYOTO,
            {
                (host, server_id(1)): host_id(3),
                (host, server_id(2)): None,
                (rack, server_id(3)): None,
            },
        )
        tx.set_refuges(KYOTO, {})
        tx.remove_server(server_id(3))
    with store.read() as tx:
        expected = {(host, server_id(1)): host_id(3), (rack, server_id(1)): host_id(2)}
        assert tx.refuges(KYOTO) == expected
        assert tx.ledger(KYOTO).certificate.refuges == expected
