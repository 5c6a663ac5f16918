"""Members' networks: blocks that never overlap, segments that are never given twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

import pytest
from sqlalchemy import text

from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import BindingId, SecurityGroupId, ServerId, SystemId
from control_plane.model.network import (
    Binding,
    BindingState,
    Direction,
    PortRange,
    Protocol,
    SecurityGroup,
    SecurityRule,
)
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB, MiB, VCpu
from control_plane.store import LostRace, Store, Transaction
from tests.store import samples
from tests.store.samples import FUKUCHIYAMA, KYOTO, SITE, UJI
from tests.store.test_overlapping_writers import overlap
from tests.store.test_upgrades import written_by

UJI_SYSTEM = SystemId("262048-resident-records")


def furnish(store: Store, *, prefix: int | None = 29, network: str = "10.77.16.0/27") -> None:
    """Two members at a site with `member_prefix`; its router has the first address."""
    with store.write() as tx:
        samples.describe(tx)
        tx.put_site(samples.site(network=network, member_prefix=prefix))
        tx.add_tenant(samples.tenant())
        tx.add_tenant(samples.tenant(UJI, "宇治市"))
        tx.add_system(samples.system())
        tx.add_system(samples.system(UJI_SYSTEM, UJI))


def add(
    number: int, of: MunicipalityCode = FUKUCHIYAMA, zone: Zone = Zone.MYNUMBER
) -> Callable[[Transaction], str]:
    def step(tx: Transaction) -> str:
        address = tx.address_in(tx.ensure_network(of, KYOTO, zone), SITE)
        system = UJI_SYSTEM if of == UJI else samples.SYSTEM
        tx.add_server(samples.server(number, address=address, tenant=of, system=system, zone=zone))
        return address

    return step


def blocks(store: Store, of: MunicipalityCode | None = None) -> list[str]:
    with store.read() as tx:
        return [str(s.addresses) for n in tx.networks(of) for s in n.subnets]


def test_a_network_takes_another_block_when_its_own_is_full_until_the_site_has_none(
    store: Store,
) -> None:
    furnish(store)
    with store.write() as tx:
        first = [add(number)(tx) for number in range(6)]
        other = add(6, UJI)(tx)
    assert first == [*(f"10.77.16.{last}/29" for last in range(10, 15)), "10.77.16.18/29"]
    assert other == "10.77.16.26/29"
    assert blocks(store, FUKUCHIYAMA) == ["10.77.16.8/29", "10.77.16.16/29"]
    with store.read() as tx:
        assert [str(s.gateway) for s in tx.networks(UJI)[0].subnets] == ["10.77.16.25"]
    with pytest.raises(YuiError) as refusal:
        samples.attempt(store, add(7, UJI, Zone.LGWAN))
    assert refusal.value.type == "addresses-exhausted"
    assert refusal.value.fields["member_prefix"] == 29


def test_blocks_of_another_size_keep_clear_of_those_that_are_given(store: Store) -> None:
    furnish(store, network="10.77.16.0/24")
    with store.write() as tx:
        add(1)(tx)
        add(2, UJI)(tx)
    with store.write() as tx:
        tx.put_site(samples.site(network="10.77.16.0/24", member_prefix=27))
        add(3, UJI, Zone.LGWAN)(tx)
    given = [IPv4Network(block) for block in blocks(store)]
    assert sorted(map(str, given)) == ["10.77.16.16/29", "10.77.16.32/27", "10.77.16.8/29"]


def test_the_last_server_of_a_block_gives_it_back_for_another_member(store: Store) -> None:
    furnish(store)
    with store.write() as tx:
        add(1)(tx)
        add(2)(tx)
    samples.attempt(store, lambda tx: tx.remove_server(samples.server_id(1)))
    assert blocks(store) == ["10.77.16.8/29"]
    samples.attempt(store, lambda tx: tx.remove_server(samples.server_id(2)))
    assert blocks(store) == []
    with store.write() as tx:
        assert add(3, UJI)(tx) == "10.77.16.10/29"


def test_servers_of_a_site_without_member_prefix_share_its_guest_network(store: Store) -> None:
    furnish(store, prefix=None)
    with store.write() as tx:
        assert [add(1)(tx), add(2, UJI)(tx)] == ["10.77.16.2/27", "10.77.16.3/27"]
    assert blocks(store) == []


@pytest.mark.parametrize(("before", "after"), [(29, None), (None, 29)])
def test_a_site_with_servers_stays_as_apart_as_it_is(
    store: Store, before: int | None, after: int | None
) -> None:
    furnish(store, prefix=before)
    changed = samples.site(network="10.77.16.0/27", member_prefix=after)
    samples.attempt(store, add(1))
    with pytest.raises(YuiError) as refusal:
        samples.attempt(store, lambda tx: tx.put_site(changed))
    assert refusal.value.type == "member-prefix-in-use"
    samples.attempt(store, lambda tx: tx.remove_server(samples.server_id(1)))
    samples.attempt(store, lambda tx: tx.put_site(changed))
    with store.read() as tx:
        assert tx.site(SITE).member_prefix == after


def test_no_segment_is_given_again_when_its_member_has_left(store: Store) -> None:
    furnish(store)
    with store.write() as tx:
        segments = [
            tx.ensure_network(of, KYOTO, zone).segment
            for of in (FUKUCHIYAMA, UJI, FUKUCHIYAMA)
            for zone in Zone
        ]
    assert segments == [10_000, 10_001, 10_002, 10_003, 10_004, 10_005, 10_000, 10_001, 10_002]
    samples.attempt(
        store, lambda tx: tx.remove_system(UJI_SYSTEM), lambda tx: tx.remove_tenant(UJI)
    )
    with store.write() as tx:
        tx.add_tenant(samples.tenant(UJI, "宇治市"))
        assert tx.ensure_network(UJI, KYOTO, Zone.LGWAN).segment == 10_006
        assert len(tx.networks(FUKUCHIYAMA)) == 3


def test_groups_and_bindings_are_read_as_they_were_written(store: Store) -> None:
    furnish(store)
    id = SecurityGroupId("web")
    group = SecurityGroup(
        id,
        FUKUCHIYAMA,
        "窓口",
        (
            SecurityRule(Direction.INGRESS, Protocol.TCP, PortRange(443, 443), offices=True),
            SecurityRule(Direction.EGRESS, Protocol.ANY, remote=IPv4Network("10.0.0.0/8")),
            SecurityRule(Direction.INGRESS, Protocol.UDP, PortRange(1, 9), remote_group=id),
        ),
    )
    binding = Binding(
        BindingId("b"), "証明書", FUKUCHIYAMA, UJI, Zone.MYNUMBER, (samples.server_id(1),),
        Protocol.TCP, 443, "委託", BindingState.REQUESTED, "t1", samples.NOON,
    )  # fmt: skip
    with store.write() as tx:
        add(1)(tx)
        tx.add_security_group(group)
        tx.set_groups_of(samples.server_id(1), {id})
        tx.add_binding(binding)
    decided = replace(
        binding, state=BindingState.APPROVED, decided_by="t2", decided_at=samples.NOON
    )
    with store.write() as tx:
        saved = tx.save_binding(decided)
    with store.read() as tx:
        assert tx.security_group(id) == group
        assert [g.name for g in tx.security_groups(FUKUCHIYAMA)] == ["default", "窓口"]
        assert tx.groups_of_servers() == {samples.server_id(1): {id}}
        assert tx.binding(BindingId("b"), UJI) == replace(decided, generation=saved.generation)
        assert tx.bindings("262021") == ()
    samples.attempt(store, lambda tx: tx.remove_server(samples.server_id(1)))
    with store.read() as tx:
        assert tx.servers_in_group(id) == ()


def test_servers_of_an_earlier_yui_keep_their_addresses_and_get_networks(
    new_url: Callable[[], str],
) -> None:
    url = new_url()
    with written_by("0012", url) as old:
        for row in _OLD:
            old.execute(text(row))
    store = Store.open(url)
    with store.read() as tx:
        assert [s.address for s in tx.servers()] == ["10.77.16.2/24", "10.77.16.3/24"]
        assert [(n.id, n.segment, n.subnets) for n in tx.networks()] == [
            ("m262013-lgwan", 10_000, ()),
            ("m262013-mynumber", 10_001, ()),
        ]
        assert tx.site(SITE).member_prefix is None
        (group,) = tx.security_groups()
        before = group
    with store.write() as tx:
        tx.remove_security_group(group)
        assert tx.add_default_group(FUKUCHIYAMA) == before
        assert tx.ensure_network(FUKUCHIYAMA, KYOTO, Zone.LGWAN).segment == 10_000
    store.close()


_OLD = [
    "INSERT INTO tenants VALUES ('262013', '福知山市', 'フクチヤマシ', '京都府', 77000)",
    "INSERT INTO regions VALUES ('kyoto', '京都', '[]', 'spread', '[\"host\"]')",
    "INSERT INTO sites VALUES ('kyoto-dc', 'kyoto', '京都', '10.77.16.0/24', NULL)",
    "INSERT INTO storage_pools VALUES ('kyoto-pool', 'kyoto-dc', 0, 100, '/srv', 1)",
    "INSERT INTO flavors VALUES ('m1.small', 1, 1024, 10)",
    "INSERT INTO images (id, name, version, format, sha256, size_bytes, virtual_size_gib, location,"
    " provenance, added_at) VALUES ('tiny-1', 't', '1', 'qcow2', '', 1, 1, '/i', '', '2026-04-01')",
    "INSERT INTO hosts VALUES ('kyoto-1', 'kyoto-dc', 'kyoto', 8, 8192, '[\"lgwan\"]',"
    " '[\"kyoto-pool\"]', '[]', '[]', '{\"driver\": \"simulated\", \"uri\": \"\"}', 'in-service',"
    ' \'up\', \'{"kind": "up", "since": "2026-04-01T00:00:00+00:00"}\', 1)',
    *(
        row.replace("#", number).replace("ZONE", zone)
        for number, zone in (("2", "mynumber"), ("3", "lgwan"))
        for row in (
            "INSERT INTO systems (id, tenant, region_id, blueprint_id, blueprint_version, tier, zone,"
            " created_at) VALUES ('s#', '262013', 'kyoto', 'b', 1, 0, 'ZONE', '2026-04-01')",
            "INSERT INTO servers (id, region_id, site_id, tenant, system_id, name, role, flavor_id,"
            " vcpu, memory_mib, disk_gib, image_id, zone, tier, start_order, storage_id, address,"
            " placement_kind, host_id, power, deleting, generation) VALUES"
            " ('v#', 'kyoto', 'kyoto-dc', '262013', 's#', 'v#', 'r', 'm1.small', 1, 512, 1,"
            " 'tiny-1', 'ZONE', 0, 0, 'kyoto-pool', '10.77.16.#/24', 'placed', 'kyoto-1',"
            " 'running', false, 1)",
            "INSERT INTO sightings (server_id, seen) VALUES ('v#', 'running')",
        )
    ),
]


@pytest.mark.postgresql
@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
def test_two_members_that_come_at_once_share_neither_block_nor_segment(
    postgresql_store: Store, *, exchanged: bool
) -> None:
    furnish(postgresql_store)
    steps = [
        lambda tx: tx.ensure_network(FUKUCHIYAMA, KYOTO, Zone.LGWAN),
        lambda tx: tx.ensure_network(UJI, KYOTO, Zone.LGWAN),
    ]
    with pytest.raises(LostRace):
        overlap(postgresql_store, *(reversed(steps) if exchanged else steps))
    samples.attempt(
        postgresql_store,
        *(
            lambda tx, of=of: tx.ensure_network(of, KYOTO, Zone.MYNUMBER)
            for of in (FUKUCHIYAMA, UJI)
        ),
    )
    steps = [add(1), add(2, UJI)]
    with pytest.raises(LostRace):
        overlap(postgresql_store, *(reversed(steps) if exchanged else steps))
    with postgresql_store.read() as tx:
        networks = tx.networks()
        assert len({n.segment for n in networks}) == len(networks) == 3
        assert [IPv4Interface(s.address).network for s in tx.servers()] == [
            s.addresses for n in networks for s in n.subnets
        ]


@pytest.mark.postgresql
@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
def test_a_block_is_not_given_back_as_another_server_comes_into_it(
    postgresql_store: Store, *, exchanged: bool
) -> None:
    furnish(postgresql_store)
    samples.attempt(postgresql_store, add(1))
    steps = [lambda tx: tx.remove_server(samples.server_id(1)), add(2)]
    with pytest.raises(LostRace):
        overlap(postgresql_store, *(reversed(steps) if exchanged else steps))


def test_a_reserved_network_keeps_one_block_at_each_site_until_it_goes(store: Store) -> None:
    furnish(store)
    with store.write() as tx:
        reserved = tx.reserve_network(tx.ensure_network(FUKUCHIYAMA, KYOTO, Zone.MYNUMBER))
        assert [str(s.addresses) for s in reserved.subnets] == ["10.77.16.8/29"]
        for number in range(6):
            add(number)(tx)
    assert len(blocks(store)) == 2
    for number in range(6):
        samples.attempt(
            store, lambda tx, number=number: tx.remove_server(samples.server_id(number))
        )
        assert len(blocks(store)) == (2 if number < 4 else 1)
    with store.write() as tx:
        assert not tx.servers_in_network(reserved)
        tx.remove_network(tx.network(reserved.id))
        assert tx.networks() == ()
        again = tx.reserve_network(tx.ensure_network(UJI, KYOTO, Zone.MYNUMBER))
    assert [str(s.addresses) for s in again.subnets] == ["10.77.16.8/29"]
    assert again.segment == reserved.segment + 1
    with store.write() as tx:
        for zone in (Zone.LGWAN, Zone.INTERNET):
            tx.reserve_network(tx.ensure_network(UJI, KYOTO, zone))
    with pytest.raises(YuiError) as refusal, store.write() as tx:
        tx.reserve_network(tx.ensure_network(FUKUCHIYAMA, KYOTO, Zone.LGWAN))
    assert refusal.value.type == "addresses-exhausted"
    assert len(blocks(store)) == 3


@pytest.mark.postgresql
@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
def test_a_network_does_not_go_as_a_server_comes_into_it(
    postgresql_store: Store, *, exchanged: bool
) -> None:
    furnish(postgresql_store, prefix=None)
    plenty = Capacity(VCpu(100), MiB(100_000), GiB(1_000))
    with postgresql_store.write() as tx:
        tx.put_allotment(Allotment(FUKUCHIYAMA, KYOTO, plenty, plenty))
        network = tx.ensure_network(FUKUCHIYAMA, KYOTO, Zone.MYNUMBER)

    def come(tx: Transaction) -> None:
        tx.claim_allotment(FUKUCHIYAMA, KYOTO)
        add(1)(tx)

    def go(tx: Transaction) -> None:
        tx.claim_allotment(FUKUCHIYAMA, KYOTO)
        if not tx.servers_in_network(network):
            tx.remove_network(network)

    steps = [come, go]
    with pytest.raises(LostRace):
        overlap(postgresql_store, *(reversed(steps) if exchanged else steps))


@pytest.mark.postgresql
@pytest.mark.parametrize("exchanged", [False, True], ids=["", "exchanged"])
def test_a_group_does_not_go_as_a_server_comes_into_it(
    postgresql_store: Store, *, exchanged: bool
) -> None:
    furnish(postgresql_store)
    group = SecurityGroup(SecurityGroupId("web"), FUKUCHIYAMA, "web")
    samples.attempt(postgresql_store, add(1), lambda tx: tx.add_security_group(group))
    steps = [
        lambda tx: tx.remove_security_group(group),
        lambda tx: tx.set_groups_of(ServerId(samples.server_id(1)), {group.id}),
    ]
    with pytest.raises(LostRace):
        overlap(postgresql_store, *(reversed(steps) if exchanged else steps))
