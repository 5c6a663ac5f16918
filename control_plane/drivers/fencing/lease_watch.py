"""What this control plane has itself seen of the hosts' leases, by its own clock.

Nothing here compares clocks of two machines. What was seen is kept in memory alone: a control plane
that has just started has seen nothing and waits the full time again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from control_plane.drivers.fencing.bounded import BoundedCalls
from control_plane.drivers.fencing.lease_record import (
    LeaseMalformed,
    LeaseRecord,
    decode,
    read_block,
)
from control_plane.drivers.world import Clock
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

_READ_PATIENCE = Seconds(2.0)
_TRIES = 3


class LeaseUnreadable(Exception):
    """Nothing is known of the lease now. One sentence that says why."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`record` was first seen by a read that ended at `since`, and was still there for one that
    began at `until`. `renewed` says that this control plane saw it follow another one no longer ago
    than that one's `ttl`, so that the host was alive while watched; `disproved` that the host
    answered after it should have been reset."""

    path: str
    record: LeaseRecord
    since: Seconds
    until: Seconds
    renewed: bool
    disproved: bool = False

    @property
    def unchanged_for(self) -> Seconds:
        return Seconds(max(0.0, self.until - self.since))


@dataclass(slots=True)
class _Place:
    lock: threading.Lock = field(default_factory=threading.Lock)
    sight: Sight | None = None


class LeaseWatch:
    """Shared by the channel and the fence of all hosts; safe to use from several threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        read_patience: Seconds = _READ_PATIENCE,
        read: Callable[[str], bytes] = read_block,
    ) -> None:
        self._clock = clock
        self._patience = read_patience
        self._read = read
        self._reads = BoundedCalls("lease")
        self._lock = threading.Lock()
        self._places: dict[HostId, _Place] = {}

    def look(self, host: Host) -> Sight:
        """Read the lease once more. Raises LeaseUnreadable; the time watched then begins anew, since
        storage that comes back may be another copy."""
        place = self._place(host.id)
        if not place.lock.acquire(timeout=2 * self._patience):
            raise LeaseUnreadable(f"The storage that holds the lease of {host.id} hangs.")
        try:
            place.sight = self._look(host, place.sight)
            return place.sight
        except LeaseUnreadable:
            place.sight = None
            raise
        finally:
            place.lock.release()

    def answered(self, host: HostId, margin: Seconds) -> None:
        """The host was heard otherwise, just now. If its lease stood still until then for longer
        than its watchdog allows, its watchdog doesn't work, and that lease will prove nothing."""
        place = self._place(host)
        if not place.lock.acquire(blocking=False):
            return
        try:
            sight = place.sight
            if sight is not None and sight.unchanged_for >= needed(sight.record, margin):
                place.sight = replace(sight, disproved=True)
        finally:
            place.lock.release()

    def boot_id(self, host: HostId) -> str | None:
        """The boot that the lease last told of; None while nothing is known. A host that comes back
        after a fence has another one."""
        sight = self._place(host).sight
        return None if sight is None else sight.record.boot_id

    def _place(self, host: HostId) -> _Place:
        with self._lock:
            return self._places.setdefault(host, _Place())

    def _look(self, host: Host, before: Sight | None) -> Sight:
        path = host.endpoint.lease_path
        if path is None:
            raise LeaseUnreadable(f"Host {host.id} has no lease on shared storage.")
        record, began, ended = self._read_record(host.id, path)
        if before is not None and before.path != path:
            before = None
        return sighted(before, path, record, began, ended)

    def _read_record(self, host: HostId, path: str) -> tuple[LeaseRecord, Seconds, Seconds]:
        for tries_left in reversed(range(_TRIES)):
            began = self._clock.monotonic()
            try:
                block = self._reads.call(f"{host}:{path}", lambda: self._read(path), self._patience)
                record = decode(block)
            except FileNotFoundError:
                raise LeaseUnreadable(f"There is no lease of {host} at {path}.") from None
            except OSError as error:
                # TimeoutError is one of these.
                reason = error.strerror or str(error)
                raise LeaseUnreadable(
                    f"The lease of {host} at {path} cannot be read: {reason}."
                ) from None
            except LeaseMalformed as error:
                # It may have been read in the middle of a renewal.
                if tries_left == 0:
                    raise LeaseUnreadable(
                        f"The file {path} is no lease of {host}: {error}."
                    ) from None
                continue
            if record.host != host:
                raise LeaseUnreadable(f"The lease at {path} is not of {host} but of {record.host}.")
            return record, began, self._clock.monotonic()
        raise AssertionError


def sighted(
    before: Sight | None, path: str, record: LeaseRecord, began: Seconds, ended: Seconds
) -> Sight:
    """What is known after a read from `began` to `ended` that found `record`.

    A record that followed another one while nobody looked may be as old as that look: the host may
    have died since, as when a control plane leads that has stood by. The same record is the same
    renewal however long nobody looked, since no two are equal."""
    if before is None:
        return Sight(path, record, ended, ended, renewed=False)
    if before.record != record:
        watched = ended - before.until <= before.record.ttl
        return Sight(path, record, ended, ended, renewed=watched)
    return replace(before, until=began)


def needed(record: LeaseRecord, margin: Seconds) -> Seconds:
    """How long a lease must be seen unchanged before it proves that its host was reset; the fence
    tells why."""
    return Seconds(record.ttl + record.watchdog + margin)
