"""How a change of what is on record, which takes no room of the pool, is asked for over HTTP: rehearsed,
or decided in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from control_plane.http.edge import Edge
from control_plane.http.idempotency import Body, OnceOnly, Remember, no_headers
from control_plane.pool.plan import Rehearsal
from control_plane.store import Transaction

T = TypeVar("T")


def change_record(
    edge: Edge,
    once: OnceOnly,
    change: Callable[[Transaction], T],
    *,
    answer: Callable[[T], BaseModel],
    rehearsal: Callable[[T], Rehearsal],
    dry_run: bool,
    status: int = 200,
    headers: Callable[[Body], Mapping[str, str]] = no_headers,
    turn: str | None = None,
) -> Response:
    """What `answer` makes of the change once it is kept, or with `dry_run` what `rehearsal` makes of it once it
    is undone. `turn` as in `Store.write`."""

    def rehearse(_: Remember) -> Rehearsal:
        with edge.rehearsable(dry_run=True) as tx:
            done = change(tx)
        return rehearsal(done)

    def work(remember: Remember) -> BaseModel:
        with edge.store.write(turn=turn) as tx:
            answered = answer(change(tx))
            remember(tx, answered)
        return answered

    return once.run(rehearse) if dry_run else once.run(work, status=status, headers=headers)
