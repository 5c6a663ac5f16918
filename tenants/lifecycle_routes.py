"""Servers of a member's own over HTTP: made, resized, rebuilt, restarted, protected, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.conditions import Expected, entity_tag
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, Generation, ImageId, ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Power, Server
from control_plane.store import Transaction
from tenants.lifecycle import (
    Asker,
    ServerRequest,
    change_size,
    create,
    delete,
    protect,
    reboot,
    rebuild,
)
from tenants.lifecycle_models import (
    NewServerIn,
    NewServersIn,
    RebootIn,
    RebuildIn,
    ResizeIn,
    ServerChangeIn,
)
from tenants.models import ServerOut
from tenants.plan import (
    FREE,
    ChangePlan,
    Cost,
    Difference,
    added,
    certificate_change,
    cost_of,
    given_back,
    growth,
    removed,
    replaced,
)
from tenants.servers import expect, find_server
from tenants.views import server_out

router = APIRouter(prefix="/v1", tags=["servers"])

_MOST = 200

REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ChangePlan, "description": "With `dry_run`."}
}


def location(operation: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{operation['id']}"}


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


@router.delete(
    "/servers/{server}", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.delete", "server")
def delete_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Remove the server with its root disk. One that is protected is not removed."""

    def change(tx: Transaction, found: Server, asker: Asker, keep: _Keep) -> Operation:
        return delete(tx, found, asker, keep)

    def shown(before: Server, _: Server) -> tuple[list[Difference], Cost]:
        return [removed(f"/servers/{before.name}")], given_back([before])

    return _Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.patch("/servers/{server}", response_model=ServerOut | ChangePlan)
