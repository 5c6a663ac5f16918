"""Volumes over HTTP: shown, made, attached, grown, detached, protected, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.conditions import Expected, entity_tag
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.paging import Cursor, Limit, Page, behind, cursor_to
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.ids import Generation, RegionId, SiteId, VolumeId
from control_plane.model.operation import Operation
from control_plane.model.units import GiB
from control_plane.model.volume import Volume
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import (
    FREE,
    ChangePlan,
    Cost,
    Difference,
    added,
    removed,
    replaced,
)
from control_plane.store import Transaction, not_found
from tenants.asking import Asker, Keep
from tenants.server_change import REHEARSED, KeepIt, location
from tenants.servers import find_server
from tenants.volumes.asking import find_volume
from tenants.volumes.describing import describe, protect
from tenants.volumes.growing import Grown, grow
from tenants.volumes.models import AttachIn, GrowIn, NewVolumeIn, VolumeChangeIn, VolumeOut
from tenants.volumes.placing import VolumeRequest
from tenants.volumes.views import volumes_out
from tenants.volumes.volumes import attach, create, delete, detach, expect

router = APIRouter(prefix="/v1", tags=["volumes"])

_Decision = Callable[[Transaction, Asker, KeepIt], tuple[list[Difference], Cost, Operation, Volume]]


@router.get("/volumes")
def read_volumes(
    who: Annotated[Principal, needs(Permission.VOLUMES_READ)],
    edge: AtHand,
    *,
    tenant: Annotated[
        CodeText | None, Query(description="Only this member's, by its municipality code.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[VolumeOut]:
    """Volumes by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)
    if who.tenant is not None and tenant not in (None, who.tenant.text):
        return Page(items=[])
    with edge.store.read() as tx:
        found = tx.volumes(
            who.tenant or tenant,
            after=None if after is None else VolumeId(after),
            limit=limit + 1,
        )
        items = volumes_out(tx, found[:limit], with_hardware=who.sees_hardware)
    return Page(items=items, next=cursor_to(found[limit - 1].id) if len(found) > limit else None)


@router.get("/volumes/{volume}", response_model=VolumeOut)
def read_volume(
    volume: Name, who: Annotated[Principal, needs(Permission.VOLUMES_READ)], edge: AtHand
) -> Response:
    with edge.store.read() as tx:
        found = find_volume(tx, volume, who.tenant)
        (shown,) = volumes_out(tx, (found,), with_hardware=who.sees_hardware)
    return Response(
        shown.model_dump_json(),
        media_type="application/json",
        headers={"ETag": entity_tag(found.generation)},
    )


@router.get("/servers/{server}/volumes")
def read_volumes_of_server(
    server: Name, who: Annotated[Principal, needs(Permission.VOLUMES_READ)], edge: AtHand
) -> Page[VolumeOut]:
    """Those that the server has or is still to let go of."""
    with edge.store.read() as tx:
        found = find_server(tx, server, who.tenant)
        held = tx.volumes(server=found.id)
        return Page(items=volumes_out(tx, held, with_hardware=who.sees_hardware))


@router.post("/volumes", status_code=202, response_model=OperationOut, responses=REHEARSED)
@audited("volume.create", "volume")
def create_volume(
    body: NewVolumeIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Make a volume, empty or from a snapshot's disk, and attach it where a server is named."""
    request = VolumeRequest(
        name=body.name,
        size=None if body.size_gib is None else GiB(body.size_gib),
        server=body.server,
        region=None if body.region is None else RegionId(body.region),
        snapshot=body.snapshot,
        of=None if body.snapshot_volume is None else VolumeId(body.snapshot_volume),
        protected=body.protected,
        site=None if body.site is None else SiteId(body.site),
        beside=body.beside,
        description=body.description,
        labels=tuple(sorted(body.labels.items())),
    )

    def rehearse(_: Remember) -> ChangePlan:
        asker = Asker(who, edge.clock.now())
        made = create(edge.store, request, asker, lambda _, __: None, dry_run=True)
        shown = {"size_gib": made.volume.size, "server": made.volume.server}
        return ChangePlan(
            diff=[added(f"/volumes/{made.volume.name}", shown)],
            certificate=certificate_change(made.ledger, None),
            capacity=Cost(vcpus=0, memory_mib=0, disk_gib=made.volume.size),
        )

    def work(remember: Remember) -> OperationOut:
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, begun: Operation) -> None:
            remember(tx, operation_out(begun))

        return operation_out(create(edge.store, request, asker, keep).operation)

    with named_in_body():
        return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.patch("/volumes/{volume}", response_model=VolumeOut | ChangePlan)
