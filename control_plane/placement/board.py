"""The ledger as arrays that planning moves about on, and back again when an idea fails.

Rows are hosts in the order of their ids, domains in theirs, workloads in theirs with new ones
behind. Two columns are the resources: vCPU, then memory in MiB.

Only one domain dies at a time, so for given places of the servers the refuges of one domain have
nothing to do with those of another: `reserve[f, r]` is what r takes over when f dies, and r must
keep free the largest of these over f, resource by resource.

A migrating workload holds its source and its target. Should a domain with only one of them die, it
lives on at the other, whose room it holds already: as its refuge that host costs nothing. Towards
the death of the source's domain its refuge is the target. For a domain of the target it is rather a
host that will still do once the workload has arrived: the source only while that one is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from control_plane.model.ids import GroupId, HostId, StoragePoolId
from control_plane.model.ledger import Ledger, LedgerHost, LedgerWorkload
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.placement.eligibility import Eligibility, Mask

Amounts = NDArray[np.int64]

NOWHERE = -1


class Board:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.hosts: list[LedgerHost] = [ledger.hosts[name] for name in sorted(ledger.hosts)]
        self.host_no: dict[HostId, int] = {host.id: n for n, host in enumerate(self.hosts)}
        self.eligibility = Eligibility(self.hosts)
        self.capacity = _amounts((h.capacity.vcpu, h.capacity.memory) for h in self.hosts)
        self.scale = np.maximum(self.capacity.mean(axis=0) if self.hosts else np.ones(2), 1.0)
        self.domains: list[FailureDomain] = promised_domains(ledger)
        self.domain_no = {domain: n for n, domain in enumerate(self.domains)}
        self.members: Mask = np.zeros((len(self.domains), len(self.hosts)), dtype=np.bool_)
        for number, host in enumerate(self.hosts):
            for domain in host.domains:
                if domain in self.domain_no:
                    self.members[self.domain_no[domain], number] = True
        self.domains_of = [np.flatnonzero(column).tolist() for column in self.members.T]

        self.workloads: list[LedgerWorkload] = []
        self.holders: list[tuple[int, ...]] = []
        self.masks: list[Mask] = []
        self.mates: dict[GroupId, list[int]] = {}
        for name in sorted(ledger.workloads):
            workload = ledger.workloads[name]
            if workload.hosts:
                self.add(workload, tuple(self.host_no[host] for host in workload.hosts))
        self.size = _amounts((w.size.vcpu, w.size.memory) for w in self.workloads)
        self.server_no = {workload.id: n for n, workload in enumerate(self.workloads)}

        self.free = self.capacity.copy()
        held = [(n, host) for n, holders in enumerate(self.holders) for host in holders]
        if held:
            numbers, hosts = np.array(held).T
            np.subtract.at(self.free, hosts, self.size[numbers])
        self.refuge: list[dict[int, int]] = [{} for _ in self.domains]
        self.reserve: Amounts = np.zeros((len(self.domains), len(self.hosts), 2), dtype=np.int64)
        self.peak: Amounts = np.zeros((len(self.hosts), 2), dtype=np.int64)
        self.given_up: set[tuple[int, int]] = set()
        self._log: list[tuple[int, int, int]] = []

    def add(self, workload: LedgerWorkload, holders: tuple[int, ...]) -> int:
        number = len(self.workloads)
        self.workloads.append(workload)
        self.holders.append(holders)
        self.masks.append(self.eligibility.of(workload, workload.storage))
        if workload.group is not None:
            self.mates.setdefault(workload.group, []).append(number)
        return number

    def add_new(self, workloads: Iterable[LedgerWorkload]) -> list[int]:
        """Workloads that hold no host yet. Their masks leave out storage until it is chosen."""
        numbers = [self.add(workload, ()) for workload in workloads]
        self.server_no.update((self.workloads[number].id, number) for number in numbers)
        self.size = _amounts((w.size.vcpu, w.size.memory) for w in self.workloads)
        return numbers

    def choose_storage(self, number: int, pool: StoragePoolId | None) -> None:
        workload = replace(self.workloads[number], storage=pool)
        self.workloads[number] = workload
        self.masks[number] = self.eligibility.of(workload, pool)

    def load(self, domain: int, number: int, host: int) -> None:
        """Take over a refuge that is known to be right, without a way back."""
        self.refuge[domain][number] = host

    def sum_up(self, domains: NDArray[np.int64], hosts: NDArray[np.int64], sizes: Amounts) -> None:
        np.add.at(self.reserve, (domains, hosts), sizes)
        if self.domains:
            self.peak = self.reserve.max(axis=0)

    def stands_on(self, number: int) -> list[int]:
        """The promised domains with a host that holds the workload."""
        holders = self.holders[number]
        if len(holders) == 1:
            domains: list[int] = self.domains_of[holders[0]]
            return domains
        return sorted({f for host in holders for f in self.domains_of[host]})

    def others(self, number: int) -> Iterator[int]:
        """The other members of its anti-affinity group."""
        group = self.workloads[number].group
        if group is not None:
            yield from (mate for mate in self.mates[group] if mate != number)

    def survivors(self, domain: int, number: int) -> list[int]:
        """The hosts that hold it and live on when the domain dies: none unless it is migrating."""
        holders = self.holders[number]
        if len(holders) < 2:
            return []
        return [
            host
            for host in holders
            if not self.members[domain, host] and not self.eligibility.gone[host]
        ]

    def costs(self, number: int, host: int) -> Amounts:
        """What it takes of a host as its refuge: nothing where it holds room already."""
        size: Amounts = self.size[number]
        return size if host not in self.holders[number] else np.zeros_like(size)

    # Moves on the board, each with its way back.

    def set_refuge(self, domain: int, number: int, host: int) -> None:
        """Name the refuge; NOWHERE takes it away."""
        before = self.refuge[domain].get(number, NOWHERE)
        if before == host:
            return
        self._log.append((domain, number, before))
        self._put(domain, number, before, host)

    def _put(self, domain: int, number: int, before: int, after: int) -> None:
        if before != NOWHERE:
            self.reserve[domain, before] -= self.costs(number, before)
            self.peak[before] = self.reserve[:, before].max(axis=0)
        if after == NOWHERE:
            self.refuge[domain].pop(number, None)
            return
        self.refuge[domain][number] = after
        self.reserve[domain, after] += self.costs(number, after)
        np.maximum(self.peak[after], self.reserve[domain, after], out=self.peak[after])

    def hold(self, number: int, host: int) -> None:
        """Give the workload a host's room. It must have no refuge on that host."""
        self._log.append((NOWHERE, number, host))
        self.holders[number] = (*self.holders[number], host)
        self.free[host] -= self.size[number]

    def changed(self) -> set[tuple[int, int]]:
        """(domain, workload) whose refuge may no longer be the one that was taken over."""
        return {(domain, number) for domain, number, _ in self._log if domain != NOWHERE}

    def mark(self) -> int:
        return len(self._log)

    def roll_back(self, mark: int) -> None:
        while len(self._log) > mark:
            domain, number, host = self._log.pop()
            if domain == NOWHERE:
                self.holders[number] = self.holders[number][:-1]
                self.free[host] += self.size[number]
            else:
                after = self.refuge[domain].get(number, NOWHERE)
                self._put(domain, number, after, host)


def promised_domains(ledger: Ledger) -> list[FailureDomain]:
    """Every domain of a promised kind. Any promise includes that hosts may die; a ledger without a
    promised kind asks for places alone."""
    if not ledger.promised:
        return []
    kinds = ledger.promised | {DomainKind.HOST}
    return sorted(
        {
            domain
            for host in ledger.hosts.values()
            for domain in host.domains
            if domain.kind in kinds
        }
    )


def _amounts(rows: Iterable[tuple[int, int]]) -> Amounts:
    return np.array(list(rows), dtype=np.int64).reshape(-1, 2)
