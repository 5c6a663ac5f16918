"""Runs a decision until it is committed: whoever loses a race reads the ledger again and re-plans.

The first try is made at once. Later tries take turns with the others that lost, region by region,
so that several control planes which all want the fullest-looking host get on one after another
instead of undoing each other's work for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from control_plane.model.ids import RegionId
from control_plane.store import Lease, LostRace, Store, Transaction

T = TypeVar("T")

_TRIES = 12


class _Undone(Exception):
    """Leaves a rehearsal's transaction, so that nothing of it stays."""


def settle(
    store: Store,
    region: RegionId,
    decide: Callable[[Transaction], T],
    *,
    lease: Lease | None = None,
    dry_run: bool = False,
) -> T:
    """Run `decide` in a transaction in which the region's description stays as it was read; again
    when it loses its race. `decide` may run several times and must touch nothing else. With
    `dry_run` all of it is undone. Raises LostRace after twelve lost tries."""
    for tries_left in reversed(range(_TRIES)):
        first = tries_left == _TRIES - 1
        try:
            with store.write(lease, turn=None if first else f"region:{region}") as tx:
                tx.hold_region(region)
                result = decide(tx)
                if dry_run:
                    raise _Undone
        except _Undone:
            return result
        except LostRace:
            if tries_left == 0:
                raise
        else:
            return result
    raise AssertionError("unreachable")
