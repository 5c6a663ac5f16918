"""What a client that wants a server means in Yui's words: which system, zone and site it is for."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, ImageId, RegionId, SecurityGroupId, SiteId, SystemId
from control_plane.model.network import Network, SecurityGroup
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from tenants.asking import Asker
from tenants.creation import ServerRequest
from tenants.openstack_api.compute.server_models import NewServer, SecurityGroupIn, ServerIn
from tenants.openstack_api.compute.unsupported import (
    refuse_devices,
    refuse_hints,
    refuse_hostname,
    refuse_later,
    refuse_unsupported,
    unsupported,
)
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.systems import OwnSystem, own_system

SYSTEM_LABEL = "yui:system"
"""The metadata by which a client names the system that a server is for."""

_OWN = "openstack"
_TIER = 2


@dataclass(frozen=True, slots=True)
class Meant:
    """`most` servers are wanted, `least` would do. `founding` is the system that is made with them."""

    request: ServerRequest
    least: int
    most: int
    founding: System | None
    groups: tuple[SecurityGroup, ...]


def meant(tx: Snapshot, body: NewServer, region: RegionId, asker: Asker, version: Version) -> Meant:
    """Raises what is wrong with the request: `field-unsupported`, `field-unknown`, `network-not-found`,
    `networks-several` (409), `network-missing`, `system-not-found`, `system-zone-other`,
    `security-group-not-found`, `availability-zone-unknown`, `counts-contradict`."""
    server, hints = body.server, body.hints
    if "older_hints" in body.model_fields_set:
        hints = body.older_hints
    tenant = asker.tenant
    assert tenant is not None  # noqa: S101 — routes ask for a project first
    refuse_later(server, version)
    refuse_unsupported(server)
    refuse_hostname(server.hostname, server.name)
    refuse_hints(hints)
    image = refuse_devices(server)
    least, most = _counts(server)
    system, founding = _system(tx, server, region, asker, version)
    groups = tuple(_group(tx, one, tenant) for one in server.security_groups or ())
    request = ServerRequest(
        name=server.name,
        system=system,
        flavor=FlavorId(server.flavor),
        image=ImageId(image),
        role=server.name,
        user_data=server.user_data,
        keypair=server.key_name or None,
        server_group=hints.group or None,
        site=_site(tx, server.availability_zone, region),
        security_groups=tuple(SecurityGroupId(group.id) for group in groups),
        description=_description(server, version),
        labels=server.metadata,
        tags=tuple(dict.fromkeys(server.tags or ())),
    )
    return Meant(request, least, most, founding, groups)


def _counts(server: ServerIn) -> tuple[int, int]:
    least = server.min_count
    most = least if server.max_count is None else server.max_count
    if least > most:
        raise YuiError(
            "counts-contradict",
            en="min_count must be <= max_count.",
            ja="min_count は max_count 以下にしてください。",
            status=400,
        )
    return least, most


def _description(server: ServerIn, version: Version) -> str | None:
    """Before 2.19 a server is described by its name."""
    return server.description if since(version, 19) else server.name


def _system(
    tx: Snapshot, server: ServerIn, region: RegionId, asker: Asker, version: Version
) -> tuple[str, System | None]:
    """The one that is named, else the member's own one for what comes from OpenStack's tools."""
    tenant = asker.tenant
    assert tenant is not None  # noqa: S101 — as above
    named = server.metadata.get(SYSTEM_LABEL)
    network = _network(tx, server, region, tenant, version, needed=named is None)
    systems = {system.id: system for system in tx.systems(tenant)}
    if named is not None:
        system = systems.get(SystemId(named)) or systems.get(SystemId(f"m{tenant}-own-{named}"))
        system = system or tx.system(SystemId(named), tenant)
        if system.region != region:
            return tx.system(SystemId(""), tenant).id, None
        if network is not None and network.zone is not system.zone:
            raise _zone_other(system, network)
        return system.id, None
    assert network is not None  # noqa: S101 — it was needed
    return _own(tx, systems, network.zone, region, asker)


def _own(
    tx: Snapshot, systems: dict[SystemId, System], zone: Zone, region: RegionId, asker: Asker
) -> tuple[str, System | None]:
    member = tx.tenant(str(asker.tenant))
    for name in (f"{_OWN}-{zone}", f"{_OWN}-{zone}-{region}"):
        wanted = own_system(member, region, OwnSystem(name, _TIER, zone), asker)
        standing = systems.get(wanted.id)
        if standing is None:
            return wanted.id, wanted
        if (standing.region, standing.zone) == (region, zone):
            return standing.id, None
    raise YuiError(
        "system-missing",
        en=f"There is no system for servers of zone {zone} here: name one of yours as metadata '{SYSTEM_LABEL}'.",
        ja=f"ゾーン {zone} のサーバーを入れるシステムがありません。メタデータ {SYSTEM_LABEL} でシステムを指定してください。",
        status=409,
    )


def _network(
    tx: Snapshot,
    server: ServerIn,
    region: RegionId,
    tenant: MunicipalityCode,
    version: Version,
    *,
    needed: bool,
) -> Network | None:
    own = {network.id: network for network in tx.networks(tenant) if network.region == region}
    match server.networks:
        case None if since(version, 37):
            raise YuiError(
                "networks-missing",
                en="'networks' is a required property: name one network, or 'auto'.",
                ja="networks は必須です。ネットワークを一つ指定するか、auto としてください。",
                status=400,
            )
        case "none":
            raise unsupported(
                "networks",
                "every server is on its zone's network: 'none' can't be had",
                "サーバーは必ずゾーンのネットワークに接続されます。none は使えません",
            )
        case None | "auto" | []:
            return _only(list(own.values())) if needed else None
        case str():
            raise AssertionError(server.networks)
        case [only]:
            pass
        case _:
            raise unsupported(
                "networks",
                "a server is on one network: name one",
                "サーバーが接続できるネットワークは一つです。一つだけ指定してください",
            )
    for name in ("port", "fixed_ip", "tag"):
        if getattr(only, name) is not None:
            raise unsupported(
                name,
                f"a network can't be named with {name}: the server's port and address come with it",
                f"networks に {name} は指定できません。ポートとアドレスは作成時に割り当てられます",
            )
    found = next((network for id, network in own.items() if id == only.uuid), None)
    if found is None:
        shown = "".join(c if c.isprintable() else "?" for c in (only.uuid or "")[:80])
        raise YuiError(
            "network-not-found",
            en=f"Network {shown} could not be found.",
            ja=f"ネットワーク {shown} が見つかりません。",
            status=400,
        )
    return found


def _only(own: list[Network]) -> Network:
    if len(own) > 1:
        raise YuiError(
            "networks-several",
            en="Multiple possible networks found, use a Network ID to be more specific.",
            ja="該当するネットワークが複数あります。ネットワークの ID を指定してください。",
            status=409,
        )
    if not own:
        raise YuiError(
            "network-missing",
            en="There is no network of yours in this region yet: make one (POST /networks with provider:physical_network mynumber, lgwan or internet), or name the server's system as metadata 'yui:system'.",
            ja="このリージョンにはまだネットワークがありません。作成する(POST /networks、provider:physical_network は mynumber・lgwan・internet のいずれか)か、メタデータ yui:system でシステムを指定してください。",
            status=400,
        )
    return own[0]


def _zone_other(system: System, network: Network) -> YuiError:
    return YuiError(
        "system-zone-other",
        en=f"System '{system.id}' is of zone {system.zone}, and network '{network.id}' of zone {network.zone}: name a network of the system's zone.",
        ja=f"システム「{system.id}」のゾーンは {system.zone}、ネットワーク「{network.id}」のゾーンは {network.zone} です。同じゾーンのネットワークを指定してください。",
        status=400,
    )


def _group(tx: Snapshot, named: SecurityGroupIn, tenant: MunicipalityCode) -> SecurityGroup:
    """By id or name."""
    own = tx.security_groups(tenant)
    found = next((g for g in own if named.name in (g.id, g.name)), None)
    return found or tx.security_group(SecurityGroupId(named.name), tenant)


def _site(tx: Snapshot, zone: str | None, region: RegionId) -> SiteId | None:
    if not zone:
        return None
    if zone not in {site.id for site in tx.sites(region)}:
        raise YuiError(
            "availability-zone-unknown",
            en="The requested availability zone is not available: list os-availability-zone for those of this region.",
            ja="指定されたアベイラビリティゾーンはありません。os-availability-zone でこのリージョンのものを確認してください。",
            status=400,
        )
    return SiteId(zone)