@audited("volume.protect", "volume")
def change_volume(
    volume: Name,
    body: VolumeChangeIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Protect it against being deleted or no longer, call it something else, describe it."""
    labels = None if body.labels is None else tuple(sorted(body.labels.items()))

    def change(tx: Transaction) -> tuple[Volume, Volume]:
        found = expect(find_volume(tx, volume, who.tenant), expected)
        asker, after = Asker(who, edge.clock.now()), found
        if body.protected is not None:
            after = protect(tx, found, asker, protected=body.protected)
        return found, describe(
            tx, after, asker, name=body.name, description=body.description, labels=labels
        )

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = change(tx)
            ledger = tx.ledger(before.region)
        was, will_be = _words(before), _words(after)
        return ChangePlan(
            diff=[
                replaced(f"/volumes/{before.name}/{word}", was[word], will_be[word])
                for word in was
                if was[word] != will_be[word]
            ],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    def work(remember: Remember) -> VolumeOut:
        with edge.store.write() as tx:
            _, after = change(tx)
            (answer,) = volumes_out(tx, (after,), with_hardware=who.sees_hardware)
            remember(tx, answer)
        return answer

    def tag(shown: Mapping[str, Any]) -> Mapping[str, str]:
        return {"ETag": entity_tag(Generation(int(shown["generation"])))}

    return once.run(rehearse) if dry_run else once.run(work, headers=tag)


@router.post(
    "/volumes/{volume}/grow", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("volume.grow", "volume")
def grow_volume(
    volume: Name,
    body: GrowIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Make it larger, also while a server uses it, which sees the larger disk at once. It never becomes
    smaller."""

    def asked(keep: Keep) -> Grown:
        asker = Asker(who, edge.clock.now())
        size = GiB(body.size_gib)
        return grow(edge.store, volume, size, asker, keep, expected=expected, dry_run=dry_run)

    def rehearse(_: Remember) -> ChangePlan:
        would = asked(lambda _, __: None)
        was, will_be = would.before.size, would.after.size
        return ChangePlan(
            diff=[replaced(f"/volumes/{would.before.name}/size_gib", was, will_be)]
            if was != will_be
            else [],
            certificate=certificate_change(would.ledger, None),
            capacity=Cost(vcpus=0, memory_mib=0, disk_gib=will_be - was),
        )

    def work(remember: Remember) -> OperationOut:
        return operation_out(asked(lambda tx, begun: remember(tx, operation_out(begun))).operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.delete(
    "/volumes/{volume}", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("volume.delete", "volume")
def delete_volume(
    volume: Name,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Remove it with all that is on it. One that a server has, or that is protected, is not removed."""

    def decide(
        tx: Transaction, asker: Asker, keep: KeepIt
    ) -> tuple[list[Difference], Cost, Operation, Volume]:
        found = expect(find_volume(tx, volume, who.tenant), expected)
        begun = delete(tx, found, asker, keep)
        freed = Cost(vcpus=0, memory_mib=0, disk_gib=-found.size)
        return [removed(f"/volumes/{found.name}")], freed, begun, found

    return _answered(decide, who, edge, once, dry_run=dry_run)


@router.post(
    "/servers/{server}/volumes", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("volume.attach", "server")
def attach_volume(
    server: Name,
    body: AttachIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Give an available volume to the server, at once where it runs."""

    def decide(
        tx: Transaction, asker: Asker, keep: KeepIt
    ) -> tuple[list[Difference], Cost, Operation, Volume]:
        found = find_server(tx, server, who.tenant)
        with named_in_body():
            volume = find_volume(tx, body.volume, who.tenant)
        after, begun = attach(tx, volume, found, asker, keep)
        return _moved(volume, after), FREE, begun, volume

    return _answered(decide, who, edge, once, dry_run=dry_run)


@router.delete(
    "/servers/{server}/volumes/{volume}",
    status_code=202,
    response_model=OperationOut,
    responses=REHEARSED,
)
@audited("volume.detach", "volume")
def detach_volume(
    server: Name,
    volume: Name,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Ask the server to let go of a volume. It is available once no hypervisor has it open any more;
    unmount it in the guest first, or stop the server."""

    def decide(
        tx: Transaction, asker: Asker, keep: KeepIt
    ) -> tuple[list[Difference], Cost, Operation, Volume]:
        found = find_server(tx, server, who.tenant)
        held = expect(find_volume(tx, volume, who.tenant), expected)
        if held.server != found.id:
            # To whoever asks for it as this server's, it is not there.
            raise not_found("volume", volume)
        _, begun = detach(tx, held, asker, keep)
        diff = [replaced(f"/volumes/{held.name}/server", held.server, None)]
        return diff, FREE, begun, held

    return _answered(decide, who, edge, once, dry_run=dry_run)


def _words(volume: Volume) -> dict[str, object]:
    """What `VolumeChangeIn` changes."""
    return {
        "protected": volume.protected,
        "name": volume.name,
        "description": volume.description,
        "labels": dict(volume.labels),
    }


def _moved(before: Volume, after: Volume) -> list[Difference]:
    if before.server == after.server:
        return []
    return [replaced(f"/volumes/{before.name}/server", before.server, after.server)]


def _answered(
    decide: _Decision, who: Principal, edge: Edge, once: OnceOnly, *, dry_run: bool
) -> Response:
    """One transaction: kept, or shown and undone."""

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            diff, cost, _begun, volume = decide(tx, Asker(who, edge.clock.now()), lambda _: None)
            ledger = tx.ledger(volume.region)
        return ChangePlan(diff=diff, certificate=certificate_change(ledger, None), capacity=cost)

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            asker = Asker(who, edge.clock.now())
            decided = decide(tx, asker, lambda begun: remember(tx, operation_out(begun)))
        return operation_out(decided[2])

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)
