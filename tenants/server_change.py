"""How a change of one server is asked for over HTTP: rehearsed, or decided in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from starlette.responses import Response

from control_plane.admission import Resized, Unshelved
from control_plane.admission.leaving import refuse_leaving
from control_plane.http.edge import Edge
from control_plane.http.idempotency import OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.journal.progress import ended_before, note_ended
from control_plane.model.ids import Generation, ServerId
from control_plane.model.operation import Operation
from control_plane.model.workload import Server
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, Cost, Difference
from control_plane.store import Store, Transaction
from tenants.asking import Asker, Keep
from tenants.servers import expect, find_server

REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ChangePlan, "description": "With `dry_run`."}
}


def location(operation: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{operation['id']}"}


KeepIt = Callable[[Operation], None]


P = TypeVar("P", Resized[Operation], Unshelved[Operation])
P_co = TypeVar("P_co", Resized[Operation], Unshelved[Operation], covariant=True)


class Admission(Protocol[P_co]):
    def __call__(
        self,
        store: Store,
        server: ServerId,
        asker: Asker,
        keep: Keep,
        *,
        expected: Callable[[Server], Server],
        dry_run: bool,
    ) -> P_co:
        """Raises what `expected` says of the server as it is then."""
        ...


class Change:
    """A change of one server."""

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
    ) -> Response:
        """One that needs no other place: decided in one transaction."""
        if dry_run:
            return self._once.run(lambda _: self._rehearse(change, shown))
        return self._once.run(
            lambda remember: self._work(change, remember), status=202, headers=location
        )

    def admit(
        self,
        admission: Admission[P],
        shown: Callable[[P], tuple[list[Difference], Cost]],
        *,
        dry_run: bool,
    ) -> Response:
        """One that may need another place, which `admission` finds."""

        def asked(remember: Keep) -> P:
            with self._edge.store.read() as tx:
                found = find_server(tx, self._server, self._who.tenant)
                ended = ended_before(tx, found)
            asker = Asker(self._who, self._edge.clock.now())

            def keep(tx: Transaction, begun: Operation) -> None:
                remember(tx, begun)
                note_ended(tx, ended, asker.at)

            return admission(
                self._edge.store,
                found.id,
                asker,
                keep,
                expected=lambda standing: expect(standing, self._expected),
                dry_run=dry_run,
            )

        def rehearse(_: Remember) -> ChangePlan:
            done = asked(lambda _, __: None)
            diff, cost = shown(done)
            certificate = certificate_change(done.ledger, done.plan)
            return ChangePlan(diff=diff, certificate=certificate, capacity=cost)

        def work(remember: Remember) -> OperationOut:
            done = asked(lambda tx, begun: remember(tx, operation_out(begun)))
            return operation_out(done.result)

        if dry_run:
            return self._once.run(rehearse)
        return self._once.run(work, status=202, headers=location)

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
            ended = ended_before(tx, found)
            asker = Asker(self._who, self._edge.clock.now())
            operation = change(tx, found, asker, lambda begun: remember(tx, operation_out(begun)))
            note_ended(tx, ended, asker.at)
        return operation_out(operation)