@audited("server.protect", "server")
def change_server(
    server: Name,
    body: ServerChangeIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Protect it against being deleted, or no longer."""

    def change(tx: Transaction) -> tuple[Server, Server]:
        found = expect(find_server(tx, server, who.tenant), expected)
        asker = Asker(who, edge.clock.now())
        return found, protect(tx, found, asker, protected=body.protected)

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = change(tx)
            ledger = tx.ledger(tx.region_of(before.id))
        path = f"/servers/{before.name}/protected"
        changes = before.protected is not after.protected
        return ChangePlan(
            diff=[replaced(path, before.protected, after.protected)] if changes else [],
            certificate=certificate_change(ledger, None),
            capacity=FREE,
        )

    def work(remember: Remember) -> ServerOut:
        with edge.store.write() as tx:
            _, after = change(tx)
            answer = server_out(after, with_hardware=who.sees_hardware)
            remember(tx, answer)
        return answer

    def tag(shown: Mapping[str, Any]) -> Mapping[str, str]:
        return {"ETag": entity_tag(Generation(int(shown["generation"])))}

    return once.run(rehearse) if dry_run else once.run(work, headers=tag)


@router.post(
    "/servers/{server}/reboot", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.reboot", "server")
def reboot_server(
    server: Name,
    who: Annotated[Principal, needs(Permission.SERVERS_POWER)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    body: RebootIn | None = None,
    dry_run: DryRun = False,
) -> Response:
    """Stop it and start it again where it stands."""
    hard = body is not None and body.hard

    def change(tx: Transaction, found: Server, asker: Asker, keep: _Keep) -> Operation:
        return reboot(tx, found, asker, keep, hard=hard)

    def shown(before: Server, _: Server) -> tuple[list[Difference], Cost]:
        return [replaced(f"/servers/{before.name}/status", "active", "building")], FREE

    return _Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/rebuild", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.rebuild", "server")
def rebuild_server(
    server: Name,
    body: RebuildIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it a new root disk from an image; what is on the old one is lost. Id, name and address stay."""
    image = ImageId(body.image)

    def change(tx: Transaction, found: Server, asker: Asker, keep: _Keep) -> Operation:
        with named_in_body():
            return rebuild(tx, found, image, asker, keep)

    def shown(before: Server, after: Server) -> tuple[list[Difference], Cost]:
        path = f"/servers/{before.name}"
        disk = replaced(f"{path}/disk", "as it is", f"made anew from {image}")
        return [replaced(f"{path}/image", before.image, after.image), disk], FREE

    return _Change(server, who, edge, once, expected).make(change, shown, dry_run=dry_run)


@router.post(
    "/servers/{server}/resize", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("server.resize", "server")
def resize_server(
    server: Name,
    body: ResizeIn,
    who: Annotated[Principal, needs(Permission.SERVERS_WRITE)],
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Give it another flavor where it stands; its disk can only grow."""
    flavor = FlavorId(body.flavor)

    def found_now() -> ServerId:
        with edge.store.read() as tx:
            return find_server(tx, server, who.tenant).id

    def as_expected(standing: Server) -> Server:
        return expect(standing, expected)

    def rehearse(_: Remember) -> ChangePlan:
        found = found_now()
        asker = Asker(who, edge.clock.now())
        with named_in_body():
            done = change_size(
                edge.store,
                found,
                flavor,
                asker,
                lambda _, __: None,
                expected=as_expected,
                dry_run=True,
            )
        return ChangePlan(
            diff=_resized(done.before, done.after),
            certificate=certificate_change(done.ledger, done.plan),
            capacity=growth(done.before, done.after),
        )

    def work(remember: Remember) -> OperationOut:
        found = found_now()
        asker = Asker(who, edge.clock.now())

        def keep(tx: Transaction, operation: Operation) -> None:
            remember(tx, operation_out(operation))

        with named_in_body():
            done = change_size(edge.store, found, flavor, asker, keep, expected=as_expected)
        return operation_out(done.result)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


_Keep = Callable[[Operation], None]


class _Change:
    """A change of one server that needs no other place: decided in one transaction."""

    def __init__(
        self,
        server: str,
        who: Principal,
        edge: Edge,
        once: OnceOnly,
        expected: Generation | None,
    ) -> None:
        self._server = server
        self._who = who
        self._edge = edge
        self._once = once
        self._expected = expected

    def make(
        self,
        change: Callable[[Transaction, Server, Asker, _Keep], Operation],
        shown: Callable[[Server, Server], tuple[list[Difference], Cost]],
        *,
        dry_run: bool,
    ) -> JSONResponse | Response:
        if dry_run:
            return self._once.run(lambda _: self._rehearse(change, shown))
        return self._once.run(
            lambda remember: self._work(change, remember), status=202, headers=location
        )

    def _find(self, tx: Transaction) -> Server:
        return expect(find_server(tx, self._server, self._who.tenant), self._expected)

    def _rehearse(
        self,
        change: Callable[[Transaction, Server, Asker, _Keep], Operation],
        shown: Callable[[Server, Server], tuple[list[Difference], Cost]],
    ) -> ChangePlan:
        with self._edge.rehearsable(dry_run=True) as tx:
            before = self._find(tx)
            ledger = tx.ledger(tx.region_of(before.id))
            change(tx, before, Asker(self._who, self._edge.clock.now()), lambda _: None)
            diff, cost = shown(before, tx.server(before.id))
        return ChangePlan(diff=diff, certificate=certificate_change(ledger, None), capacity=cost)

    def _work(
        self,
        change: Callable[[Transaction, Server, Asker, _Keep], Operation],
        remember: Remember,
    ) -> OperationOut:
        with self._edge.store.write() as tx:
            found = self._find(tx)
            asker = Asker(self._who, self._edge.clock.now())
            operation = change(tx, found, asker, lambda begun: remember(tx, operation_out(begun)))
        return operation_out(operation)


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


def _resized(before: Server, after: Server) -> list[Difference]:
    path = f"/servers/{before.name}"
    shown = [
        ("flavor", before.flavor, after.flavor),
        ("size/vcpus", before.size.vcpu, after.size.vcpu),
        ("size/memory_mib", before.size.memory, after.size.memory),
        ("disk_gib", before.disk, after.disk),
    ]
    return [replaced(f"{path}/{name}", was, is_) for name, was, is_ in shown if was != is_]
