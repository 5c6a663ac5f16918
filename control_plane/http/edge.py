"""What every route has at hand: the state, the clock, and those who wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, TypeVar, cast

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Query, Request

from control_plane.drivers.world import Clock, World
from control_plane.http.in_flight import InFlight
from control_plane.http.streaming import Streams
from control_plane.http.tokens import FULL_COST, HashCost
from control_plane.http.waiting import Watch
from control_plane.model.units import Seconds
from control_plane.store import Snapshot, Store, Transaction

T = TypeVar("T")


class _Undo(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Edge:
    """One per app, held in `app.state.edge`."""

    store: Store
    world: World
    watch: Watch
    in_flight: InFlight
    # Few, so that they seldom wait for each other's turn to run; and their own, so that lists are
    # answered while changes wait for theirs.
    readers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(4))
    streams: Streams = field(default_factory=Streams)
    heartbeat: Seconds = Seconds(10)
    token_cost: HashCost = FULL_COST

    @property
    def clock(self) -> Clock:
        return self.world.clock

    async def look(self, reading: Callable[[Snapshot], T]) -> T:
        """What `reading` finds in a snapshot, read beside the event loop."""

        def look_once() -> T:
            with self.store.read() as tx:
                return reading(tx)

        return await to_thread.run_sync(look_once, limiter=self.readers)

    @contextmanager
    def rehearsable(self, dry_run: bool, *, turn: str | None = None) -> Iterator[Transaction]:
        """A transaction that is kept, or with `dry_run` carried through and then undone. `turn` as
        in `Store.write`."""
        try:
            with self.store.write(turn=turn) as tx:
                yield tx
                if dry_run:
                    raise _Undo
        except _Undo:
            pass


def edge_of(request: Request) -> Edge:
    return cast(Edge, request.app.state.edge)


async def _at_hand(request: Request) -> Edge:
    # A plain function would be sent to a thread and back for each request, as would all of this kind.
    return edge_of(request)


AtHand = Annotated[Edge, Depends(_at_hand)]

DryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]
