"""The lease on shared storage as a channel and as a fence, for sites whose BMCs are out of reach.

Why a lease that stands still proves that its host can no longer write
======================================================================
On the host (deploy/host_agent), T is the lease's `ttl`, W its watchdog's time-out, W <= T:

1. The watchdog is armed before the first lease that says `armed` is written.
2. A pet follows each renewal and nothing else; renewals are written one after the other.
3. The watchdog resets the host at most W after the last pet.

Let v(n) be when renewal n became visible on the storage, and suppose that no further one ever does.
Before v(n) the watchdog was armed or petted for the last time at some p' < v(n). After v(n) there is
at most one more pet p, the one that follows renewal n. It may come late, since the agent can be
stopped just before it, but not later than p' + W, because by then the host is reset. So

    reset <= p + W <= (p' + W) + W < v(n) + 2 W <= v(n) + T + W.

This control plane first saw renewal n by a read that ended at `since`, so v(n) <= since. A read that
began at `until` still found renewal n, so n + 1 was not visible before `until`. With

    until - since >= T + W + M

the host was reset at least M before `until`, or it renewed and the read would have shown it: there is
no third case. M, the margin, pays for what is outside the inequality: two clocks that run at
different rates (well under 0.1 % of T + W) and writes that had left the host and were still under way
to the storage when it was reset.

What the proof takes for granted, and operators must provide: a watchdog in hardware that truly resets
the machine (not softdog, and not a watchdog of a virtual machine, which stops while that is paused);
hosts that never suspend; and a control plane that reads the very storage the hosts write, not a copy
of it. Reads go past this machine's caches where the file system can. A host that is heard although
its lease stood still for so long disproves all that, and its lease is no evidence any more.
"""

from __future__ import annotations

from control_plane.drivers.fencing.lease_record import LeaseRecord
from control_plane.drivers.fencing.lease_watch import LeaseUnreadable, LeaseWatch, needed
from control_plane.drivers.world import Clock, FenceFailed, Sign
from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

DEFAULT_MARGIN = Seconds(10.0)
_MISSED_RENEWALS = 4
_SHORTEST_WINDOW = Seconds(3.0)


class LeaseChannel:
    """Hears a host by its renewals. `window` is how long a lease may stand still before the host
    counts as silent; None takes four missed renewals, or the lease's `ttl` where that is shorter.

    Silence only makes a host suspect, so it may be called early; evidence takes the full proof."""

    def __init__(self, watch: LeaseWatch, *, window: Seconds | None = None) -> None:
        self._watch = watch
        self._window = window

    @property
    def name(self) -> str:
        return "storage-heartbeat"

    def listen(self, host: Host) -> Sign:
        """UNKNOWN where the lease can't be read, until it has been seen to change or the window has
        passed, and once a lease without a watchdog stands still: its agent was stopped in order."""
        try:
            sight = self._watch.look(host)
        except LeaseUnreadable:
            return Sign.UNKNOWN
        window = _window(sight.record) if self._window is None else self._window
        if sight.unchanged_for >= window:
            return Sign.SILENT if sight.record.armed else Sign.UNKNOWN
        return Sign.ALIVE if sight.renewed else Sign.UNKNOWN


def _window(record: LeaseRecord) -> Seconds:
    if record.interval is None:
        return record.ttl
    return Seconds(min(record.ttl, max(_SHORTEST_WINDOW, _MISSED_RENEWALS * record.interval)))


class LeaseFencer:
    """Waits for nothing: says how long it still takes, and is asked again."""

    def __init__(
        self, clock: Clock, watch: LeaseWatch, *, margin: Seconds = DEFAULT_MARGIN
    ) -> None:
        self._clock = clock
        self._watch = watch
        self._margin = margin

    @property
    def name(self) -> str:
        return "storage-lease"

    def fence(self, host: Host) -> FenceEvidence:
        try:
            sight = self._watch.look(host)
        except LeaseUnreadable as error:
            raise FenceFailed(str(error)) from None
        record = sight.record
        if not record.armed:
            raise FenceFailed(
                f"The lease of {host.id} says that no watchdog is armed, so it proves nothing."
            )
        if sight.disproved:
            raise FenceFailed(
                f"{host.id} answered after its watchdog should have reset it, so its lease proves nothing."
            )
        wait = needed(record, self._margin)
        if sight.unchanged_for < wait:
            raise FenceFailed(
                f"The lease of {host.id} was seen unchanged for {sight.unchanged_for:.0f} s of {wait:.0f} s."
            )
        return FenceEvidence(
            host.id,
            FenceKind.LEASE_EXPIRED,
            self._clock.now(),
            f"lease of {host.id}",
            f"Renewal {record.sequence} of boot {record.boot_id} was seen unchanged for {sight.unchanged_for:.1f} s; its lease of {record.ttl:g} s, its watchdog of {record.watchdog:g} s and a margin of {self._margin:g} s are over, so the watchdog has reset it.",
        )
