"""What is under way for hours is too dear to be dropped because somebody else wrote at the same moment."""

from __future__ import annotations

from collections.abc import Callable

from control_plane.store import Lease, LostRace, Store, Transaction

_TRIES = 5


def written(store: Store, lease: Lease, write: Callable[[Transaction], object]) -> None:
    """In one transaction under the lease, as often as it takes. Raises LeaseLost, and LostRace after some
    tries."""
    for tries in range(1, _TRIES + 1):
        try:
            with store.write(lease) as tx:
                write(tx)
            return
        except LostRace:
            if tries == _TRIES:
                raise
