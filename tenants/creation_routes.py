"""Servers of a member's own are made over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, ImageId, SecurityGroupId, SiteId
from control_plane.model.operation import Operation
from control_plane.model.workload import Power, Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, Difference, added, cost_of
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.creation import ServerRequest, create
from tenants.lifecycle_models import NewServerIn, NewServersIn
from tenants.server_change import REHEARSED, location

router = APIRouter(prefix="/v1", tags=["servers"])

_MOST = 200


@router.post("/servers", status_code=202, response_model=OperationOut, responses=REHEARSED)
@audited("server.create", "server")
def create_servers(
    body: NewServersIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Make servers: all of them are admitted in one decision, or none."""
    _refuse_many(body)
    requests = [_request(one) for one in body.servers]

    def rehearse(_: Remember) -> ChangePlan:
        asker = Asker(who, edge.clock.now())
        admitted = create(edge.store, requests, asker, lambda _, __: None, dry_run=True)
        return ChangePlan(
            diff=[_added(server) for server in admitted.servers],
            certificate=certificate_change(admitted.ledger, admitted.plan),
            capacity=cost_of(admitted.servers),
        )

    def work(remember: Remember) -> OperationOut:
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, operation: Operation) -> None:
            remember(tx, operation_out(operation))

        return operation_out(create(edge.store, requests, asker, keep).result)

    with named_in_body():
        return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


def _request(one: NewServerIn) -> ServerRequest:
    return ServerRequest(
        name=one.name,
        system=one.system,
        flavor=FlavorId(one.flavor),
        image=ImageId(one.image),
        role=one.role or one.name,
        start_order=one.start_order,
        anti_affinity=one.anti_affinity,
        user_data=one.user_data,
        protected=one.protected,
        count=one.count,
        keypair=one.keypair,
        server_group=one.server_group,
        site=None if one.site is None else SiteId(one.site),
        security_groups=tuple(map(SecurityGroupId, one.security_groups)),
        description=one.description,
        labels=one.labels,
        tags=tuple(dict.fromkeys(one.tags)),
    )


def _refuse_many(body: NewServersIn) -> None:
    count = sum(one.count for one in body.servers)
    if count > _MOST:
        raise YuiError(
            "too-many-servers",
            en=f"{count} servers are asked for at once, and at most {_MOST} can be: ask in several calls.",
            ja=f"一度に {count} 台のサーバーが指定されましたが、上限は {_MOST} 台です。数回に分けて依頼してください。",
            fields={"servers": count, "most": _MOST},
        )


def _added(server: Server) -> Difference:
    return added(
        f"/servers/{server.name}",
        {
            "system": server.system,
            "flavor": server.flavor,
            "image": server.image,
            "power": Power.RUNNING.value,
        },
    )
