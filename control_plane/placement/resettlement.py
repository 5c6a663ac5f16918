"""Gives workloads that have lost their host another one, one after the other.

An admission answers for one request from a ledger, and searches where its rules of thumb find
nothing. After a great failure there may be a thousand such requests, and few of them can still be
promised anything. So here the region is laid out once, every answer changes that layout, searching
is rationed, and a place without a promise is better than none: recertification follows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from control_plane.model.ids import GroupId, HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload, Standing
from control_plane.model.units import NOTHING, Resources
from control_plane.placement.arrival import (
    Arrival,
    StorageRoom,
    settle,
    settle_undisturbed,
    settle_unpromised,
)
from control_plane.placement.board import Board
from control_plane.placement.budget import Budget
from control_plane.placement.certificate import open_board
from control_plane.placement.diagnosis import why_no_host
from control_plane.placement.holdings import without_holdings
from control_plane.placement.recertification import fill_holes
from control_plane.placement.refuges import Outcome, place
from control_plane.placement.refusal import Proof, Refusal

_SEARCHES = 2
"""How often refuges are arranged anew in vain before that is left to recertification."""

_Kind = tuple[object, ...]


class Resettlement:
    """`homeless` are workloads of the ledger whose hosts are lost, or that hold none. What any of
    them is given is held from then on. Without a promised kind in the ledger, places are all that
    is looked for."""

    def __init__(self, ledger: Ledger, homeless: Collection[ServerId]) -> None:
        # What runs comes before what is kept for later.
        ledger = without_holdings(ledger)
        cleared = {id: replace(ledger.workloads[id], hosts=()) for id in homeless}
        self._ledger = ledger
        self._workloads: dict[ServerId, LedgerWorkload] = {**ledger.workloads, **cleared}
        self._homeless = cleared.keys()
        self._used: dict[HostId, Resources] = {}
        self._homes: defaultdict[GroupId, set[HostId]] = defaultdict(set)
        for workload in self._workloads.values():
            for host in workload.hosts:
                self._hold(workload, host)
        self._layout: _Layout | None = None

    def fits(self, server: ServerId, host: HostId) -> bool:
        """Whether it can have that host: its room, away from its group. What else its promise asks
        for is not looked at again."""
        workload, there = self._workloads[server], self._ledger.hosts[host]
        free = there.capacity - self._used.get(host, NOTHING)
        return (
            there.standing is Standing.OPEN
            and workload.size.fits_in(free)
            and (workload.group is None or host not in self._homes[workload.group])
        )

    def give(self, server: ServerId, host: HostId) -> None:
        """Let it have that host."""
        self._note(server, host)
        if self._layout is not None:
            self._layout.give(server, host)

    def find(self, server: ServerId) -> HostId | Refusal:
        """Give it a host where everybody's promise goes on to hold, else any with room for it; or
        say what was lacking."""
        if self._layout is None:
            ledger = replace(self._ledger, workloads=self._workloads)
            left = {id: w for id, w in self._workloads.items() if id in self._homeless}
            self._layout = _Layout(ledger, {id: w for id, w in left.items() if not w.hosts})
        answer = self._layout.find(server)
        if not isinstance(answer, Refusal):
            self._note(server, answer)
        return answer

    def _note(self, server: ServerId, host: HostId) -> None:
        workload = self._workloads[server] = replace(self._workloads[server], hosts=(host,))
        self._hold(workload, host)

    def _hold(self, workload: LedgerWorkload, host: HostId) -> None:
        self._used[host] = self._used.get(host, NOTHING) + workload.size
        if workload.group is not None:
            self._homes[workload.group].add(host)


class _Layout:
    """The region on a board. It is made when somebody has to look for a host, since laying it out
    takes longer than following a certificate."""

    def __init__(self, ledger: Ledger, homeless: Mapping[ServerId, LedgerWorkload]) -> None:
        self._board: Board = open_board(ledger)
        fill_holes(self._board)
        self._board.add_new(homeless[id] for id in sorted(homeless))
        self._everywhere = np.ones(len(self._board.hosts), dtype=np.bool_)
        self._searches = _SEARCHES
        self._unpromised: set[_Kind] = set()
        self._refused: dict[_Kind, Refusal] = {}

    def give(self, server: ServerId, host: HostId) -> None:
        board, number = self._board, self._board.server_no[server]
        settle_unpromised(board, self._arrival(number), only=board.host_no[host])
        for domain in board.stands_on(number):
            place(board, domain, number)

    def find(self, server: ServerId) -> HostId | Refusal:
        """Room only shrinks while hosts are given away, so that what was refused once is refused to
        the next one of its kind."""
        board, number = self._board, self._board.server_no[server]
        workload = board.workloads[number]
        kind = (workload.size, workload.zone, workload.traits, workload.sites, workload.storage)
        refused = self._refused.get(kind)
        if refused is not None:
            return replace(refused, workload=server)
        arrival = self._arrival(number)
        if kind not in self._unpromised:
            if self._settle_promised(arrival):
                return self._host_of(number)
            self._unpromised.add(kind)
        if settle_unpromised(board, arrival):
            return self._host_of(number)
        refusal = why_no_host(board, arrival, Proof.PROVED_IMPOSSIBLE)
        if workload.group is None:
            self._refused[kind] = refusal
        return refusal

    def _settle_promised(self, arrival: Arrival) -> bool:
        if not self._board.domains:
            return False
        if self._searches <= 0:
            return settle_undisturbed(self._board, arrival)
        found = settle(self._board, arrival, Budget(solver=0.0, repairs=50)) is Outcome.COVERED
        self._searches -= not found
        return found

    def _arrival(self, number: int) -> Arrival:
        pools = StorageRoom(self._board, {}).pools_for(number)
        return Arrival(number, pools, self._everywhere)

    def _host_of(self, number: int) -> HostId:
        return self._board.hosts[self._board.holders[number][-1]].id
