"""How often the keeper looks, how much it has under way at once, and how long it leaves alone what failed."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.backup.sharing import COPIES_AT_ONCE
from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Timings:
    """`copies_at_once` to other repositories, each of which sends for `copy_turn` before it gives way to another of its tier; `runs_at_once` of all, of which so many read from one host, and from hosts of one site.
    What failed is tried again after `retry_first`, then after twice that, and so on up to `retry_most`;
    what somebody asked for has failed after so many `attempts`, while the schedule never gives up.
    What is due is looked at `every`, what may go and what is late `tidy_every`; what was let go is
    taken away `collect_every`. Repositories are read again `scrub_slice_bytes` at a time and `scrub_bytes_per_second`
    on the average; what was found damaged is healed at once, or tried again `heal_every`. A run tells its progress, and makes sure that it is
    still wanted, each `progress`."""

    runs_at_once: int = 8
    copies_at_once: int = COPIES_AT_ONCE
    per_host: int = 2
    per_site: int = 4
    retry_first: Seconds = Seconds(120)
    retry_most: Seconds = Seconds(3600)
    attempts: int = 6
    every: Seconds = Seconds(30)
    progress: Seconds = Seconds(5)
    tidy_every: Seconds = Seconds(600)
    collect_every: Seconds = Seconds(24 * 3600)
    copy_turn: Seconds = Seconds(900)
    scrub_slice_bytes: int = 256 << 20
    scrub_bytes_per_second: int = 8 << 20
    heal_every: Seconds = Seconds(3600)

    def pause_after(self, attempts: int) -> Seconds:
        """How long to leave alone what has failed so often."""
        doubled = self.retry_first * 2 ** min(max(0, attempts - 1), 30)
        return Seconds(min(doubled, self.retry_most))
