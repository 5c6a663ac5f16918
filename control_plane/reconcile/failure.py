"""Finds which of the promised failures it is that hosts are lost to, so that its refuges are taken.

A certificate names refuges for each promised failure alone: those for the death of a host and those
for the death of its rack do not go together. A rack's hosts are found dead one after the other, so
the failure is told from all hosts that are lost or seem to be, and not from the one just fenced.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby

from control_plane.model.host_health import Confirmed, Fenced, Suspect
from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Ledger, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, FailureDomain, Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Server
from control_plane.placement import Refusal, Resettlement

_WIDTH = {
    DomainKind.HOST: 0,
    DomainKind.RACK: 1,
    DomainKind.POWER: 2,
    DomainKind.SITE: 3,
    DomainKind.HAZARD: 4,
}

Lost = Mapping[HostId, datetime]
"""The hosts that are lost or seem to be, and since when."""

Order = Mapping[HostId, Sequence[FailureDomain]]
"""For each lost host the failures whose refuges are taken, the first that can be had."""


def lost_hosts(hosts: Iterable[Host], at: datetime, one_failure: Seconds) -> Lost:
    """Without those that have been suspect for longer than `one_failure`: they wait for a person's
    eyes, and whatever keeps them silent, others do not die of it now."""
    recently = at - timedelta(seconds=one_failure)
    return {
        host.id: host.health.since
        for host in hosts
        if isinstance(host.health, Fenced | Confirmed)
        or (isinstance(host.health, Suspect) and host.health.since >= recently)
    }


@dataclass(frozen=True, slots=True)
class Place:
    """What a server is given: a host, or the reason why there is none. `by` is the failure whose
    refuge that host is; None where it was looked for. `missed` is then the failure whose refuge it
    should have had, where that could not be had any more."""

    answer: HostId | Refusal
    by: FailureDomain | None
    missed: FailureDomain | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """Which refuges are taken. `doomed` are the servers of which no end is left but on lost hosts.
    It is `whole` where all of them have refuges that go together."""

    ledger: Ledger
    order: Order
    doomed: Mapping[ServerId, LedgerWorkload]
    whole: bool

    def refuges(self, server: ServerId) -> Iterator[tuple[FailureDomain, HostId]]:
        """The server's refuges, in the order in which they are tried."""
        named = self.ledger.certificate.refuges
        # One that moved has as good as arrived, so that its target's come first.
        for host in reversed(self.doomed[server].hosts):
            for domain in self.order.get(host, ()):
                if (domain, server) in named:
                    yield domain, named[domain, server]

    def places(self, seeking: Sequence[Server]) -> Iterator[tuple[Server, Place]]:
        """A place for each of these, which come in the order of their tiers and hold no host that
        lives. Within a tier, refuges are kept before a host is looked for; also those of servers
        whose hosts are not fenced yet, so that they find them free."""
        waiting = {server.id for server in seeking}
        if self.whole and waiting <= self.doomed.keys():
            for server in seeking:
                domain, host = next(self.refuges(server.id))
                yield server, Place(host, domain)
            return
        room = Resettlement(self.ledger, waiting | self.doomed.keys())
        others = deque(sorted((w.tier, w.id) for w in self.doomed.values() if w.id not in waiting))
        kept: dict[ServerId, tuple[FailureDomain, HostId]] = {}
        for tier, some in groupby(seeking, key=lambda server: server.tier):
            servers = list(some)
            while others and others[0][0] < tier:
                self._keep(room, others.popleft()[1], kept)
            for server in servers:
                self._keep(room, server.id, kept)
            while others and others[0][0] == tier:
                self._keep(room, others.popleft()[1], kept)
            for server in servers:
                yield server, self._place(room, server.id, kept)

    def _keep(
        self,
        room: Resettlement,
        server: ServerId,
        kept: dict[ServerId, tuple[FailureDomain, HostId]],
    ) -> None:
        if server not in self.doomed:
            return
        for domain, host in self.refuges(server):
            if room.fits(server, host):
                room.give(server, host)
                kept[server] = domain, host
                return

    def _place(
        self,
        room: Resettlement,
        server: ServerId,
        kept: Mapping[ServerId, tuple[FailureDomain, HostId]],
    ) -> Place:
        if server in kept:
            domain, host = kept[server]
            return Place(host, domain)
        had = next(self.refuges(server), None) if server in self.doomed else None
        return Place(room.find(server), None, None if had is None else had[0])

    def agreed(
        self, after: Mapping[ServerId, Collection[HostId]]
    ) -> dict[tuple[FailureDomain, ServerId], HostId]:
        """Refuges with which narrower failures agree with the one that is executed, for what still
        stands on its hosts: whichever of these is lost next, and whoever leads then, the same
        refuges are taken. They hold, being some of those that hold for the wider failure, whose
        room is kept already. `after` are the hosts of servers that were moved just now."""
        if not self.whole:
            return {}
        members = members_of(self.ledger)
        executed = {domain for domains in self.order.values() for domain in domains}
        named = self.ledger.certificate.refuges
        found: dict[tuple[FailureDomain, ServerId], HostId] = {}
        for wide in sorted(executed):
            narrower = {d for d, hosts in members.items() if hosts < members[wide]}
            for workload in self.ledger.workloads.values() if narrower else ():
                refuge = named.get((wide, workload.id))
                if refuge is None or workload.grows in after:
                    continue
                for host in after.get(workload.id, workload.hosts):
                    for domain in narrower & self.ledger.hosts[host].domains:
                        if named.get((domain, workload.id)) != refuge:
                            found[domain, workload.id] = refuge
        return found


