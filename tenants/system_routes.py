"""Systems of members that exist, over HTTP: shown, added, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.journal.progress import ended_before, note_ended
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, RegionId, SystemId
from control_plane.model.operation import Operation
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, added, cost_of, given_back, removed
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.lifecycle_models import NewSystemIn
from tenants.models import SystemOut
from tenants.onboarding import Onboarding
from tenants.routes import Known
from tenants.server_change import REHEARSED, location
from tenants.systems import OwnSystem, SystemRequest, add, delete
from tenants.views import system_out

router = APIRouter(prefix="/v1", tags=["systems"])


@router.get("/systems/{system}")
def read_system(
    system: Name,
    who: Annotated[Principal, needs(Permission.SYSTEMS_READ)],
    edge: AtHand,
    known: Known,
) -> SystemOut:
    with edge.store.read() as tx:
        found = tx.system(SystemId(system), who.tenant)
        servers = tx.servers(system=found.id)
    return system_out(found, servers, known.catalogue)


@router.post("/systems", status_code=202, response_model=OperationOut, responses=REHEARSED)
@audited("system.add", "system")
def add_system(
    body: NewSystemIn,
    who: Annotated[Principal, needs(Permission.SYSTEMS_WRITE)],
    edge: AtHand,
    known: Known,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """A member takes one more system: all its servers are admitted, or nothing is."""
    onboarding = Onboarding(edge.store, known.catalogue, known.register)
    request = SystemRequest(
        _what(body), body.tenant, None if body.region is None else RegionId(body.region)
    )

    def rehearse(_: Remember) -> ChangePlan:
        asker = Asker(who, edge.clock.now())
        system, admitted = add(onboarding, request, asker, lambda _, __: None, dry_run=True)
        shown = {"blueprint": system.blueprint, "zone": system.zone.value, "tier": system.tier}
        return ChangePlan(
            diff=[
                added(f"/systems/{system.id}", shown),
                *(
                    added(
                        f"/servers/{server.name}",
                        {"system": server.system, "flavor": server.flavor, "image": server.image},
                    )
                    for server in admitted.servers
                ),
            ],
            certificate=certificate_change(admitted.ledger, admitted.plan),
            capacity=cost_of(admitted.servers),
        )

    def work(remember: Remember) -> OperationOut:
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, operation: Operation) -> None:
            remember(tx, operation_out(operation))

        _, admitted = add(onboarding, request, asker, keep)
        return operation_out(admitted.result)

    with named_in_body():
        return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.delete(
    "/systems/{system}", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("system.delete", "system")
def delete_system(
    system: Name,
    who: Annotated[Principal, needs(Permission.SYSTEMS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Remove a system with all its servers and their root disks."""

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            found = tx.system(SystemId(system), who.tenant)
            ledger = tx.ledger(found.region)
            servers = delete(tx, found, Asker(who, edge.clock.now()), lambda _: None)[1]
        return ChangePlan(
            diff=[
                removed(f"/systems/{found.id}"),
                *(removed(f"/servers/{server.name}") for server in servers),
            ],
            certificate=certificate_change(ledger, None),
            capacity=given_back(servers),
        )

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            found = tx.system(SystemId(system), who.tenant)
            ended = ended_before(tx, *tx.servers(system=found.id))
            asker = Asker(who, edge.clock.now())
            begun, _ = delete(tx, found, asker, lambda one: remember(tx, operation_out(one)))
            note_ended(tx, ended, asker.at)
        return operation_out(begun)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


def _what(body: NewSystemIn) -> BlueprintId | OwnSystem:
    """Raises `system-unclear`."""
    own = (body.name, body.zone, body.tier)
    if body.blueprint is not None and own == (None, None, None):
        return BlueprintId(body.blueprint)
    if body.blueprint is not None or body.name is None or body.zone is None or body.tier is None:
        raise YuiError(
            "system-unclear",
            en="A system is either from a 'blueprint' or one of your own with 'name', 'zone' and 'tier': give the one or the other.",
            ja="blueprint を指定するか、独自のシステムとして name・zone・tier をすべて指定してください。",
        )
    return OwnSystem(body.name, body.tier, body.zone)
