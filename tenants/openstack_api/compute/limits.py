"""What a member may have and has, in Nova's words."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.ids import RegionId
from control_plane.model.server_notes import MOST_LABELS
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from tenants.keypairs.keypairs import MOST_KEYPAIRS
from tenants.networks.groups import MOST_GROUPS as MOST_SECURITY_GROUPS
from tenants.networks.models import MOST_RULES
from tenants.openstack_api.compute.server_view import Json
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.server_groups.groups import MOST_GROUPS as MOST_SERVER_GROUPS

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Count:
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Limits:
    cores: Count
    ram: Count
    """In MiB."""
    instances: Count
    server_groups: Count
    security_groups: Count
    key_pairs: Count


def limits_of(tx: Snapshot, tenant: MunicipalityCode, region: RegionId) -> Limits:
    """Of one region, but for keys and groups, which a member has for all of them. Where nothing was ever
    set there is no limit."""
    allotment, used = tx.allotment(tenant, region), tx.used_by(tenant, region)
    return Limits(
        Count(UNLIMITED if allotment is None else allotment.quota.vcpu, used.vcpu),
        Count(UNLIMITED if allotment is None else allotment.quota.memory, used.memory),
        Count(UNLIMITED, tx.server_count(tenant, region)),
        Count(MOST_SERVER_GROUPS, len(tx.server_groups(tenant))),
        Count(MOST_SECURITY_GROUPS, len(tx.security_groups(tenant))),
        Count(MOST_KEYPAIRS, len(tx.keypairs(tenant))),
    )


def absolute(limits: Limits, version: Version) -> Json:
    """As `GET /limits` has it."""
    shown: Json = {
        "maxTotalInstances": limits.instances.limit,
        "maxTotalCores": limits.cores.limit,
        "maxTotalRAMSize": limits.ram.limit,
        "maxTotalKeypairs": limits.key_pairs.limit,
        "maxServerMeta": MOST_LABELS,
        "maxServerGroups": limits.server_groups.limit,
        "maxServerGroupMembers": UNLIMITED,
        "totalInstancesUsed": limits.instances.used,
        "totalCoresUsed": limits.cores.used,
        "totalRAMUsed": limits.ram.used,
        "totalServerGroupsUsed": limits.server_groups.used,
    }
    if not since(version, 57):
        shown |= {"maxPersonality": 0, "maxPersonalitySize": 0}
    if not since(version, 39):
        shown["maxImageMeta"] = MOST_LABELS
    if not since(version, 36):
        shown |= {
            "maxTotalFloatingIps": 0,
            "totalFloatingIpsUsed": 0,
            "maxSecurityGroups": limits.security_groups.limit,
            "totalSecurityGroupsUsed": limits.security_groups.used,
            "maxSecurityGroupRules": MOST_RULES,
        }
    return shown


def quota_counts(limits: Limits, version: Version) -> dict[str, Count]:
    """By the names of `os-quota-sets`."""
    nothing = Count(0, 0)
    counts = {
        "instances": limits.instances,
        "cores": limits.cores,
        "ram": limits.ram,
        # Of these Nova counts no use, since each is of one server, user or group.
        "key_pairs": Count(limits.key_pairs.limit, 0),
        "metadata_items": Count(MOST_LABELS, 0),
        "server_groups": limits.server_groups,
        "server_group_members": Count(UNLIMITED, 0),
    }
    if not since(version, 57):
        counts |= {
            "injected_files": nothing,
            "injected_file_content_bytes": nothing,
            "injected_file_path_bytes": nothing,
        }
    if not since(version, 36):
        counts |= {
            "fixed_ips": Count(UNLIMITED, 0),
            "floating_ips": nothing,
            "security_groups": Count(limits.security_groups.limit, 0),
            "security_group_rules": Count(MOST_RULES, 0),
        }
    return counts
