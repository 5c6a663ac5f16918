"""Whether the next failure is survived while one is under way.

A certificate promises that one failure is survived. Once a host is lost, or may be, that promise is
called in: the refuges of its servers are free for nobody else, also as long as nobody can prove that
the host is off. So the servers are thought to be at their refuges already, and the region is proved
as it is then. What of the certificate has to be arranged anew for that can't be relied on before: the
next host may die first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod

from control_plane.model.ids import HostId, ServerId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.placement.checker import check
from control_plane.placement.holdings import overtaken, with_holdings
from control_plane.placement.recertification import Recertification, recertify
from control_plane.placement.refusal import Refusal
from control_plane.placement.resettlement import Resettlement

_ARRANGEMENTS = 4
"""How often refuges are arranged anew for the sake of the next failure."""

_MOST_WAYS = 16
"""In which hosts may have been lost, that are looked at; where there are more, nothing is proved."""

_Places = Mapping[ServerId, HostId | Refusal]


@dataclass(frozen=True, slots=True)
class UnderWay:
    """`hosts` are lost, or may be, and `servers` of theirs are to restart elsewhere, or are to if the
    hosts are lost. `uncovered` says what of the next failure nothing covers then, and why. It is
    `settled` where the refuges in force hold before and after."""

    hosts: tuple[HostId, ...]
    servers: int
    uncovered: tuple[Refusal, ...]
    settled: bool

    @property
    def survives_next(self) -> bool:
        """Only what is proved counts."""
        return self.settled and not self.uncovered

    def explain_en(self) -> str:
        """Why nothing is promised for the next failure, where it is not survived."""
        if self.uncovered:
            return self.uncovered[0].explain_en()
        return "Refuges for the next one can be proved once the servers of this one have restarted."

    def explain_ja(self) -> str:
        if self.uncovered:
            return self.uncovered[0].explain_ja()
        return "次の障害に備えた退避先は、今回のサーバーが再起動した後に確認できます。"


def under_way(ledger: Ledger) -> UnderWay | None:
    """The failure that the region has to get over; None where every server is on hosts that are well,
    and where nothing is promised."""
    found = _looked_ahead(ledger)
    return None if found is None else found.failure


def arranged_for_the_next(ledger: Ledger, proof: Recertification) -> Recertification:
    """The same proof, with refuges for the next failure that go together with those that the one under
    way takes, where there are any."""
    before = replace(with_holdings(ledger, proof.holdings), certificate=Certificate(proof.refuges))
    now = before
    for _ in range(_ARRANGEMENTS):
        found = _looked_ahead(now)
        if found is None or found.failure.uncovered or not found.together:
            return proof
        if not found.rearranged:
            break
        refuges = {**now.certificate.refuges, **found.rearranged}
        now = replace(now, certificate=Certificate(refuges))
    else:
        return proof
    if now is before or set(check(now)) - set(check(before)):
        return proof
    return replace(proof, refuges=now.certificate.refuges)


@dataclass(frozen=True, slots=True)
class _LookAhead:
    """`rearranged` are the refuges of servers that stay where they are, as far as they have to change
    once the others have restarted. These have refuges that go `together`, however their hosts were
    lost, or have not."""

    failure: UnderWay
    rearranged: Mapping[tuple[FailureDomain, ServerId], HostId]
    together: bool


def _looked_ahead(ledger: Ledger) -> _LookAhead | None:
    if not ledger.promised:
        return None
    lost = {
        host.id for host in ledger.hosts.values() if host.silent or host.standing is Standing.GONE
    }
    touched = [
        workload
        for workload in ledger.workloads.values()
        if not workload.holding and workload.grows is None and not lost.isdisjoint(workload.hosts)
    ]
    if not touched:
        return None
    hosts = {host for workload in touched for host in workload.hosts if host in lost}
    leaving = sorted((w for w in touched if lost.issuperset(w.hosts)), key=lambda w: (w.tier, w.id))
    stay = {w.id: tuple(host for host in w.hosts if host not in lost) for w in touched}
    uncovered: tuple[Refusal, ...] = ()
    rearranged: Mapping[tuple[FailureDomain, ServerId], HostId] = {}
    ways, together = _ways(ledger, leaving)
    looked_at: list[_Places] = [*ways] or [_found(ledger, leaving)]
    for places in looked_at:
        waiting = [place for place in places.values() if isinstance(place, Refusal)]
        given = {name: (at,) for name, at in places.items() if not isinstance(at, Refusal)}
        moved = stay | given
        then = recertify(_after(ledger, lost, moved))
        uncovered = uncovered or (*waiting, *then.uncovered)
        rearranged = rearranged or _rearranged(ledger, moved, then)
    settled = together and not rearranged
    failure = UnderWay(tuple(sorted(hosts)), len(leaving), uncovered, settled)
    return _LookAhead(failure, rearranged, together)


def _rearranged(
    ledger: Ledger, moved: Collection[ServerId], then: Recertification
) -> dict[tuple[FailureDomain, ServerId], HostId]:
    in_force = ledger.certificate.refuges
    return {
        key: refuge
        for key, refuge in then.refuges.items()
        if in_force.get(key) != refuge and key[1] not in moved and _is_server(ledger, key[1])
    }


def _is_server(ledger: Ledger, name: ServerId) -> bool:
    known = ledger.workloads.get(name)
    return known is not None and not known.holding


def _ways(
    ledger: Ledger, leaving: Sequence[LedgerWorkload]
) -> tuple[list[dict[ServerId, HostId]], bool]:
    """The sets of refuges that may be taken and go together, and whether all do that may be taken. For
    which failure each host is lost, its own or its rack's, shows only as others are found dead or are
    not, so that all of them have to be reckoned with."""
    kinds = ledger.promised | {DomainKind.HOST}
    # One that was moving has as good as arrived.
    hosts = sorted({workload.hosts[-1] for workload in leaving})
    domains = [sorted(d for d in ledger.hosts[host].domains if d.kind in kinds) for host in hosts]
    whole = prod(map(len, domains)) <= _MOST_WAYS
    ways: list[dict[ServerId, HostId]] = []
    for lost_to in islice(product(*domains), _MOST_WAYS):
        found = _refuges(ledger, leaving, dict(zip(hosts, lost_to, strict=True)))
        if found is None:
            whole = False
        elif found not in ways:
            ways.append(found)
    return ways, whole


def _refuges(
    ledger: Ledger, leaving: Sequence[LedgerWorkload], lost_to: Mapping[HostId, FailureDomain]
) -> dict[ServerId, HostId] | None:
    """None where they don't go together."""
    room = Resettlement(ledger, [w.id for w in leaving])
    found: dict[ServerId, HostId] = {}
    for workload in leaving:
        domain = lost_to[workload.hosts[-1]]
        refuge = ledger.certificate.refuges.get((domain, workload.id))
        if refuge is None or not room.fits(workload.id, refuge):
            return None
        room.give(workload.id, refuge)
        found[workload.id] = refuge
    return found


def _found(ledger: Ledger, leaving: Sequence[LedgerWorkload]) -> _Places:
    """Somewhere with room for each, as far as there is any."""
    room = Resettlement(ledger, [w.id for w in leaving])
    return {workload.id: room.find(workload.id) for workload in leaving}


def _after(
    ledger: Ledger, lost: Set[HostId], moved: Mapping[ServerId, tuple[HostId, ...]]
) -> Ledger:
    """Once these servers are where they are to be, and the lost hosts gone."""
    ledger = with_holdings(ledger, dict.fromkeys(overtaken(ledger, moved)))
    workloads = {
        workload.id: replace(workload, hosts=moved.get(workload.id, workload.hosts))
        for workload in ledger.workloads.values()
        # What was to be resized on its way is not any more.
        if workload.grows is None
        or (workload.grows not in moved and lost.isdisjoint(workload.hosts))
    }
    hosts = {
        host.id: replace(host, standing=Standing.GONE, silent=False) if host.id in lost else host
        for host in ledger.hosts.values()
    }
    kept = {k: refuge for k, refuge in ledger.certificate.refuges.items() if k[1] not in moved}
    return replace(ledger, hosts=hosts, workloads=workloads, certificate=Certificate(kept))
