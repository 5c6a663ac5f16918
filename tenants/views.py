"""Members, systems, servers and blueprints as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from control_plane.model.addressing import mac_of
from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId
from control_plane.model.membership import Membership
from control_plane.model.tenant import Tenant
from control_plane.model.workload import (
    Moving,
    Placed,
    Power,
    Server,
    ServerStatus,
    Shelved,
    Stranded,
    status_of,
)
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.hosts import size_out
from control_plane.pool.models import RefugeOut
from control_plane.pool.plan import added, cost_of
from control_plane.store import Snapshot
from tenants.blueprint_views import lack_out
from tenants.catalogue import Catalogue
from tenants.models import (
    JoinPlan,
    MemberOut,
    PlannedServer,
    ServerOut,
    SystemOut,
    UnconfirmedResizeOut,
)
from tenants.onboarding import Joined


def member_out(tenant: Tenant, membership: Membership | None = None) -> MemberOut:
    return MemberOut(
        code=tenant.code.text,
        name=tenant.name,
        kana=tenant.kana,
        prefecture=tenant.prefecture,
        population=tenant.population,
        band=tenant.band.value,
        state=None if membership is None else membership.state.value,
        since=None if membership is None else membership.standing.since,
    )


def join_plan(joined: Joined) -> JoinPlan:
    return JoinPlan(
        member=member_out(joined.tenant),
        region=joined.region,
        servers=[
            PlannedServer(
                name=server.name,
                role=server.role,
                blueprint=joined.blueprints[server.system],
                flavor=server.flavor,
                tier=server.tier,
                start_order=server.start_order,
                host=_hosts(server)[0] or "",
                storage=server.storage,
                refuges=[
                    RefugeOut(failure=str(failure), host=host)
                    for (failure, protected), host in sorted(joined.refuges.items())
                    if protected == server.id
                ],
            )
            for server in sorted(joined.servers, key=lambda s: (s.tier, s.start_order, s.name))
        ],
        diff=[
            added(f"/members/{joined.tenant.code}", {"name": joined.tenant.name}),
            *(
                added(f"/systems/{system}", {"blueprint": blueprint})
                for system, blueprint in sorted(joined.blueprints.items())
            ),
            *(
                added(f"/servers/{s.name}", {"flavor": s.flavor, "power": s.power.value})
                for s in joined.servers
            ),
        ],
        certificate=certificate_change(joined.ledger, joined.plan),
        lacks=[lack_out(lack) for lack in joined.lacks],
        capacity=cost_of(joined.servers),
    )


def server_out(tx: Snapshot, server: Server, now: datetime, *, with_hardware: bool) -> ServerOut:
    """Members see no hardware."""
    resize = tx.unconfirmed_resizes([server.id]).get(server.id)
    key = tx.keys_of_servers([server.id]).get(server.id)
    host, heading = _hosts(server) if with_hardware else (None, None)
    return ServerOut(
        id=server.id,
        name=server.name,
        tenant=server.tenant.text,
        system=server.system,
        role=server.role,
        status=status_of(server).value,
        power=server.power.value,
        flavor=server.flavor,
        size=size_out(server.size),
        disk_gib=server.disk,
        image=server.image,
        zone=server.zone.value,
        tier=server.tier,
        start_order=server.start_order,
        address=server.address,
        mac=mac_of(server.id),
        host=host,
        moving_to=heading,
        storage=server.storage if with_hardware else None,
        generation=server.generation,
        protected=server.protected,
        restart_needed=server.restart_needed,
        keypair=None if key is None else key.name,
        server_group=server.group,
        unconfirmed_resize=None
        if resize is None or not resize.waits(server, now)
        else UnconfirmedResizeOut(before=resize.flavor, until=resize.until),
    )


def system_out(system: System, servers: Sequence[Server], catalogue: Catalogue) -> SystemOut:
    name_ja, name_en = _names(system, catalogue)
    running = sum(status_of(server) is ServerStatus.ACTIVE for server in servers)
    return SystemOut(
        id=system.id,
        tenant=system.tenant.text,
        region=system.region,
        blueprint=system.blueprint,
        blueprint_version=system.blueprint_version,
        name_ja=name_ja,
        name_en=name_en,
        tier=system.tier,
        zone=system.zone.value,
        servers=len(servers),
        running=running,
        state=_state(servers, running),
        created_at=system.created_at,
    )


def _state(
    servers: Sequence[Server], running: int
) -> Literal["running", "stopped", "degraded", "building"]:
    if servers and running == len(servers):
        return "running"
    if all(server.power is not Power.RUNNING for server in servers):
        return "stopped"
    return "degraded" if running else "building"


def _names(system: System, catalogue: Catalogue) -> tuple[str, str]:
    """A system outlives its blueprint's file; it is then called by the blueprint's id. One of a
    member's own has a name of its own."""
    if system.name:
        return system.name, system.name
    try:
        blueprint = catalogue.blueprint(system.blueprint, system.blueprint_version)
    except YuiError:
        return system.blueprint, system.blueprint
    return blueprint.name_ja, blueprint.name_en


def _hosts(server: Server) -> tuple[HostId | None, HostId | None]:
    """Where it is, and where it is going."""
    match server.placement:
        case Placed(host=host):
            return host, None
        case Moving(source=source, target=target):
            return source, target
        case Stranded() | Shelved():
            return None, None
