"""Hands every new event to the World's notifier, whichever process recorded it."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.drivers.world import Notifier
from control_plane.store import Store

_AT_ONCE = 500


@dataclass(slots=True)
class Announcements:
    """Begins with what happens after this control plane took the lead; what came before is history
    that people find in the events."""

    store: Store
    notifier: Notifier
    _after: int | None = None

    def begin(self) -> None:
        """Called as a tick begins in the lead."""
        if self._after is None:
            with self.store.read() as tx:
                self._after = tx.last_event()

    def forget(self) -> None:
        """Another control plane leads, and tells what happens meanwhile."""
        self._after = None

    def tell(self) -> int:
        """Notify of the events since the last call; returns how many."""
        if self._after is None:
            return 0
        with self.store.read() as tx:
            events = tx.events(after=self._after, limit=_AT_ONCE)
        for event in events:
            self.notifier.notify(event)
            self._after = event.sequence
        return len(events)