def course(
    ledger: Ledger, lost: Lost, one_failure: Seconds, apart: Collection[ServerId] = ()
) -> Course:
    """The refuges of the narrowest promised failure that has taken all hosts that are lost, where
    they can be taken together. Where no such failure was promised, each host's own failure that took
    the most of them. Hosts lost more than `one_failure` apart are lost to different failures.

    `apart` are servers that need no place."""
    doomed = {
        w.id: w
        for w in ledger.workloads.values()
        if w.hosts
        and not w.holding
        and w.grows is None
        and w.id not in apart
        and all(host in lost for host in w.hosts)
    }
    members = members_of(ledger)
    failures = _failures(ledger, lost, one_failure, members)
    for order in _orders(failures, members):
        tried = Course(ledger, order, doomed, whole=True)
        if _go_together(tried):
            return tried
    each = {host: failure.ranked(host) for failure in failures for host in failure.hosts}
    return Course(ledger, each, doomed, whole=False)


def members_of(ledger: Ledger) -> dict[FailureDomain, set[HostId]]:
    """The hosts of every promised failure. Any promise includes that hosts may die."""
    kinds = ledger.promised | {DomainKind.HOST} if ledger.promised else frozenset()
    found: defaultdict[FailureDomain, set[HostId]] = defaultdict(set)
    for host in ledger.hosts.values():
        for domain in host.domains:
            if domain.kind in kinds:
                found[domain].add(host.id)
    return dict(found)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Hosts that were lost at one time, and those of them that still carry something."""

    hosts: frozenset[HostId]
    carrying: frozenset[HostId]
    members: Mapping[FailureDomain, set[HostId]]

    def common(self) -> list[FailureDomain]:
        """The promised failures that take all of those that carry something, the likeliest first:
        it explains also why the others were lost, and takes little else."""
        return sorted((d for d, m in self.members.items() if self.carrying <= m), key=self._rank)

    def ranked(self, host: HostId) -> list[FailureDomain]:
        return sorted((d for d, m in self.members.items() if host in m), key=self._rank)

    def _rank(self, domain: FailureDomain) -> tuple[int, int, int, str]:
        members = self.members[domain]
        return -len(members & self.hosts), len(members), _WIDTH[domain.kind], domain.name


def _failures(
    ledger: Ledger,
    lost: Lost,
    one_failure: Seconds,
    members: Mapping[FailureDomain, set[HostId]],
) -> list[_Failure]:
    """The lost hosts by time. One that carries nothing counts where it is fenced: it did."""
    carrying = {host for w in ledger.workloads.values() if not w.holding for host in w.hosts}
    found: list[set[HostId]] = []
    last: datetime | None = None
    for since, host in sorted((since, host) for host, since in lost.items()):
        there = ledger.hosts.get(host)
        if there is None or not (host in carrying or there.standing is Standing.GONE):
            continue
        if last is None or (since - last).total_seconds() > one_failure:
            found.append(set())
        found[-1].add(host)
        last = since
    return [_Failure(frozenset(hosts), frozenset(hosts & carrying), members) for hosts in found]


def _orders(
    failures: Sequence[_Failure], members: Mapping[FailureDomain, set[HostId]]
) -> Iterator[Order]:
    """What may be executed wholly: one promised failure at each time, else one for all, else for each
    host the one that took the most of them with it."""
    with_servers = [failure for failure in failures if failure.carrying]
    commons = [failure.common() for failure in with_servers]
    if len(with_servers) > 1 and all(commons):
        yield {
            host: common[:1]
            for failure, common in zip(with_servers, commons, strict=True)
            for host in failure.carrying
        }
    hosts = frozenset(chain.from_iterable(failure.hosts for failure in with_servers))
    carrying = frozenset(chain.from_iterable(failure.carrying for failure in with_servers))
    for domain in _Failure(hosts, carrying, members).common():
        yield {host: [domain] for host in carrying}
    yield {host: failure.ranked(host)[:1] for failure in with_servers for host in failure.carrying}


def _go_together(course: Course) -> bool:
    room = Resettlement(course.ledger, course.doomed.keys())
    for server in sorted(course.doomed):
        found = next(course.refuges(server), None)
        if found is None or not room.fits(server, found[1]):
            return False
        room.give(server, found[1])
    return True
