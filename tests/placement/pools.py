"""Small regions written by hand or drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hypothesis import strategies as st

from control_plane.model.ids import (
    Generation,
    GroupId,
    HostId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
)
from control_plane.model.ledger import (
    Certificate,
    Ledger,
    LedgerHost,
    LedgerStoragePool,
    LedgerWorkload,
    Standing,
)
from control_plane.model.pool import DomainKind, FailureDomain, Policy, Zone
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.placement import recertify

HOST = frozenset({DomainKind.HOST})
RACKS = frozenset({DomainKind.HOST, DomainKind.RACK})
POOL = StoragePoolId("pool-a")
Refuges = Mapping[tuple[FailureDomain, ServerId], HostId]


def size(vcpu: int, memory: int) -> Resources:
    return Resources(VCpu(vcpu), MiB(memory))


def host_domain(name: str) -> FailureDomain:
    return FailureDomain(DomainKind.HOST, name)


def rack(name: str) -> FailureDomain:
    return FailureDomain(DomainKind.RACK, name)


def host(
    name: str,
    vcpu: int = 8,
    memory: int = 8192,
    *,
    site: str = "site-a",
    zones: Iterable[Zone] = Zone,
    storage: Iterable[str] = (POOL,),
    traits: Iterable[str] = (),
    in_rack: str | None = None,
    domains: Iterable[FailureDomain] = (),
    standing: Standing = Standing.OPEN,
) -> LedgerHost:
    domains = {host_domain(name), *domains}
    if in_rack is not None:
        domains.add(rack(in_rack))
    return LedgerHost(
        id=HostId(name),
        site=SiteId(site),
        capacity=size(vcpu, memory),
        zones=frozenset(zones),
        storage=frozenset(map(StoragePoolId, storage)),
        traits=frozenset(traits),
        domains=frozenset(domains),
        standing=standing,
        generation=Generation(1),
    )


def server(
    name: str,
    vcpu: int = 1,
    memory: int = 1024,
    *,
    on: Iterable[str] = (),
    disk: int = 10,
    zone: Zone = Zone.LGWAN,
    tier: int = 1,
    storage: str | None = POOL,
    group: str | None = None,
    traits: Iterable[str] = (),
    sites: Iterable[str] = (),
) -> LedgerWorkload:
    return LedgerWorkload(
        id=ServerId(name),
        owner="012220",
        size=size(vcpu, memory),
        disk=GiB(disk),
        zone=zone,
        tier=tier,
        storage=None if storage is None else StoragePoolId(storage),
        hosts=tuple(map(HostId, on)),
        group=None if group is None else GroupId(group),
        traits=frozenset(traits),
        sites=frozenset(map(SiteId, sites)),
    )


def region(
    hosts: Iterable[LedgerHost],
    servers: Iterable[LedgerWorkload] = (),
    refuges: Refuges | None = None,
    *,
    promised: frozenset[DomainKind] = HOST,
    policy: Policy = Policy.SPREAD,
    pools: Mapping[str, int] | None = None,
) -> Ledger:
    """With `pools` giving each storage pool's capacity; what the servers' disks take is counted."""
    workloads = {w.id: w for w in servers}
    capacities = pools or {POOL: 10_000}
    used = dict.fromkeys(capacities, 0)
    for workload in workloads.values():
        if workload.storage is not None:
            used[workload.storage] += workload.disk
    return Ledger(
        region=RegionId("kyoto"),
        policy=policy,
        promised=promised,
        hosts={h.id: h for h in hosts},
        workloads=workloads,
        storage={
            StoragePoolId(name): LedgerStoragePool(
                StoragePoolId(name), GiB(capacity), GiB(used[name])
            )
            for name, capacity in capacities.items()
        },
        certificate=Certificate(refuges or {}),
    )


def certified(ledger: Ledger) -> Ledger:
    """The ledger with a certificate of its own; it must be possible to cover everything."""
    answer = recertify(ledger)
    assert answer.uncovered == ()
    return replace(ledger, certificate=Certificate(answer.refuges))


def with_server(ledger: Ledger, workload: LedgerWorkload) -> Ledger:
    pool = ledger.storage[workload.storage] if workload.storage is not None else None
    storage = dict(ledger.storage)
    if pool is not None:
        storage[pool.id] = replace(pool, used=GiB(pool.used + workload.disk))
    return replace(ledger, workloads={**ledger.workloads, workload.id: workload}, storage=storage)


def with_host(ledger: Ledger, changed: LedgerHost) -> Ledger:
    return replace(ledger, hosts={**ledger.hosts, changed.id: changed})


def arrived(ledger: Ledger, name: ServerId) -> Ledger:
    moved = ledger.workloads[name]
    there = replace(moved, hosts=moved.hosts[1:])
    return replace(ledger, workloads={**ledger.workloads, name: there})


def abandoned(ledger: Ledger, name: ServerId) -> Ledger:
    moved = ledger.workloads[name]
    there = replace(moved, hosts=moved.hosts[:1])
    return replace(ledger, workloads={**ledger.workloads, name: there})


# Random regions. Amounts are small, so that everything is nearly full and every unit counts.

ZONES = (Zone.LGWAN, Zone.INTERNET)
SITES = ("site-a", "site-b")
STORES = ("pool-a", "pool-b")
WIDE = (DomainKind.RACK, DomainKind.POWER, DomainKind.SITE)


@st.composite
def hosts_of_a_region(draw, most: int = 6) -> list[LedgerHost]:
    plain = draw(st.booleans())
    found = []
    for number in range(draw(st.integers(2, most))):
        found.append(
            host(
                f"h{number}",
                draw(st.integers(2, 8)),
                draw(st.integers(2, 8)),
                site="site-a" if plain else draw(st.sampled_from(SITES)),
                zones=ZONES
                if plain
                else draw(st.sets(st.sampled_from(ZONES), min_size=1).map(sorted)),
                storage=STORES
                if plain
                else draw(st.sets(st.sampled_from(STORES), min_size=1).map(sorted)),
                traits=() if plain else draw(st.sampled_from([(), (), ("gpu",)])),
                in_rack=draw(st.sampled_from(["r0", "r1", "r2"])),
                standing=draw(
                    st.sampled_from([Standing.OPEN] * 6 + [Standing.CLOSED, Standing.GONE])
                ),
            )
        )
    return found


@st.composite
def servers_to_place(draw, name: str, *, storage: bool) -> LedgerWorkload:
    return server(
        name,
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
        disk=draw(st.integers(1, 5)),
        zone=draw(st.sampled_from(ZONES)),
        tier=draw(st.integers(0, 2)),
        storage=draw(st.sampled_from(STORES)) if storage else None,
        group=draw(st.sampled_from([None, None, "g0", "g1"])),
        traits=draw(st.sampled_from([(), (), (), (), ("gpu",)])),
        sites=draw(st.sampled_from([(), (), (), ("site-a",)])),
    )


@st.composite
def empty_regions(draw, most: int = 6) -> Ledger:
    return region(
        draw(hosts_of_a_region(most)),
        promised=draw(st.sampled_from([HOST, HOST, RACKS])),
        policy=draw(st.sampled_from(list(Policy))),
        pools={"pool-a": 30, "pool-b": draw(st.integers(0, 30))},
    )


def may_stand(ledger: Ledger, workload: LedgerWorkload, place: LedgerHost) -> bool:
    """By every rule of today, leaving failures aside."""
    others = [w for w in ledger.workloads.values() if place.id in w.hosts and w.id != workload.id]
    taken = sum((w.size for w in others), size(0, 0))
    return (
        workload.zone in place.zones
        and workload.traits <= place.traits
        and (not workload.sites or place.site in workload.sites)
        and (workload.storage is None or workload.storage in place.storage)
        and (workload.group is None or all(w.group != workload.group for w in others))
        and (taken + workload.size).fits_in(place.capacity)
    )


@st.composite
def loaded_regions(draw, most: int = 6, servers: int = 9, migrating: bool = False) -> Ledger:
    """Servers anywhere that the rules of today allow; refuges are another matter."""
    ledger = draw(empty_regions(most))
    for number in range(draw(st.integers(0, servers))):
        new = draw(servers_to_place(f"s{number}", storage=True))
        fitting = [h for h in ledger.hosts.values() if may_stand(ledger, new, h)]
        pool = ledger.storage[StoragePoolId(str(new.storage))]
        if not fitting or pool.used + new.disk > pool.capacity:
            continue
        places = [draw(st.sampled_from(fitting))]
        if migrating and len(fitting) > 1 and draw(st.booleans()):
            places.append(draw(st.sampled_from([h for h in fitting if h is not places[0]])))
        ledger = with_server(ledger, replace(new, hosts=tuple(h.id for h in places)))
    return ledger


@st.composite
def certified_regions(draw, most: int = 6, servers: int = 9) -> Ledger:
    """Loaded at random, then emptied of what has no refuge, and certified."""
    return certified_without_the_uncovered(draw(loaded_regions(most, servers)))


@st.composite
def certified_for_wide_failures(draw) -> Ledger:
    """Regions about as full as their promise allows, for racks, power feeds that cross them, or sites.
    Servers may be moving."""
    hosts = []
    for number in range(draw(st.sampled_from([4, 5, 6]))):
        domains = {
            DomainKind.RACK: f"r{number // 2}",
            DomainKind.POWER: "ab"[number % 2],
            DomainKind.SITE: SITES[number // 3],
        }
        hosts.append(
            host(
                f"h{number}",
                draw(st.sampled_from([8, 12])),
                draw(st.sampled_from([8, 10, 12])),
                site=SITES[number // 3],
                zones=draw(st.sampled_from([ZONES, ZONES, ZONES, ZONES[:1]])),
                domains=[FailureDomain(kind, name) for kind, name in domains.items()],
                standing=draw(st.sampled_from([Standing.OPEN] * 9 + [Standing.CLOSED])),
            )
        )
    wide = draw(st.sampled_from([WIDE[:1], WIDE[:1], WIDE[:2], WIDE[2:]]))
    ledger = region(hosts, promised=frozenset({DomainKind.HOST, *wide}))
    half = {
        h.id: replace(h, capacity=size(h.capacity.vcpu // 2, h.capacity.memory // 2)) for h in hosts
    }
    for number in range(draw(st.sampled_from([9, 7, 5]))):
        new = server(
            f"s{number}",
            draw(st.sampled_from([1, 2])),
            draw(st.sampled_from([3, 2, 4, 6])),
            tier=draw(st.sampled_from([1, 0, 2])),
            zone=draw(st.sampled_from(ZONES)),
            group=draw(st.sampled_from([None, None, None, "g0"])),
        )
        fitting = [name for name, h in half.items() if may_stand(ledger, new, h)]
        if fitting:
            places = draw(st.permutations(fitting))[: draw(st.sampled_from([1, 1, 1, 2]))]
            ledger = with_server(ledger, replace(new, hosts=tuple(places)))
    return certified_without_the_uncovered(ledger)


def certified_without_the_uncovered(ledger: Ledger) -> Ledger:
    while True:
        answer = recertify(ledger)
        if not answer.uncovered:
            return replace(ledger, certificate=Certificate(answer.refuges))
        without = answer.uncovered[0].workload
        left = {name: w for name, w in ledger.workloads.items() if name != without}
        ledger = replace(ledger, workloads=left)
