"""Members, systems, servers and blueprints as the API shows them."""

from __future__ import annotations

from control_plane.model.addressing import mac_of
from control_plane.model.ids import HostId
from control_plane.model.operation import Operation
from control_plane.model.tenant import Tenant
from control_plane.model.workload import (
    Moving,
    Placed,
    Server,
    Stranded,
    status_of,
)
from control_plane.pool.hosts import size_out
from control_plane.pool.models import RefugeOut
from tenants.blueprint_views import lack_out
from tenants.models import (
    JoinPlan,
    MemberOut,
    PlannedServer,
    ServerOut,
    ServerPlan,
)
from tenants.onboarding import Joined


def member_out(tenant: Tenant) -> MemberOut:
    return MemberOut(
        code=tenant.code.text,
        name=tenant.name,
        kana=tenant.kana,
        prefecture=tenant.prefecture,
        population=tenant.population,
        band=tenant.band.value,
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
                host=_hosts(server)[0] or "",
                storage=server.storage,
                refuges=[
                    RefugeOut(failure=str(failure), host=host)
                    for (failure, protected), host in sorted(joined.refuges.items())
                    if protected == server.id
                ],
            )
            for server in joined.servers
        ],
        lacks=[lack_out(lack) for lack in joined.lacks],
    )


def server_out(server: Server, *, with_hardware: bool) -> ServerOut:
    """Members see no hardware."""
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
    )


def _hosts(server: Server) -> tuple[HostId | None, HostId | None]:
    """Where it is, and where it is going."""
    match server.placement:
        case Placed(host=host):
            return host, None
        case Moving(source=source, target=target):
            return source, target
        case Stranded():
            return None, None


def server_plan(server: Server, rehearsed: Operation, *, changes: bool) -> ServerPlan:
    """`rehearsed` was undone, so its id means nothing and stays here."""
    target = (rehearsed.fields or {}).get("target")
    return ServerPlan(
        server=server.id,
        kind=rehearsed.kind,
        changes=changes,
        moving_to=None if target is None else str(target),
    )
