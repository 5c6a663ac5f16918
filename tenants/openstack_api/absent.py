"""What OpenStack's clients may look for and not find here, and what there is in its place.

The page of what is supported lists it; tests ask for each of it and are told so.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenants.openstack_api.services import Service


@dataclass(frozen=True, slots=True)
class Absent:
    """`path` is below the service's versioned endpoint, as a client would ask; `instead` is a sentence."""

    service: Service
    method: str
    path: str
    what: str
    instead: str


_I, _C, _G, _N, _V = (
    Service.IDENTITY,
    Service.COMPUTE,
    Service.IMAGE,
    Service.NETWORK,
    Service.VOLUME,
)

ABSENT: tuple[Absent, ...] = (
    Absent(_I, "POST", "/projects", "making projects", "A project is a member; members join through `/v1/members`."),
    Absent(_I, "POST", "/users", "making users", "Service accounts are made through `/v1/service-accounts`."),
    Absent(_I, "GET", "/services", "the service catalogue's administration", "`/auth/catalog` tells it."),
    Absent(_I, "GET", "/groups", "groups", "Roles are given to each user."),
    Absent(_I, "GET", "/trusts", "trusts", "Application credentials are narrowed by roles."),
    Absent(_C, "GET", "/os-hypervisors", "hypervisors and hosts", "Members see no hardware."),
    Absent(_C, "GET", "/os-services", "services", "Operators read `/v1/hosts`."),
    Absent(_C, "GET", "/os-aggregates", "host aggregates", "Zones, sites and failure domains are the consortium's."),
    Absent(_C, "GET", "/os-migrations", "migrations", "Where a server runs is the consortium's to see to; `/v1/events` tells of it."),
    Absent(_C, "GET", "/os-simple-tenant-usage", "usage over time", "`/limits` tells what is used now."),
    Absent(_C, "GET", "/servers/any/diagnostics", "diagnostics of servers", "`/v1/servers/{server}` tells whether it runs."),
    Absent(_C, "GET", "/os-tenant-networks", "networks by Compute", "Network v2.0 has them."),
    Absent(_C, "GET", "/os-floating-ips", "floating addresses", "Offices reach a network's servers as `PUT /v1/networks/{network}/offices` says."),
    Absent(_N, "GET", "/floatingips", "floating addresses", "Offices reach a network's servers as `PUT /v1/networks/{network}/offices` says."),
    Absent(_N, "GET", "/routers", "routers", "Networks are never routed to each other; a binding (`/v1/bindings`) offers one service."),
    Absent(_N, "GET", "/agents", "agents", "Members see no hardware."),
    Absent(_N, "GET", "/qos/policies", "quality of service", "There is none yet."),
    Absent(_N, "GET", "/lbaas/loadbalancers", "load balancers", "Run one as a server."),
    Absent(_G, "GET", "/tasks", "tasks and imports", "Upload an image's bytes with `PUT /images/{image}/file`."),
    Absent(_G, "GET", "/metadefs/namespaces", "metadata definitions", "There are none."),
    Absent(_G, "GET", "/images/tiny/members", "sharing with single projects", "Operators share an image with all members (`PATCH /v1/images/{image}`)."),
    Absent(_G, "POST", "/images/tiny/actions/deactivate", "deactivating", "An image of one's own is deleted once no server is made from it."),
    Absent(_V, "GET", "/snapshots", "snapshots of single volumes", "A snapshot is of a server with all its disks (`POST /v1/servers/{server}/snapshots`); `POST /v1/volumes` fills a volume from one."),
    Absent(_V, "GET", "/attachments", "attachments apart from servers", "Compute's `/servers/{server}/os-volume_attachments`."),
    Absent(_V, "GET", "/backups", "backups of volumes", "Systems are backed up whole, with their volumes: `/v1/systems/{system}/backup-policy`."),
    Absent(_V, "GET", "/groups", "volume groups", "A system's disks are kept at one point in time by its backup policy."),
    Absent(_V, "GET", "/consistencygroups", "consistency groups", "A system's disks are kept at one point in time by its backup policy."),
    Absent(_V, "GET", "/os-volume-transfer", "handing volumes to other projects", "Volumes stay with their member."),
)  # fmt: skip
