"""How long things take in the simulated World: defaults near those of small rack servers."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Timing:
    """Virtual durations. A host renews its lease every `lease_renewal`; when it could not for
    `lease_ttl` it stops feeding its watchdog, which resets it `watchdog` later: the latest moment
    that the rules of the lease allow (control_plane.drivers.fencing.lease)."""

    call_timeout: Seconds = Seconds(5)
    guest_boot: Seconds = Seconds(20)
    guest_stop: Seconds = Seconds(3)
    host_boot: Seconds = Seconds(90)
    migration: Seconds = Seconds(4)
    bmc_answer: Seconds = Seconds(1)
    bmc_timeout: Seconds = Seconds(10)
    lease_renewal: Seconds = Seconds(5)
    lease_ttl: Seconds = Seconds(20)
    watchdog: Seconds = Seconds(20)
    lease_margin: Seconds = Seconds(10)
    record_interval: Seconds = Seconds(1)
    flush_interval: Seconds = Seconds(5)
    bytes_read_a_second: int = 200 * 2**20

    def reading(self, length: int) -> Seconds:
        return Seconds(length / self.bytes_read_a_second)
