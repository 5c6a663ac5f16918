"""Hosts as operators see them, and what operators ask of them: drain, return, fence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.journal.operations import new_operation_id
from control_plane.journal.progress import HOST_DRAIN
from control_plane.model.errors import YuiError
from control_plane.model.fence import FenceMethod, FenceWord
from control_plane.model.host_health import Cleaning, Confirmed, Fenced, HostHealth, Suspect, Up
from control_plane.model.ids import Generation, HostId
from control_plane.model.ledger import Ledger
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.pool import Duty, Host
from control_plane.model.units import NOTHING, Resources
from control_plane.placement import reserve
from control_plane.pool.holdings import held_for_guarantees, used
from control_plane.pool.models import FenceAccepted, FenceOut, HealthName, HostOut, Size
from control_plane.store import Snapshot, Transaction


def list_hosts(tx: Snapshot, hosts: Sequence[Host]) -> list[HostOut]:
    """Those hosts, in their order."""
    regions = {host.region for host in hosts}
    ledgers = {name: tx.ledger(name) for name in regions}
    shown = {
        one.id: one
        for name in regions
        for one in _show(ledgers[name], [host for host in hosts if host.region == name])
    }
    return [shown[host.id] for host in hosts]


def show_host(tx: Snapshot, host_id: HostId) -> HostOut:
    """Raises `host-not-found`."""
    host = tx.host(host_id)
    (shown,) = _show(tx.ledger(host.region), [host])
    return shown


def drain(
    tx: Transaction,
    host_id: HostId,
    who: Principal,
    at: datetime,
    *,
    expected: Generation | None,
    keep: Callable[[Operation], None],
) -> Operation:
    """Ask for the host to be emptied; the reconciler moves its servers and then puts it into
    maintenance. `keep` gets the operation before the journal is written to.

    Raises `host-not-found`, `host-changed`, `host-draining` and, for a host that is down,
    `host-down`: its servers are evacuated, which is another thing.
    """
    host = _expect(tx.host(host_id), expected)
    _refuse_drain(host)
    tx.save_host(replace(host, duty=Duty.DRAINING))
    operation = Operation(
        id=new_operation_id(),
        kind=HOST_DRAIN,
        subject=f"host:{host.id}",
        tenant=None,
        state=OperationState.RUNNING,
        done=0,
        # The last step is its going into maintenance.
        total=len(tx.servers(host=host.id)) + 1,
        created_at=at,
        updated_at=at,
        fields={"host": host.id},
    )
    tx.put_operation(operation)
    keep(operation)
    tx.add_event(
        Event(
            "host.draining",
            f"host:{host.id}",
            at,
            Severity.INFO,
            f"Host {host.id} is being drained at the request of {who.label}.",
            f"{who.label} さんの指示により、ホスト {host.id} のドレインを始めました。",
        )
    )
    tx.add_audit(who.did("host.drain", f"host:{host.id}", at))
    return operation


def _refuse_drain(host: Host) -> None:
    if isinstance(host.health, Confirmed | Fenced):
        raise YuiError(
            "host-down",
            en=f"Host {host.id} is down, so it can't be drained: its servers restart elsewhere once it is fenced.",
            ja=f"ホスト {host.id} は停止しているため、ドレインできません。隔離後、サーバーは別のホストで再起動します。",
            status=409,
            fields={"host": host.id, "health": health_name(host.health)},
        )
    if host.duty is not Duty.IN_SERVICE:
        raise YuiError(
            "host-draining",
            en=f"Host {host.id} is {host.duty} already: nothing is left to do.",
            ja=f"ホスト {host.id} はすでに{'ドレイン中' if host.duty is Duty.DRAINING else '保守中'}です。追加の操作は不要です。",
            status=409,
            fields={"host": host.id, "duty": host.duty.value},
        )


def take_back(
    tx: Transaction, host_id: HostId, who: Principal, at: datetime, *, expected: Generation | None
) -> None:
    """Put a drained or draining host into service again. One that is fenced or being cleaned
    carries servers once it answers and has been cleaned. A host in service stays as it is.

    Raises `host-not-found`, `host-changed`.
    """
    host = _expect(tx.host(host_id), expected)
    if host.duty is Duty.IN_SERVICE:
        return
    tx.save_host(replace(host, duty=Duty.IN_SERVICE))
    tx.add_event(
        Event(
            "host.returned",
            f"host:{host.id}",
            at,
            Severity.INFO,
            f"Host {host.id} is back in service at the request of {who.label}.",
            f"{who.label} さんの指示により、ホスト {host.id} を使用に戻しました。",
        )
    )
    tx.add_audit(who.did("host.return", f"host:{host.id}", at))


def ask_for_fence(
    tx: Transaction,
    host_id: HostId,
    statement: str,
    method: FenceMethod,
    *,
    who: Principal,
    at: datetime,
) -> FenceAccepted:
    """Record an operator's word or request for the reconciler, which acts on it: a word is believed
    about a host that no channel hears, and power is cut whatever the host's health.

    Raises `host-not-found`, and `host-fenced` when it is fenced already.
    """
    host = tx.host(host_id)
    if isinstance(host.health, Fenced):
        raise YuiError(
            "host-fenced",
            en=f"Host {host.id} is fenced already ({host.health.evidence.kind} by {host.health.evidence.by}): nothing is left to do.",
            ja=f"ホスト {host.id} はすでに隔離されています({host.health.evidence.by})。追加の操作は不要です。",
            status=409,
            fields={"host": host.id},
        )
    tx.add_fence_word(FenceWord(host.id, who.label, statement, method, at))
    words = {
        FenceMethod.POWER_OFF: (
            f"{who.label} asks for host {host.id} to be powered off: {statement}",
            f"{who.label} さんがホスト {host.id} の電源断を指示しました: {statement}",
        ),
        FenceMethod.WORD: (
            f"{who.label} states that host {host.id} is off: {statement}",
            f"{who.label} さんがホスト {host.id} の停止を申告しました: {statement}",
        ),
    }
    en, ja = words[method]
    tx.add_event(Event("host.fence-asked", f"host:{host.id}", at, Severity.WARNING, en, ja))
    tx.add_audit(
        who.did(
            "host.fence",
            f"host:{host.id}",
            at,
            fields={"method": method.value, "statement": statement},
        )
    )
    return FenceAccepted(
        host=host.id, method=method.value, statement=statement, by=who.label, at=at
    )


def health_name(health: HostHealth) -> HealthName:
    match health:
        case Cleaning():
            return "cleaning"
        case Up():
            return "up"
        case Suspect():
            return "suspect"
        case Confirmed():
            return "confirmed"
        case Fenced():
            return "fenced"


def size_out(size: Resources) -> Size:
    return Size(vcpus=size.vcpu, memory_mib=size.memory)


def _expect(host: Host, expected: Generation | None) -> Host:
    if expected is not None and host.generation != expected:
        raise YuiError(
            "host-changed",
            en=f"Host {host.id} has changed since you read it (generation {host.generation}, not {expected}): read it again.",
            ja=f"ホスト {host.id} は読み取り後に変更されています(世代 {host.generation}、指定は {expected})。読み直してください。",
            status=412,
            fields={"host": host.id, "generation": host.generation},
        )
    return host


def _show(ledger: Ledger, hosts: Iterable[Host]) -> list[HostOut]:
    held, kept = used(ledger), reserve(ledger).by_host
    guaranteed = held_for_guarantees(ledger)
    servers = dict.fromkeys(ledger.hosts, 0)
    for workload in ledger.workloads.values():
        if not workload.holding:
            for host_id in workload.hosts:
                servers[host_id] += 1
    return [
        HostOut(
            id=host.id,
            region=host.region,
            site=host.site,
            health=health_name(host.health),
            health_since=host.health.since,
            duty=host.duty.value,
            standing=ledger.hosts[host.id].standing.value,
            capacity=size_out(host.capacity),
            used=size_out(held[host.id]),
            guaranteed=size_out(guaranteed[host.id]),
            reserved=size_out(kept.get(host.id, NOTHING)),
            servers=servers[host.id],
            zones=sorted(host.zones),
            storage=sorted(host.storage),
            traits=sorted(host.traits),
            domains=[str(domain) for domain in sorted(host.domains)],
            driver=host.endpoint.driver,
            fence=_fence_out(host.health),
            generation=host.generation,
        )
        for host in hosts
    ]


def _fence_out(health: HostHealth) -> FenceOut | None:
    if not isinstance(health, Fenced):
        return None
    evidence = health.evidence
    return FenceOut(
        kind=evidence.kind.value, at=evidence.at, by=evidence.by, detail=evidence.detail
    )
