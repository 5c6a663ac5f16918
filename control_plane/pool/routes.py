"""The pool over HTTP: for operators alone, since members see no hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, ExpectedContent, content_tag, entity_tag
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, listed, written
from control_plane.http.paging import Cursor, Limit, Page, behind, cursor_to, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.fence import FenceMethod
from control_plane.model.ids import Generation, HostId, RegionId
from control_plane.model.pool import Duty
from control_plane.pool.certificate import show_certificate
from control_plane.pool.description import apply_description, describe, refuse_changed
from control_plane.pool.explain import explain_admission, explain_drain
from control_plane.pool.hosts import ask_for_fence, drain, list_hosts, show_host, take_back
from control_plane.pool.models import (
    CertificateOut,
    DrainPlan,
    ExplainIn,
    ExplainOut,
    FenceAccepted,
    FenceIn,
    FlavorOut,
    HealthName,
    HostOut,
    PoolApplied,
)
from control_plane.pool_file import from_json, to_json
from control_plane.store import Snapshot

router = APIRouter(prefix="/v1", tags=["pool"])


@router.get("/pool", response_model=dict[str, Any])
def read_pool(_: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand) -> Response:
    """The description of the pool as it stands, in the shape of a pool file."""
    with edge.store.read() as tx:
        document = to_json(describe(tx))
    return JSONResponse(document, headers={"ETag": content_tag(document)})


@router.put("/pool", response_model=PoolApplied)
@audited("pool.apply", "pool")
def put_pool(
    body: Annotated[dict[str, Any], Body()],
    who: Annotated[Principal, needs(Permission.POOL_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: ExpectedContent,
    dry_run: DryRun = False,
) -> Response:
    """Make the pool what the description says, all of it or nothing. With `If-Match`, only where it
    is still described as it was read."""
    wanted = from_json(body)

    def work(remember: Remember) -> PoolApplied:
        # Two descriptions at once would leave a pool that is neither.
        with edge.rehearsable(dry_run, turn="pool") as tx, named_in_body():
            if expected is not None:
                refuse_changed(expected, content_tag(to_json(describe(tx))))
            applied = apply_description(
                tx, wanted, who, edge.clock.now(), lambda made: remember(tx, made)
            )
        return applied.model_copy(update={"dry_run": dry_run})

    return once.run(work)


@router.get("/hosts", response_model=Page[HostOut], responses=LIST_ANSWERS)
async def read_hosts(
    _: Annotated[Principal, needs(Permission.POOL_READ)],
    edge: AtHand,
    *,
    region: Annotated[Name | None, Query(description="Only hosts of this region.")] = None,
    health: Annotated[
        HealthName | None, Query(description="Only hosts that are so at the moment.")
    ] = None,
    duty: Annotated[Duty | None, Query(description="Only hosts with this duty.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Hosts by id, in pages."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        where = None if region is None else tx.region(RegionId(region)).id
        hosts = tx.host_page(limit + 1, after, region=where, health=health, duty=duty)
        shown = [host.model_dump(mode="json") for host in list_hosts(tx, hosts[:limit])]
        following = cursor_to(hosts[limit - 1].id) if len(hosts) > limit else None
        return written({"items": shown, "next": following})

    return listed(await edge.look(page), if_none_match)


@router.get("/hosts/{host_id}", response_model=HostOut)
def read_host(
    host_id: Name, _: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand
) -> Response:
    with edge.store.read() as tx:
        host = show_host(tx, HostId(host_id))
    return JSONResponse(
        host.model_dump(mode="json"), headers={"ETag": entity_tag(Generation(host.generation))}
    )


@router.post(
    "/hosts/{host_id}/drain",
    status_code=202,
    response_model=OperationOut,
    responses={200: {"model": DrainPlan, "description": "With `dry_run`."}},
)
@audited("host.drain", "host")
def drain_host(
    host_id: Name,
    who: Annotated[Principal, needs(Permission.POOL_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Empty the host and put it into maintenance."""

    def rehearse(_: Remember) -> DrainPlan:
        with edge.store.read() as tx:
            return explain_drain(tx, HostId(host_id))

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            operation = drain(
                tx,
                HostId(host_id),
                who,
                edge.clock.now(),
                expected=expected,
                keep=lambda begun: remember(tx, operation_out(begun)),
            )
        return operation_out(operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=_location)


@router.post("/hosts/{host_id}/return", response_model=HostOut)
@audited("host.return", "host")
def return_host(
    host_id: Name,
    who: Annotated[Principal, needs(Permission.POOL_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Take the host back into service."""

    def work(remember: Remember) -> HostOut:
        with edge.rehearsable(dry_run) as tx:
            take_back(tx, HostId(host_id), who, edge.clock.now(), expected=expected)
            answer = show_host(tx, HostId(host_id))
            remember(tx, answer)
        return answer

    return once.run(work)


@router.post("/hosts/{host_id}/fence", status_code=202, response_model=FenceAccepted)
@audited("host.fence", "host")
def fence_host(
    host_id: Name,
    body: FenceIn,
    who: Annotated[Principal, needs(Permission.POOL_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Ask for the host's power to be cut, or state that it is off. The reconciler acts on it and
    tells by events; a statement about a host that still answers is not believed."""

    def work(remember: Remember) -> FenceAccepted:
        with edge.rehearsable(dry_run) as tx:
            answer = ask_for_fence(
                tx,
                HostId(host_id),
                body.statement,
                FenceMethod(body.method),
                who=who,
                at=edge.clock.now(),
            ).model_copy(update={"dry_run": dry_run})
            remember(tx, answer)
        return answer

    return once.run(work, status=200 if dry_run else 202)


@router.get("/flavors")
def read_flavors(
    _: Annotated[Principal, needs(Permission.CATALOGUE_READ)],
    edge: AtHand,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FlavorOut]:
    with edge.store.read() as tx:
        flavors = tx.flavors()
    return page_of(
        flavors,
        key=lambda flavor: flavor.id,
        show=lambda flavor: FlavorOut(
            id=flavor.id,
            vcpus=flavor.size.vcpu,
            memory_mib=flavor.size.memory,
            disk_gib=flavor.disk,
        ),
        limit=limit,
        cursor=cursor,
    )


@router.get("/regions/{region_id}/certificate")
def read_certificate(
    region_id: Name, _: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand
) -> CertificateOut:
    with edge.store.read() as tx:
        return show_certificate(tx, RegionId(region_id), edge.clock.now())


@router.post("/regions/{region_id}/certificate/check")
@audited("certificate.check", "region")
def check_certificate(
    region_id: Name, who: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand
) -> CertificateOut:
    """The same check, with an entry in the audit trail that says who asked and what came out."""
    at = edge.clock.now()
    with edge.store.read() as snapshot:
        answer = show_certificate(snapshot, RegionId(region_id), at)
    with edge.store.write() as tx:
        tx.add_audit(
            who.did(
                "certificate.check",
                f"region:{region_id}",
                at,
                fields={"valid": answer.valid, "uncovered": len(answer.uncovered)},
            )
        )
    return answer


@router.post("/explain")
def explain(
    body: ExplainIn, _: Annotated[Principal, needs(Permission.POOL_READ)], edge: AtHand
) -> ExplainOut:
    """What would happen: the plan or the refusal. Nothing is written."""
    with edge.store.read() as tx, named_in_body():
        return explain_admission(tx, body)


def _location(operation: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{operation['id']}"}
