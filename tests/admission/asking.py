"""Requests for servers, as a member's onboarding would make them."""

from __future__ import annotations

from collections.abc import Sequence

from control_plane.admission import Admitted, NewServer, admit
from control_plane.model.ids import GroupId
from control_plane.model.ledger import Ledger
from control_plane.model.units import NOTHING, Resources
from control_plane.model.workload import Server
from control_plane.placement import check
from control_plane.store import Store, Transaction
from tests.store import samples


def new(number: int, **changes: object) -> NewServer:
    return NewServer(
        **{
            "id": samples.server_id(number),
            "system": samples.SYSTEM,
            "name": f"db{number}",
            "role": "database",
            "flavor": samples.SMALL,
            "image": samples.IMAGE,
            "start_order": 1,
            **changes,
        }
    )


def nothing_else(_: Transaction, __: Sequence[Server]) -> None:
    pass


def ask(store: Store, *wanted: NewServer, dry_run: bool = False) -> Admitted[None]:
    return admit(store, samples.KYOTO, lambda _: wanted, nothing_else, dry_run=dry_run)


def pair(first: int) -> tuple[NewServer, NewServer]:
    """A database and its standby, which must not share a host."""
    group = GroupId(f"group-{first}")
    return new(first, group=group), new(first + 1, group=group)


def ledger_of(store: Store) -> Ledger:
    with store.read() as tx:
        return tx.ledger(samples.KYOTO)


def assert_sound(store: Store) -> Ledger:
    """No host is over its capacity, no storage pool either, and the certificate holds."""
    ledger = ledger_of(store)
    load: dict[str, Resources] = {}
    for workload in ledger.workloads.values():
        for host in workload.hosts:
            load[host] = load.get(host, NOTHING) + workload.size
    for host, carried in load.items():
        assert carried.fits_in(ledger.hosts[host].capacity), f"{host} is over-committed"
    for pool in ledger.storage.values():
        assert pool.used <= pool.capacity, f"{pool.id} is over-committed"
    assert check(ledger) == ()
    with store.read() as tx:
        addresses = [server.address for server in tx.servers()]
    assert len(addresses) == len(set(addresses))
    return ledger
