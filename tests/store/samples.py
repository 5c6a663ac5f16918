"""A small pool to put into a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from control_plane.model.blueprint import System
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.host_health import Cleaning, Up
from control_plane.model.ids import (
    BlueprintId,
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
from control_plane.model.image import Finding, Image, ImageFormat, Verdict
from control_plane.model.operation import Operation, OperationState
from control_plane.model.pool import (
    DomainKind,
    Endpoint,
    FailureDomain,
    Host,
    Region,
    Site,
    StoragePool,
    Zone,
)
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Flavor, Placed, Placement, Server
from control_plane.store import Store, Transaction

NOON = datetime(2026, 4, 1, 12, 0, 0, 123456, tzinfo=UTC)
KYOTO = RegionId("kyoto")
SITE = SiteId("kyoto-dc")
POOL = StoragePoolId("kyoto-pool")
SMALL = FlavorId("m1.small")
IMAGE = ImageId("tiny-1")
FUKUCHIYAMA = MunicipalityCode("262013")
UJI = MunicipalityCode("262048")
MAIZURU = MunicipalityCode("262021")
SYSTEM = SystemId("262013-resident-records")
ONE = Resources(VCpu(1), MiB(1024))
EIGHT = Resources(VCpu(8), MiB(8192))


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def region(**changes: object) -> Region:
    return replace(Region(KYOTO, "京都", frozenset({"京都府"})), **changes)


def site(capacity: int = 1000, network: str = "10.77.16.0/24", **changes: object) -> Site:
    pools = (StoragePool(POOL, GiB(capacity), "/srv/yui/kyoto"),)
    return replace(Site(SITE, KYOTO, "京都センター", network, "10.77.16.1", pools), **changes)


def elsewhere() -> Site:
    """A second site of the region, with nothing in it."""
    return Site(SiteId("uji-dc"), KYOTO, "宇治センター", "10.9.0.0/24")


def host_id(number: int) -> HostId:
    return HostId(f"kyoto-{number}")


def host(number: int, size: Resources = EIGHT, **changes: object) -> Host:
    described = Host(
        id=host_id(number),
        site=SITE,
        region=KYOTO,
        capacity=size,
        zones=frozenset(Zone),
        storage=frozenset({POOL}),
        endpoint=Endpoint("simulated", "", bridge="br0"),
        health=Cleaning(NOON),
        traits=frozenset({"ssd"}),
        domains=frozenset({FailureDomain(DomainKind.RACK, f"r{number % 2}")}),
    )
    return replace(described, **changes)


def flavor() -> Flavor:
    return Flavor(SMALL, ONE, GiB(10))


def image() -> Image:
    report = (Finding("IMG-01", Verdict.CHECKED, "It is qcow2.", "形式は qcow2 です。"),)
    return Image(
        IMAGE, "tiny", "1", ImageFormat.QCOW2, "0" * 64, 2**33, GiB(1), "/i", "made here", NOON,
        report,
    )  # fmt: skip


def tenant(code: MunicipalityCode = FUKUCHIYAMA, name: str = "福知山市") -> Tenant:
    return Tenant(code, name, "フクチヤマシ", "京都府", 77_000)


def system(id: SystemId = SYSTEM, of: MunicipalityCode = FUKUCHIYAMA) -> System:
    return System(id, of, KYOTO, BlueprintId("resident-records"), 1, 0, Zone.MYNUMBER, NOON)


def server_id(number: int) -> ServerId:
    return ServerId(f"server-{number:04}")


def server(number: int, placement: Placement | None = None, **changes: object) -> Server:
    made = Server(
        id=server_id(number),
        tenant=FUKUCHIYAMA,
        system=SYSTEM,
        name=f"db{number}",
        role="database",
        flavor=SMALL,
        size=ONE,
        disk=GiB(10),
        image=IMAGE,
        zone=Zone.MYNUMBER,
        tier=0,
        start_order=1,
        storage=POOL,
        address=f"10.77.16.{number + 10}/24",
        placement=placement or Placed(host_id(1)),
    )
    return replace(made, **changes)


def operation(number: int) -> Operation:
    return Operation(
        OperationId(f"operation-{number:04}"),
        "member.join",
        f"member:{FUKUCHIYAMA}",
        FUKUCHIYAMA.text,
        OperationState.RUNNING,
        0,
        2,
        later(number),
        later(number),
    )


def evidence(number: int = 1, detail: str = "read back as off") -> FenceEvidence:
    return FenceEvidence(host_id(number), FenceKind.REDFISH_POWER_OFF, NOON, "bmc-1", detail)


def describe(tx: Transaction, hosts: int = 3, size: Resources = EIGHT, **pool: int) -> None:
    """One region, one site, some hosts that are up, and a catalogue; nobody in it yet."""
    tx.put_region(region())
    tx.put_site(site(**pool))
    for number in range(1, hosts + 1):
        fresh = tx.put_host_description(host(number, size))
        tx.save_host(replace(fresh, health=Up(NOON)))
    tx.put_flavor(flavor())
    tx.put_image(image())


def attempt(store: Store, *steps: Callable[[Transaction], object]) -> None:
    """All steps in one transaction."""
    with store.write() as tx:
        for step in steps:
            step(tx)


def furnish(store: Store, hosts: int = 3, **pool: int) -> None:
    """`describe`, with one member and its system."""
    with store.write() as tx:
        describe(tx, hosts, **pool)
        tx.add_tenant(tenant())
        tx.add_system(system())
