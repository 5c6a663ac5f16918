"""Whatever a host does and however it stalls: no evidence while it could still write.

Plays the timeline of a host whose agent keeps its order of steps (arm, renew, pet, renew, pet …) but
may stall anywhere and for any time, under a watchdog that resets it; the real watch and fence look on.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from control_plane.drivers.fencing import LeaseFencer, LeaseWatch
from control_plane.drivers.world import FenceFailed
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import HandClock, a_host, lease_block
from tests.thoroughness import examples

WATCHDOG, TTL, MARGIN = 10.0, 12.0, 2.0


@dataclass(frozen=True)
class Renewal:
    """Seconds from the last pet until it is written, from then until it is safely stored, and from
    then until the pet."""

    before: float
    storing: float
    stall: float


def times(most: float = 14.0):
    return st.floats(0, most, allow_nan=False).map(lambda value: round(value, 2))


RENEWALS = st.lists(st.builds(Renewal, times(), times(), times()), min_size=1, max_size=12)


def play(renewals: list[Renewal]) -> tuple[list[tuple[float, int]], float]:
    """When each renewal became visible, and when the watchdog reset the host."""
    visible = []
    petted = now = 0.0
    for number, renewal in enumerate(renewals, start=1):
        written = now + renewal.before
        if written > petted + WATCHDOG:
            break
        visible.append((written, number))
        stored = written + renewal.storing
        now = stored + renewal.stall
        if now > petted + WATCHDOG:
            break
        if renewal.storing <= TTL:
            petted = now
    return visible, petted + WATCHDOG


@settings(deadline=None, max_examples=examples(60))
@given(renewals=RENEWALS, looks=st.lists(times(9.0), min_size=1, max_size=30))
@example(
    # The worst case: a pet that comes as late as it can after the last renewal that is seen.
    renewals=[Renewal(0.0, 0.0, 0.0), Renewal(0.0, 0.0, 10.0)],
    looks=[0.0, 0.0, 9.0, 9.0, 5.99, 0.01],
)
def test_a_host_is_reset_before_its_lease_is_evidence(renewals, looks):
    visible, reset_at = play(renewals)
    clock = HandClock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lease"
        fencer = LeaseFencer(clock, LeaseWatch(clock), margin=Seconds(MARGIN))
        host = a_host(lease_path=str(path))
        # Whoever watches goes on for long enough to come to an end.
        for pause in (*looks, 30.0, 30.0):
            clock.advance(pause)
            seen = [number for at, number in visible if at <= clock.elapsed]
            if seen:
                block = lease_block(sequence=seen[-1], ttl=TTL, watchdog=WATCHDOG)
                path.write_bytes(block)
            try:
                fencer.fence(host)
            except FenceFailed:
                continue
            assert reset_at + MARGIN <= clock.elapsed + 1e-6
