"""In which order servers are brought up: residents' records before the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from control_plane.model.ids import HostId, RegionId, SystemId
from control_plane.model.pool import Host
from control_plane.model.workload import Server
from control_plane.reconcile.convergence import Action, BringUp


def _rank(server: Server) -> tuple[int, int]:
    return (server.tier, server.start_order)


def may_begin(
    waiting: Sequence[BringUp], busy: Iterable[Action], hosts: Mapping[HostId, Host]
) -> list[BringUp]:
    """Those of `waiting` whose turn it is, in order.

    A server that ran before (its generation is above 1) waits until every such server of its region
    with a lower tier, or the same tier and a lower start order, is up. A server that is built for the
    first time may have to copy an image for minutes, so it neither waits for other systems nor makes
    them wait: it only follows the lower start orders of its own system.
    """
    under_way = [action for action in busy if isinstance(action, BringUp)]
    regions: dict[RegionId, tuple[int, int]] = {}
    systems: dict[SystemId, int] = {}
    for action in [*waiting, *under_way]:
        server = action.server
        systems[server.system] = min(
            systems.get(server.system, server.start_order), server.start_order
        )
        if server.generation > 1:
            region = hosts[action.host].region
            regions[region] = min(regions.get(region, _rank(server)), _rank(server))
    turn = [
        action
        for action in waiting
        if systems[action.server.system] == action.server.start_order
        and (
            action.server.generation == 1
            or regions[hosts[action.host].region] == _rank(action.server)
        )
    ]
    return sorted(turn, key=lambda action: (*_rank(action.server), action.server.id))
