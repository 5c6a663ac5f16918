"""In which order servers are brought up: residents' records before the library."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from control_plane.model.ids import HostId, RegionId, ServerId, SystemId
from control_plane.model.pool import Host
from control_plane.model.workload import Seen, Server
from control_plane.reconcile.convergence import Action, BringUp


def _rank(server: Server) -> tuple[int, int]:
    return (server.tier, server.start_order)


def _ran_before(server: Server) -> bool:
    return server.generation > 1 or server.seen is not Seen.NOWHERE


def may_begin(
    waiting: Sequence[BringUp],
    held_up_by: Iterable[Action],
    hosts: Mapping[HostId, Host],
    hopeless: Collection[ServerId] = (),
) -> list[BringUp]:
    """Those of `waiting` whose turn it is, restarts first, in order; `held_up_by` are under way, or failed and are to
    be tried again later. Only its own system waits for a server that is `hopeless`.

    A server that ran before waits until every such server of its region with a lower tier, or the
    same tier and a lower start order, is up. A server that is built for the first time may have to
    copy an image for minutes, so it neither waits for other systems nor makes them wait: it only
    follows the lower start orders of its own system.
    """
    ahead = [action for action in held_up_by if isinstance(action, BringUp)]
    regions: dict[RegionId, tuple[int, int]] = {}
    systems: dict[SystemId, int] = {}
    for action in [*waiting, *ahead]:
        server = action.server
        systems[server.system] = min(
            systems.get(server.system, server.start_order), server.start_order
        )
        if _ran_before(server) and server.id not in hopeless:
            region = hosts[action.host].region
            regions[region] = min(regions.get(region, _rank(server)), _rank(server))
    turn = [
        action
        for action in waiting
        if systems[action.server.system] == action.server.start_order
        and (
            not _ran_before(action.server)
            or _rank(action.server) <= regions.get(hosts[action.host].region, _rank(action.server))
        )
    ]
    return sorted(turn, key=lambda a: (not _ran_before(a.server), *_rank(a.server), a.server.id))
