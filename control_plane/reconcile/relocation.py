"""Writes where servers go after a failure.

A place is decided and written in one transaction, so that nothing comes between the two. One that
loses its race is tried again with every open host claimed beforehand: members who join all the time
make way for servers that are down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, RegionId, ServerId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event
from control_plane.model.pool import FailureDomain
from control_plane.model.workload import Server
from control_plane.placement import overtaken
from control_plane.store import Lease, LostRace, Store, Transaction, hosts_of

T = TypeVar("T")

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Relocation:
    """A server as it shall stand from now on, what people are told of it, and the host that it
    newly takes room of, where it does."""

    server: Server
    event: Event
    takes: HostId | None = None


def in_order(servers: Iterable[Server]) -> list[Server]:
    """The lowest tier first, and within it in the order of starting."""
    return sorted(servers, key=lambda s: (s.tier, s.start_order, s.id))


def in_one(store: Store, region: RegionId, lease: Lease, some: Callable[[Transaction], T]) -> T:
    """What `some` answers, which does everything in one transaction. Raises LostRace where another
    process was ahead each time."""
    for attempt in range(_TRIES):
        last = attempt == _TRIES - 1
        try:
            with store.write(lease, turn=f"region:{region}" if attempt else None) as tx:
                if attempt:
                    hosts = [host for host in tx.hosts(region) if isinstance(host.health, Up)]
                    tx.guard_hosts({host.id: host.generation for host in hosts})
                return some(tx)
        except LostRace:
            if last:
                raise
    raise AssertionError("at least one try is made")


def record(
    tx: Transaction,
    ledger: Ledger,
    relocations: Sequence[Relocation],
    agreed: Mapping[tuple[FailureDomain, ServerId], HostId] = MappingProxyType({}),
) -> None:
    """Write them in the transaction that read `ledger`, and the refuges that are `agreed` on from now
    on for what has not moved yet. Raises LostRace as the transaction does.

    Hosts come first and in one call, so that two writers never wait for each other; the journal
    last, since everybody waits for it.
    """
    taken = {r.takes for r in relocations if r.takes is not None} | set(agreed.values())
    tx.guard_hosts({host: ledger.hosts[host].generation for host in taken})
    tx.drop_growths({r.server.id for r in relocations} & growing(ledger))
    for relocation in relocations:
        tx.save_server(relocation.server)
    changes = {**given_up_refuges(ledger, relocations), **agreed}
    if changes:
        tx.set_refuges(ledger.region, changes)
    tx.drop_holdings(overtaken(ledger, places_after(relocations)))
    tx.add_events([relocation.event for relocation in relocations])


def places_after(relocations: Iterable[Relocation]) -> dict[ServerId, tuple[HostId, ...]]:
    """The hosts that hold each of these servers from now on."""
    return {r.server.id: hosts_of(r.server.placement) for r in relocations}


def growing(ledger: Ledger) -> set[ServerId]:
    """The servers that move to be resized."""
    return {w.grows for w in ledger.workloads.values() if w.grows is not None}


def given_up_refuges(
    ledger: Ledger, relocations: Iterable[Relocation]
) -> dict[tuple[FailureDomain, ServerId], None]:
    """The servers that moved are unprotected until the pool is certified anew: say so. One that stays
    at the end that it has left keeps the refuges that it has from there."""
    after = places_after(relocations)
    gone: dict[tuple[FailureDomain, ServerId], None] = {}
    for (domain, server), refuge in ledger.certificate.refuges.items():
        if server in after and not (
            set(after[server]) < set(ledger.workloads[server].hosts)
            and refuge not in ledger.workloads[server].hosts
            and any(domain in ledger.hosts[host].domains for host in after[server])
        ):
            gone[domain, server] = None
    return gone
