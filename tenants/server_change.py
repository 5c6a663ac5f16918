"""How a change of one server is asked for over HTTP: rehearsed, or decided in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from control_plane.admission.leaving import refuse_leaving
from control_plane.http.edge import Edge
from control_plane.http.idempotency import OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.ids import Generation
from control_plane.model.operation import Operation
from control_plane.model.workload import Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, Cost, Difference
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.servers import expect, find_server

REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ChangePlan, "description": "With `dry_run`."}
}


def location(operation: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{operation['id']}"}


KeepIt = Callable[[Operation], None]


class Change:
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
        change: Callable[[Transaction, Server, Asker, KeepIt], Operation],
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
        found = expect(find_server(tx, self._server, self._who.tenant), self._expected)
        refuse_leaving(tx, found.tenant)
        return found

    def _rehearse(
        self,
        change: Callable[[Transaction, Server, Asker, KeepIt], Operation],
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
        change: Callable[[Transaction, Server, Asker, KeepIt], Operation],
        remember: Remember,
    ) -> OperationOut:
        with self._edge.store.write() as tx:
            found = self._find(tx)
            asker = Asker(self._who, self._edge.clock.now())
            operation = change(tx, found, asker, lambda begun: remember(tx, operation_out(begun)))
        return operation_out(operation)
