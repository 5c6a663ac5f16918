"""Writes what a host's health becomes, if it is still what the judgement began from.

A host's generation also moves with every member who joins and finds room or a refuge on it. Were
health guarded by that, hosts could die unnoticed for as long as many join. So the host is read again
where it is written, and compared in what was judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from control_plane.model.host_health import HostHealth
from control_plane.model.pool import Host
from control_plane.reconcile import narration
from control_plane.store import Lease, LostRace, Store, Transaction

_TRIES = 5


def insist(store: Store, lease: Lease, write: Callable[[Transaction], int]) -> int:
    """What `write` answers, tried again where another transaction was there first; 0 where one
    always was. It must read what it writes."""
    for _ in range(_TRIES):
        try:
            with store.write(lease) as tx:
                return write(tx)
        except LostRace:
            continue
    return 0


def write_health(
    store: Store,
    lease: Lease,
    judged: Host,
    health: HostHealth,
    at: datetime,
    *,
    still: Callable[[Transaction, Host], bool] = lambda _, __: True,
) -> int:
    """1 where `judged` has become `health`; 0 where its health is another one by now, or `still`
    says of it as it stands that this may not be."""

    def write(tx: Transaction) -> int:
        standing = tx.host(judged.id)
        if standing.health != judged.health or not still(tx, standing):
            return 0
        tx.save_host(replace(standing, health=health))
        tx.add_event(narration.health_changed(judged.id, judged.health, health, at))
        return 1

    return insist(store, lease, write)
