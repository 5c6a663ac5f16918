"""Servers are renamed, and described in their owner's words, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response

from control_plane.admission.leaving import refuse_leaving
from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.ids import Generation, ServerId
from control_plane.model.workload import Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import FREE, ChangePlan, Difference, replaced
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker
from tenants.lifecycle_models import RenameIn
from tenants.models import ServerOut
from tenants.server_notes import change_notes, notes_out, rename
from tenants.server_notes_models import ServerNotesIn, ServerNotesOut
from tenants.servers import expect, find_server
from tenants.views import server_out

router = APIRouter(prefix="/v1", tags=["servers"])


@router.get("/servers/{server}/notes")
async def read_server_notes(
    server: Name, who: Annotated[Principal, needs(Permission.SERVERS_READ)], edge: AtHand
) -> ServerNotesOut:
    """When and by whom it was made, and what its owner writes of it."""

    def read(tx: Snapshot) -> ServerNotesOut:
        return notes_out(tx, find_server(tx, server, who.tenant))

    return await edge.look(read)


@router.patch("/servers/{server}/notes", response_model=ServerNotesOut | ChangePlan)
@audited("server.notes", "server")
def change_server_notes(
    server: Name,
    body: ServerNotesIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Describe it, label it, tag it."""
    given = body.model_dump(exclude_unset=True, exclude_none=True)
    if "description" in body.model_fields_set:
        given["description"] = body.description
    if "tags" in given:
        given["tags"] = tuple(dict.fromkeys(given["tags"]))

    def change(tx: Transaction) -> tuple[ServerNotesOut, ServerNotesOut]:
        found = _find(tx, server, who, expected)
        before = notes_out(tx, found)
        wanted = replace(tx.notes_of(found.id), **given)
        change_notes(tx, found, wanted, Asker(who, edge.clock.now()))
        return before, notes_out(tx, found)

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = change(tx)
            path = f"/servers/{before.server}/notes"
            was, is_ = before.model_dump(), after.model_dump()
            changes = [
                replaced(f"{path}/{name}", was[name], is_[name])
                for name in was
                if was[name] != is_[name]
            ]
            return _plan(tx, ServerId(before.server), changes)

    def work(remember: Remember) -> ServerNotesOut:
        with edge.store.write() as tx:
            _, after = change(tx)
            remember(tx, after)
        return after

    return once.run(rehearse) if dry_run else once.run(work)


@router.post("/servers/{server}/rename", response_model=ServerOut | ChangePlan)
@audited("server.rename", "server")
def rename_server(
    server: Name,
    body: RenameIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Call it something else; its guest learns of it when it is next started."""

    at = edge.clock.now()

    def change(tx: Transaction) -> tuple[Server, Server]:
        found = _find(tx, server, who, expected)
        return found, rename(tx, found, body.name, Asker(who, at))

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = change(tx)
            path = f"/servers/{before.name}/name"
            changes = before.name != after.name
            return _plan(
                tx, before.id, [replaced(path, before.name, after.name)] if changes else []
            )

    def work(remember: Remember) -> ServerOut:
        with edge.store.write() as tx:
            _, after = change(tx)
            answer = server_out(tx, after, at, with_hardware=who.sees_hardware)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work)


def _find(tx: Transaction, server: str, who: Principal, expected: Generation | None) -> Server:
    found = expect(find_server(tx, server, who.tenant), expected)
    refuse_leaving(tx, found.tenant)
    return found


def _plan(tx: Snapshot, server: ServerId, changes: list[Difference]) -> ChangePlan:
    ledger = tx.ledger(tx.region_of(server))
    return ChangePlan(diff=changes, certificate=certificate_change(ledger, None), capacity=FREE)
