"""From a pool description back to the shape that people and the HTTP API read.

What is written is what the pool hands out: `vcpus` already multiplied, `memory` already without
the hypervisor's share. Reading it again gives an equal description.
"""

from __future__ import annotations

import yaml

from control_plane.model.pool import DomainKind, Endpoint, Region, Site, Zone
from control_plane.model.units import GiB, MiB
from control_plane.model.workload import Flavor
from control_plane.pool_file.connection import allows_plaintext, simulated
from control_plane.pool_file.description import HostDescription, PoolDescription


def to_json(description: PoolDescription) -> dict[str, object]:
    """The shape of the pool file, of JSON values only."""
    return {
        "regions": [_region(region) for region in description.regions],
        "sites": [_site(site) for site in description.sites],
        "hosts": [_host(host) for host in description.hosts],
        "flavors": [_flavor(flavor) for flavor in description.flavors],
    }


def to_yaml(description: PoolDescription) -> str:
    """The same as a pool file."""
    return yaml.safe_dump(to_json(description), allow_unicode=True, sort_keys=False, width=100)


def memory_text(size: MiB) -> str:
    return f"{size // 1024} GiB" if size % 1024 == 0 else f"{size} MiB"


def disk_text(size: GiB) -> str:
    return f"{size} GiB"


def _region(region: Region) -> dict[str, object]:
    return {
        "id": region.id,
        "name": region.name,
        "policy": region.policy.value,
        "promised": [kind.value for kind in DomainKind if kind in region.promised],
        **({"prefectures": sorted(region.prefectures)} if region.prefectures else {}),
        "notice_days": region.notice_days,
    }


def _site(site: Site) -> dict[str, object]:
    return {
        "id": site.id,
        "region": site.region,
        "name": site.name,
        "guest_network": site.guest_network,
        **({"guest_gateway": site.guest_gateway} if site.guest_gateway else {}),
        **({"member_prefix": site.member_prefix} if site.member_prefix is not None else {}),
        "storage_pools": [
            {"id": pool.id, "capacity": disk_text(pool.capacity), "path": pool.path}
            for pool in site.storage_pools
        ],
    }


def _host(host: HostDescription) -> dict[str, object]:
    optional = {
        "traits": sorted(host.traits),
        "rack": host.rack,
        "power": host.power,
        "hazards": sorted(host.hazards),
        "connection": _connection(host.endpoint) if host.endpoint != simulated(host.id) else None,
    }
    return {
        "id": host.id,
        "site": host.site,
        "vcpus": int(host.capacity.vcpu),
        "memory": memory_text(host.capacity.memory),
        "zones": [zone.value for zone in Zone if zone in host.zones],
        "storage": sorted(host.storage),
        **{key: value for key, value in optional.items() if value},
    }


def _connection(endpoint: Endpoint) -> dict[str, object]:
    written = {
        "driver": endpoint.driver,
        "uri": endpoint.uri,
        "migration_host": endpoint.migration_host,
        "bridge": endpoint.bridge,
        "tunnel_address": endpoint.tunnel_address,
        "bmc_url": endpoint.bmc_url,
        "bmc_system": endpoint.bmc_system,
        "bmc_user": endpoint.bmc_user,
        "bmc_password_ref": endpoint.bmc_password_ref,
        "lease_path": endpoint.lease_path,
        "allow_plaintext": allows_plaintext(endpoint),
    }
    return {key: value for key, value in written.items() if value}


def _flavor(flavor: Flavor) -> dict[str, object]:
    return {
        "id": flavor.id,
        "vcpus": int(flavor.size.vcpu),
        "memory": memory_text(flavor.size.memory),
        "disk": disk_text(flavor.disk),
    }
