"""Runs a decision until it is committed: whoever loses a race reads the ledger again and re-plans.

A plan may take seconds, and on SQLite a transaction that writes keeps all others waiting, also the
one that is about to fence a host. So the first tries read, plan with nothing held, and then keep
the plan only if what it rests on is still so. Where that is lost too often, the later tries hold
their transaction while they plan, and take turns with the others that lost, region by region, so
that several control planes get on one after another instead of undoing each other's work for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from control_plane.model.ids import RegionId
from control_plane.model.units import Seconds
from control_plane.store import Lease, LostRace, Store, Transaction, Turns

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")

_TRIES_APART = 3
_TRIES_IN_TURN = 9
PATIENCE_IN_QUEUE = Seconds(0.5)


class _Undone(Exception):
    """Leaves a transaction of which nothing is to stay."""


def settle(
    store: Store,
    region: RegionId,
    read: Callable[[Transaction], Q],
    plan: Callable[[Q], A],
    keep: Callable[[Transaction, Q, Q, A], T],
    *,
    lease: Lease | None = None,
    dry_run: bool = False,
) -> T:
    """`read` finds out what there is, `plan` answers from that alone, and `keep` writes the answer.

    `keep` gets what the plan was made from and what `read` finds in its own transaction, and raises
    LostRace where the plan no longer holds. `read` may write too, and may run many times; only its
    last run is kept. The region's description stays as it was read. With `dry_run` all is undone.
    Raises LostRace after twelve lost tries.
    """
    # Threads of one process would undo each other's plans; whoever leads waits for none of them, and
    # nobody for a long search.
    queue = nullcontext() if lease else turns_of(store, region).one_by_one(PATIENCE_IN_QUEUE)
    with queue:
        return settle_in_turn(store, region, read, plan, keep, lease=lease, dry_run=dry_run)


def turns_of(store: Store, region: RegionId) -> Turns:
    """The turns of those who decide about a region."""
    return store.turns(f"region:{region}")


def settle_in_turn(
    store: Store,
    region: RegionId,
    read: Callable[[Transaction], Q],
    plan: Callable[[Q], A],
    keep: Callable[[Transaction, Q, Q, A], T],
    *,
    lease: Lease | None = None,
    dry_run: bool = False,
) -> T:
    """As `settle`, for whoever has its turn already."""
    lost = LostRace(f"region {region}")
    for _ in range(_TRIES_APART):
        try:
            question = _looked_at(store, region, read, lease)
            answer = plan(question)
            return _in_one(
                store,
                region,
                lambda tx, q=question, a=answer: keep(tx, q, read(tx), a),  # type: ignore[misc]
                lease,
                dry_run=dry_run,
            )
        except LostRace as error:
            lost = error

    def decide(tx: Transaction) -> T:
        question = read(tx)
        return keep(tx, question, question, plan(question))

    for _ in range(_TRIES_IN_TURN):
        try:
            return _in_one(store, region, decide, lease, turn=f"region:{region}", dry_run=dry_run)
        except LostRace as error:
            lost = error
    raise lost


def _looked_at(
    store: Store, region: RegionId, read: Callable[[Transaction], Q], lease: Lease | None
) -> Q:
    return _in_one(store, region, read, lease, dry_run=True)


def _in_one(
    store: Store,
    region: RegionId,
    work: Callable[[Transaction], T],
    lease: Lease | None,
    *,
    turn: str | None = None,
    dry_run: bool,
) -> T:
    try:
        with store.write(lease, turn=turn) as tx:
            tx.hold_region(region)
            result = work(tx)
            if dry_run:
                raise _Undone
    except _Undone:
        pass
    return result
