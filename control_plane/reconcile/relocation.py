"""Writes where servers go after a failure, a part of them at a time.

A place is decided and written in one transaction, so that nothing comes between the two. One that
loses its race is tried again with every open host claimed beforehand: members who join all the time
make way for servers that are down.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from control_plane.drivers.world import Clock
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event
from control_plane.model.pool import FailureDomain
from control_plane.model.workload import Server
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, Transaction

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Relocation:
    """A server as it shall stand from now on, what people are told of it, and the host that it
    newly takes room of, where it does."""

    server: Server
    event: Event
    takes: HostId | None = None


def first_to_restart(servers: Iterable[Server], most: int) -> list[Server]:
    """The lowest tier first, and within it in the order of starting."""
    return sorted(servers, key=lambda s: (s.tier, s.start_order, s.id))[:most]


@dataclass(frozen=True, slots=True)
class InParts:
    store: Store
    clock: Clock
    timings: Timings

    def do(self, region: RegionId, lease: Lease, some: Callable[[Transaction], int]) -> int:
        """Let `some` do one part after the other, each in a transaction, until it answers 0 or the
        tick has no more time for it; the sum of its answers."""
        stop = self.clock.monotonic() + self.timings.planning_per_tick
        total = 0
        while (done := self._one(region, lease, some)) > 0:
            total += done
            if self.clock.monotonic() > stop:
                break
        return total

    def _one(self, region: RegionId, lease: Lease, some: Callable[[Transaction], int]) -> int:
        """0 also where another process was ahead each time."""
        for attempt in range(_TRIES):
            turn = f"region:{region}" if attempt else None
            try:
                with self.store.write(lease, turn=turn) as tx:
                    if attempt:
                        hosts = [host for host in tx.hosts(region) if isinstance(host.health, Up)]
                        tx.guard_hosts({host.id: host.generation for host in hosts})
                    return some(tx)
            except LostRace:
                continue
        return 0


def record(tx: Transaction, ledger: Ledger, relocations: Sequence[Relocation]) -> None:
    """Write them in the transaction that read `ledger`. Raises LostRace as the transaction does.

    Hosts come first and in one call, so that two writers never wait for each other; the journal
    last, since everybody waits for it.
    """
    taken = {r.takes for r in relocations if r.takes is not None}
    tx.guard_hosts({host: ledger.hosts[host].generation for host in taken})
    for relocation in relocations:
        tx.save_server(relocation.server)
    _drop_refuges(tx, ledger, {r.server.id for r in relocations})
    for relocation in relocations:
        tx.add_event(relocation.event)


def _drop_refuges(tx: Transaction, ledger: Ledger, moved: Collection[ServerId]) -> None:
    """The servers that moved are unprotected until the pool is certified anew: say so."""
    gone: dict[tuple[FailureDomain, ServerId], HostId | None] = {
        key: None for key in ledger.certificate.refuges if key[1] in moved
    }
    if gone:
        tx.set_refuges(ledger.region, gone)
