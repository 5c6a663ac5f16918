"""Lets hosts die one after the other, and places their servers by the rule that the control plane goes
by: whatever a certificate says, this is what is executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from control_plane.model.fence import FenceEvidence, FenceKind
from control_plane.model.ids import FlavorId, HostId, ImageId, ServerId, StoragePoolId, SystemId
from control_plane.model.ledger import Certificate, Ledger, LedgerWorkload, Standing
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Server
from control_plane.placement import recertify
from control_plane.placement.recertification import Recertification
from control_plane.reconcile.evacuation import relocations
from control_plane.reconcile.failure import course
from control_plane.reconcile.relocation import given_up_refuges, in_order, places_after
from tests.placement.executor import crowding

ONE_FAILURE = Seconds(600)
BEGAN = datetime(2026, 4, 1, 3, tzinfo=UTC)


@dataclass
class Fall:
    """`by` is the failure (as text) whose refuge each server was given, in the order in which they
    were placed; None where room was looked for. `stranded` found none."""

    ledger: Ledger
    now: datetime = BEGAN
    lost: dict[HostId, datetime] = field(default_factory=dict)
    dead: dict[HostId, FenceEvidence] = field(default_factory=dict)
    by: dict[ServerId, str | None] = field(default_factory=dict)
    stranded: list[ServerId] = field(default_factory=list)

    def falls_silent(self, *hosts: HostId) -> None:
        for host in hosts:
            self._stands(host, Standing.CLOSED)
            self.lost[host] = self.now

    def is_fenced(self, *hosts: HostId) -> None:
        for host in hosts:
            self._stands(host, Standing.GONE)
            self.lost[host] = self.now
            kind = FenceKind.REDFISH_POWER_OFF
            self.dead[host] = FenceEvidence(host, kind, self.now, "bmc", "It is off.")

    def is_back(self, *hosts: HostId) -> None:
        for host in hosts:
            assert not any(host in w.hosts for w in self.ledger.workloads.values())
            self._stands(host, Standing.OPEN)
            del self.lost[host], self.dead[host]

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def evacuate(self, most: int = 200) -> None:
        """In parts of `most` servers, until nothing is left on dead hosts."""
        while affected := self._affected():
            some = in_order(affected)[:most]
            taken = course(self.ledger, self.lost, ONE_FAILURE)
            found = relocations(some, self.dead, taken, self.now)
            assert len(found) == len(some)
            after = places_after(found)
            changes = {**given_up_refuges(self.ledger, found), **taken.agreed(after)}
            refuges = {
                key: host
                for key, host in {**self.ledger.certificate.refuges, **changes}.items()
                if host is not None
            }
            workloads = dict(self.ledger.workloads)
            for name, hosts in after.items():
                workloads[name] = replace(workloads[name], hosts=hosts)
            self.ledger = replace(
                self.ledger, workloads=workloads, certificate=Certificate(refuges)
            )
            self._note(found)

    def certify(self) -> Recertification:
        answer = recertify(self.ledger)
        self.ledger = replace(self.ledger, certificate=Certificate(answer.refuges))
        return answer

    def trouble(self) -> list[str]:
        return crowding(self.ledger, {n: set(w.hosts) for n, w in self.ledger.workloads.items()})

    def _note(self, found: Iterable) -> None:
        for relocation in found:
            name, fields = relocation.server.id, relocation.event.fields or {}
            if relocation.event.kind == "server.stranded":
                self.stranded.append(name)
            elif relocation.takes is not None:
                self.by[name] = fields["failure"] if fields["by_certificate"] else None

    def _affected(self) -> list[Server]:
        return [
            a_server(workload)
            for workload in self.ledger.workloads.values()
            if not self.dead.keys().isdisjoint(workload.hosts)
        ]

    def _stands(self, host: HostId, standing: Standing) -> None:
        there = replace(self.ledger.hosts[host], standing=standing)
        self.ledger = replace(self.ledger, hosts={**self.ledger.hosts, host: there})


def a_server(workload: LedgerWorkload) -> Server:
    placement = Moving(*workload.hosts) if len(workload.hosts) > 1 else Placed(*workload.hosts)
    return Server(
        id=workload.id,
        tenant=MunicipalityCode(workload.owner),
        system=SystemId("system"),
        name=workload.id,
        role="db",
        flavor=FlavorId("small"),
        size=workload.size,
        disk=workload.disk,
        image=ImageId("tiny"),
        zone=workload.zone,
        tier=workload.tier,
        start_order=0,
        storage=StoragePoolId(str(workload.storage)),
        address="10.77.16.5/24",
        placement=placement,
        group=workload.group,
    )
