"""How a change of one server is asked for through Compute: the services of `/v1`, by id and region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Response

from control_plane.admission.leaving import refuse_leaving
from control_plane.http.edge import AtHand, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.journal.progress import ended_before, note_ended
from control_plane.model.ids import ServerId
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.compute.server_view import Json, ServerView, View

ServerRef = Annotated[str, Path(max_length=255, description="A server's id.")]


def own_server(tx: Snapshot, id: str, view: ServerView) -> Server:
    """By id alone. Another member's, or one of another region, is not found: `server-not-found`."""
    found = tx.server(ServerId(id), view.tenant)
    if tx.region_of(found.id) != view.region:
        raise not_found("server", id)
    return found


@dataclass(frozen=True, slots=True)
class Changing:
    """What every route that changes a server takes: who asks, the promise to do it once, and what all
    others of Compute's have at hand."""

    edge: Edge
    once: OnceOnly
    view: ServerView

    def server(
        self,
        who: Principal,
        id: str,
        change: Callable[[Transaction, Server, Asker], Json | None],
    ) -> Response:
        """One server, decided in one transaction, once. `change` answers the body; None is an empty one.
        Raises `server-not-found`, `member-leaving`."""

        def work(remember: Remember) -> Answer:
            with self.edge.store.write() as tx:
                found = own_server(tx, id, self.view)
                refuse_leaving(tx, found.tenant)
                ended = ended_before(tx, found)
                asker = Asker(who, self.edge.clock.now())
                answer = Answer(change(tx, found, asker) or {})
                remember(tx, answer)
                note_ended(tx, ended, asker.at)
            return answer

        return self.once.run(work)


async def _changing(edge: AtHand, once: Once, view: View) -> Changing:
    return Changing(edge, once, view)


Changes = Annotated[Changing, Depends(_changing)]
