"""Tells people of every event, whichever process recorded it and whichever leads.

How far each notifier has come is kept in the state, written under the lease after people were told: a
leader that dies in between leaves no gap, and its successor tells a few events a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from control_plane.drivers.world import Notifier, NotTold, Pending, World
from control_plane.model.operation import Event
from control_plane.model.units import Seconds
from control_plane.reconcile.records import Records
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, Store

_AT_ONCE = 500


@dataclass(slots=True)
class _Batch:
    """Some events for one notifier, told one after the other by a thread of the World's."""

    notifier: Notifier
    events: Sequence[Event]
    reached: int = 0
    """The number of the last event that was told; 0 before the first."""
    stopped: bool = False

    def tell(self) -> None:
        for event in self.events:
            if self.stopped:
                return
            self.notifier.notify(event)
            self.reached = event.sequence


@dataclass(slots=True)
class _Way:
    """One notifier's way through the events. `place` is None while this process does not lead, or
    has not looked yet."""

    notifier: Notifier
    world: World
    timings: Timings
    place: int | None = None
    _told: int = 0
    _batch: _Batch | None = None
    _pending: Pending[None] | None = None
    _failures: int = 0
    _not_before: Seconds = Seconds(float("-inf"))

    @property
    def reached(self) -> int:
        """Up to where people were told, as far as this process knows."""
        under_way = 0 if self._batch is None else self._batch.reached
        return max(self.place or 0, self._told, under_way)

    @property
    def may_begin(self) -> bool:
        return self._batch is None and self.world.clock.monotonic() >= self._not_before

    def begin(self, events: Sequence[Event]) -> None:
        self._batch = _Batch(self.notifier, events)
        self._pending = self.world.submit(self._batch.tell)

    def settle(self) -> None:
        """Let go of a batch that has ended; after a failure, wait."""
        if self._pending is None or not self._pending.done():
            return
        self._told = self.reached
        pending, self._pending, self._batch = self._pending, None, None
        try:
            pending.result()
        except Exception as error:
            self._put_off(error)
        else:
            self._failures = 0

    def leave(self) -> None:
        """Another process leads and tells. A batch that hangs is not joined by a second one."""
        self.place = None
        if self._batch is not None:
            self._batch.stopped = True

    def _put_off(self, error: Exception) -> None:
        self._failures += 1
        wait = min(
            self.timings.retry_first * 2 ** min(self._failures - 1, 16), self.timings.retry_most
        )
        self._not_before = Seconds(self.world.clock.monotonic() + wait)
        if self._failures == 1:
            reason = (
                str(error) if isinstance(error, NotTold) else f"{type(error).__name__}: {error}"
            )
            structlog.get_logger("yui.reconcile").warning(
                "events wait to be told", notifier=self.notifier.name, reason=reason
            )


@dataclass(slots=True)
class Announcements:
    """Neither a notifier that fails nor one that hangs holds up the tick or the others; it goes on
    from its place. A notifier that is new begins with what happens from now on, in a new state with
    the first event."""

    store: Store
    world: World
    records: Records
    timings: Timings
    _ways: Mapping[str, _Way] = field(init=False)

    def __post_init__(self) -> None:
        self._ways = {
            notifier.name: _Way(notifier, self.world, self.timings)
            for notifier in self.world.notifiers()
        }

    def forget(self) -> None:
        """Another control plane leads, and tells what happens meanwhile."""
        for way in self._ways.values():
            way.leave()

    def tell(self, lease: Lease) -> None:
        """Keep how far each notifier has come, and hand it what is new. Raises LeaseLost."""
        self._find_places(lease)
        self._keep_places(lease)
        newest = self.records.last_event()
        ready = [way for way in self._ways.values() if way.may_begin and way.reached < newest]
        for way in ready:
            with self.store.read() as tx:
                events = tx.events(after=way.reached, limit=_AT_ONCE)
            if events:
                way.begin(events)
        self._keep_places(lease)

    def _find_places(self, lease: Lease) -> None:
        unknown = [name for name, way in self._ways.items() if way.place is None]
        if not unknown:
            return
        with self.store.read() as tx:
            places = tx.announced()
            # Where nobody has been told anything yet, nothing is history.
            beginning = tx.last_event() if places else 0
        for name in unknown:
            self._ways[name].place = places.get(name, beginning)
        self._write(lease, {name: beginning for name in unknown if name not in places})

    def _keep_places(self, lease: Lease) -> None:
        for way in self._ways.values():
            way.settle()
        gained = {
            name: way.reached
            for name, way in self._ways.items()
            if way.place is not None and way.reached > way.place
        }
        self._write(lease, gained)
        for name, reached in gained.items():
            self._ways[name].place = reached

    def _write(self, lease: Lease, places: Mapping[str, int]) -> None:
        if places:
            with self.store.write(lease) as tx:
                for name, sequence in places.items():
                    tx.set_announced(name, sequence)
