"""A mistake gets one clear sentence in each language, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.fence import FenceMethod, FenceWord
from control_plane.model.ids import (
    FlavorId,
    HostId,
    ImageId,
    OperationId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.units import MiB, Resources, VCpu
from control_plane.model.workload import Placed
from control_plane.store import Snapshot, Store, Transaction
from tests.store import samples
from tests.store.samples import host_id, server_id

_UNKNOWN_READS: dict[str, Callable[[Snapshot], object]] = {
    "region-not-found": lambda tx: tx.ledger(RegionId("nowhere")),
    "site-not-found": lambda tx: tx.site(SiteId("nowhere")),
    "storage-pool-not-found": lambda tx: tx.site_of_storage(StoragePoolId("nowhere")),
    "host-not-found": lambda tx: tx.host(HostId("nowhere")),
    "server-not-found": lambda tx: tx.server(ServerId("nowhere")),
    "system-not-found": lambda tx: tx.system(SystemId("nowhere")),
    "tenant-not-found": lambda tx: tx.tenant(samples.MAIZURU),
    "image-not-found": lambda tx: tx.image(ImageId("nowhere")),
    "flavor-not-found": lambda tx: tx.flavor(FlavorId("nowhere")),
    "operation-not-found": lambda tx: tx.operation(OperationId("nowhere")),
}

_UNKNOWN_WRITES: dict[str, Callable[[Transaction], object]] = {
    "host-not-found: its health is saved": lambda tx: tx.save_host(samples.host(9)),
    "host-not-found: it is removed": lambda tx: tx.remove_host(host_id(9)),
    "host-not-found: it is guarded": lambda tx: tx.guard_hosts({host_id(9): 1}),
    "host-not-found: a word about it": lambda tx: tx.add_fence_word(
        FenceWord(host_id(9), "sato", "Off.", FenceMethod.WORD, samples.NOON)
    ),
    "host-not-found: a server on it": lambda tx: tx.add_server(
        samples.server(1, Placed(host_id(9)))
    ),
    "system-not-found: a server of it": lambda tx: tx.add_server(
        samples.server(1, system=SystemId("nowhere"))
    ),
    "system-not-found: a server of another member's": lambda tx: tx.add_server(
        samples.server(1, tenant=samples.MAIZURU)
    ),
    "image-not-found: a server from it": lambda tx: tx.add_server(
        samples.server(1, image=ImageId("nowhere"))
    ),
    "flavor-not-found: a server of it": lambda tx: tx.add_server(
        samples.server(1, flavor=FlavorId("nowhere"))
    ),
    "storage-pool-not-found: a server on it": lambda tx: tx.add_server(
        samples.server(1, storage=StoragePoolId("nowhere"))
    ),
    "storage-pool-not-found: a host on it": lambda tx: tx.put_host_description(
        samples.host(9, storage=frozenset({StoragePoolId("nowhere")}))
    ),
    "site-not-found: a host in it": lambda tx: tx.put_host_description(
        samples.host(9, site=SiteId("nowhere"))
    ),
    "region-not-found: a site in it": lambda tx: tx.put_site(
        samples.site(region=RegionId("nowhere"))
    ),
    "tenant-not-found: a system of it": lambda tx: tx.add_system(
        samples.system(SystemId("other"), samples.MAIZURU)
    ),
    "server-not-found: it is saved": lambda tx: tx.save_server(samples.server(9)),
    "server-not-found: it is removed": lambda tx: tx.remove_server(server_id(9)),
    "server-not-found: it is seen": lambda tx: tx.set_seen(server_id(9), samples.server(9).seen),
    "system-not-found: it is removed": lambda tx: tx.remove_system(SystemId("nowhere")),
    "token-not-found: it is revoked": lambda tx: tx.revoke_token("nowhere"),
    "site-not-found: an address of it": lambda tx: tx.allocate_address(SiteId("nowhere")),
}


@pytest.mark.parametrize("type", _UNKNOWN_READS)
def test_reading_what_is_not_there_says_so(store: Store, type: str) -> None:
    with pytest.raises(YuiError) as refusal, store.read() as tx:
        _UNKNOWN_READS[type](tx)
    assert refusal.value.type == type
    assert refusal.value.status == 404
    _is_a_sentence(refusal.value)


@pytest.mark.long
@pytest.mark.parametrize("case", _UNKNOWN_WRITES)
def test_changing_what_is_not_there_says_so_and_changes_nothing(store: Store, case: str) -> None:
    samples.furnish(store)
    half_done = replace(samples.flavor(), id=FlavorId("half-done"))
    with pytest.raises(YuiError) as refusal:
        samples.attempt(store, lambda tx: tx.put_flavor(half_done), _UNKNOWN_WRITES[case])
    assert refusal.value.type == _slug(case)
    assert refusal.value.status == 404
    with store.read() as tx:
        assert tx.flavors() == (samples.flavor(),)


_CONFLICTS: dict[str, Callable[[Transaction], object]] = {
    "tenant-exists": lambda tx: tx.add_tenant(samples.tenant()),
    "system-exists": lambda tx: tx.add_system(samples.system()),
    "server-exists": lambda tx: tx.add_server(samples.server(1)),
    "tenant-in-use": lambda tx: tx.remove_tenant(samples.FUKUCHIYAMA),
    "system-in-use": lambda tx: tx.remove_system(samples.SYSTEM),
    "host-in-use: it carries a server": lambda tx: tx.remove_host(host_id(1)),
    "host-in-use: it is a refuge": lambda tx: tx.remove_host(host_id(2)),
    "host-in-use: a refuge changes its site": lambda tx: (
        tx.put_site(samples.elsewhere()),
        tx.put_host_description(samples.host(2, site=samples.elsewhere().id)),
    ),
    "host-in-use: a carrier changes its site": lambda tx: (
        tx.put_site(samples.elsewhere()),
        tx.put_host_description(samples.host(1, site=samples.elsewhere().id)),
    ),
    "flavor-in-use": lambda tx: tx.remove_flavor(samples.SMALL),
    "region-in-use": lambda tx: tx.remove_region(samples.KYOTO),
    "site-in-use": lambda tx: tx.remove_site(samples.SITE),
    "image-in-use": lambda tx: tx.put_image(replace(samples.image(), sha256="1" * 64)),
    "guest-network-in-use": lambda tx: tx.put_site(
        samples.site(network="10.78.0.0/24", guest_gateway=None)
    ),
    "storage-pool-in-use: left out": lambda tx: tx.put_site(samples.site(storage_pools=())),
    "storage-pool-in-use: claimed by another site": lambda tx: tx.put_site(
        samples.site(id=SiteId("another"))
    ),
    "site-region-differs": lambda tx: (
        tx.put_region(samples.region(id=RegionId("saga"))),
        tx.put_site(samples.site(region=RegionId("saga"))),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", _CONFLICTS)
def test_what_would_break_something_in_use_is_refused(store: Store, case: str) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_server(samples.server(1))
        own = FailureDomain(DomainKind.HOST, host_id(1))
        tx.set_refuges(samples.KYOTO, {(own, server_id(1)): host_id(2)})
    with pytest.raises(YuiError) as refusal, store.write() as tx:
        _CONFLICTS[case](tx)
    assert refusal.value.type == _slug(case)
    assert refusal.value.status == 409
    _is_a_sentence(refusal.value)


_IMPOSSIBLE: dict[str, Callable[[Transaction], object]] = {
    "guest-network-invalid": lambda tx: tx.put_site(samples.site(network="10.77.16.0/33")),
    "guest-network-invalid: host bits set": lambda tx: tx.put_site(
        samples.site(network="10.77.16.5/24")
    ),
    "guest-gateway-invalid": lambda tx: tx.put_site(samples.site(guest_gateway="10.78.0.1")),
    "guest-gateway-invalid: no address": lambda tx: tx.put_site(samples.site(guest_gateway="x")),
    "host-region-differs": lambda tx: tx.put_host_description(
        samples.host(9, region=RegionId("saga"))
    ),
}


@pytest.mark.parametrize("case", _IMPOSSIBLE)
def test_descriptions_that_contradict_themselves_are_refused(store: Store, case: str) -> None:
    samples.furnish(store)
    with pytest.raises(YuiError) as refusal, store.write() as tx:
        _IMPOSSIBLE[case](tx)
    assert refusal.value.type == _slug(case)
    assert refusal.value.status == 422
    _is_a_sentence(refusal.value)


def test_what_nobody_uses_can_be_removed(store: Store) -> None:
    saga = RegionId("saga")
    with store.write() as tx:
        samples.describe(tx)
        tx.put_region(samples.region(id=saga))
        tx.put_site(samples.elsewhere())
        tx.add_tenant(samples.tenant())
        tx.add_system(samples.system())
        tx.add_server(samples.server(1))
    with store.write() as tx:
        tx.remove_region(saga)
        tx.remove_site(samples.elsewhere().id)
        tx.remove_host(host_id(3))
        tx.remove_server(server_id(1))
        tx.remove_system(samples.SYSTEM)
        tx.remove_tenant(samples.FUKUCHIYAMA)
        tx.remove_flavor(samples.SMALL)
    with store.read() as tx:
        assert [region.id for region in tx.regions()] == [samples.KYOTO]
        assert [site.id for site in tx.sites()] == [samples.SITE]
        assert [host.id for host in tx.hosts()] == [host_id(1), host_id(2)]
        assert (tx.servers(), tx.systems(), tx.tenants(), tx.flavors()) == ((), (), (), ())


def test_a_member_neither_finds_nor_counts_what_is_another_members(store: Store) -> None:
    samples.furnish(store)
    with store.write() as tx:
        tx.add_tenant(samples.tenant(samples.MAIZURU, "舞鶴市"))
        tx.add_server(samples.server(1))
    with store.read() as tx:
        assert tx.servers(tenant=samples.MAIZURU) == ()
        assert tx.systems(tenant=samples.MAIZURU) == ()
        assert len(tx.servers(tenant=samples.FUKUCHIYAMA)) == 1
        with pytest.raises(YuiError) as foreign:
            tx.server(server_id(1), tenant=samples.MAIZURU)
        with pytest.raises(YuiError) as unknown:
            tx.server(ServerId("server-0001x"), tenant=samples.MAIZURU)
        assert foreign.value.en.replace("server-0001", "X") == unknown.value.en.replace(
            "server-0001x", "X"
        )


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tx: tx.put_region(samples.region(name="a\0b")), id="a NUL in a text"),
        pytest.param(
            lambda tx: tx.put_flavor(
                replace(samples.flavor(), size=Resources(VCpu(2**40), MiB(1)))
            ),
            id="a number out of range",
        ),
    ],
)
def test_a_value_the_database_cannot_hold_is_refused_in_words(
    postgresql_store: Store, change: Callable[[Transaction], object]
) -> None:
    samples.furnish(postgresql_store)
    with pytest.raises(YuiError) as refusal:
        samples.attempt(postgresql_store, change)
    assert refusal.value.type == "value-refused"
    _is_a_sentence(refusal.value)


def _slug(case: str) -> str:
    return case.partition(":")[0]


def _is_a_sentence(refusal: YuiError) -> None:
    assert refusal.en.endswith(".")
    assert "\n" not in refusal.en
    assert refusal.ja.endswith("。")
