"""Describes a local pool to the control plane, in the shape of a pool file."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.ids import HostId
from control_plane.model.units import GiB, MiB, VCpu
from deploy.local import network
from deploy.local.daemon_settings import LIBVIRT_PORT
from deploy.local.state import LocalHost, LocalSite


@dataclass(frozen=True, slots=True)
class Bmc:
    """How to reach a host's Redfish BMC. `password_ref` names the secret: `file:/path` or `env:NAME`."""

    url: str
    system: str
    user: str
    password_ref: str


@dataclass(frozen=True, slots=True)
class LocalFlavor:
    id: str
    vcpus: VCpu
    memory: MiB
    disk: GiB


def pool_description(
    *,
    subnet: ipaddress.IPv4Network,
    storage: Path,
    segments: bool,
    sites: Sequence[LocalSite],
    hosts: Sequence[LocalHost],
    bmcs: Mapping[HostId, Bmc],
    flavors: Sequence[LocalFlavor],
    vcpus: VCpu,
    memory: MiB,
    storage_capacity: GiB,
) -> dict[str, object]:
    """`vcpus` and `memory` are what each host hands out, `storage_capacity` what each site's does."""
    return {
        "regions": _regions(sites),
        "sites": [
            {
                "id": site.id,
                "region": site.region,
                "name": site.name or site.id,
                "guest_network": network.guest_network(subnet, number),
                # Where hosts keep members apart they are the gateways of each member's block.
                **({} if segments else {"guest_gateway": network.guest_gateway(subnet, number)}),
                "storage_pools": [
                    {
                        "id": storage_pool_of(site.id),
                        "capacity": f"{storage_capacity} GiB",
                        "path": str(storage / site.id),
                    }
                ],
            }
            for number, site in enumerate(sites, start=1)
        ],
        "hosts": [
            {
                "id": host.id,
                "site": host.site,
                "vcpus": int(vcpus),
                "memory": f"{memory} MiB",
                "storage": [storage_pool_of(host.site)],
                # Everything stays on this machine, so nothing of it is encrypted.
                "connection": {
                    **connection(host, storage, bmcs.get(host.id), segments=segments),
                    "allow_plaintext": True,
                },
            }
            for host in hosts
        ],
        "flavors": [
            {
                "id": flavor.id,
                "vcpus": int(flavor.vcpus),
                "memory": f"{flavor.memory} MiB",
                "disk": f"{flavor.disk} GiB",
            }
            for flavor in flavors
        ],
    }


def storage_pool_of(site: str) -> str:
    return f"{site}-pool"


def _regions(sites: Sequence[LocalSite]) -> list[dict[str, object]]:
    regions: dict[str, dict[str, object]] = {}
    for site in sites:
        region = regions.setdefault(
            site.region,
            {"id": site.region, "name": site.region_name or site.region, "prefectures": []},
        )
        known = region["prefectures"]
        assert isinstance(known, list)  # noqa: S101
        known.extend(name for name in site.prefectures if name not in known)
    return list(regions.values())


def connection(
    host: LocalHost, storage: Path, bmc: Bmc | None, *, segments: bool
) -> dict[str, str]:
    """A host's `connection`, whose keys are the fields of the model's Endpoint."""
    fields = {
        "driver": "libvirt",
        "uri": f"qemu+tcp://{host.address}:{LIBVIRT_PORT}/system",
        "migration_host": host.address,
        "bridge": network.SEGMENT_BRIDGES if segments else network.GUEST_BRIDGE,
        "lease_path": str(storage / host.site / "leases" / host.id),
    }
    if bmc is not None:
        fields |= {
            "bmc_url": bmc.url,
            "bmc_system": bmc.system,
            "bmc_user": bmc.user,
            "bmc_password_ref": bmc.password_ref,
        }
    return fields
