"""Takes shelved servers off their hosts, once these have answered that they have them no more."""

from __future__ import annotations

from datetime import datetime

from control_plane.model.operation import Event, Severity
from control_plane.model.workload import Placed, Server
from control_plane.store import Lease, Store


def let_go(store: Store, server: Server, lease: Lease, at: datetime) -> int:
    """Give its room back; how many servers that changed. Raises LostRace, LeaseLost."""
    if not isinstance(server.placement, Placed):
        return 0
    with store.write(lease) as tx:
        tx.put_away(server, server.placement.put_away())
        tx.add_event(put_away(server, at))
    return 1


def put_away(server: Server, at: datetime) -> Event:
    return Event(
        "server.shelved",
        f"server:{server.id}",
        at,
        Severity.INFO,
        f"Server {server.name} is shelved: it has stopped, its room is given back, and its disks and its address are kept.",
        f"サーバー {server.name} を休止しました。停止して容量を返却し、ディスクとアドレスは保持しています。",
        tenant=server.tenant.text,
    )
