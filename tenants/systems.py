"""Systems of members that exist: added from the catalogue or as their own, and removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from control_plane.admission import Admitted, NewServer, admit
from control_plane.journal.operations import new_operation_id
from control_plane.journal.server_progress import SYSTEM_ADD, SYSTEM_DELETE
from control_plane.model.addressing import mac_of
from control_plane.model.blueprint import OWN, Blueprint, System
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, RegionId, SystemId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.pool import Zone
from control_plane.model.tenant import Tenant
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker, Keep
from tenants.onboarding import Onboarding, region_for, system_of


@dataclass(frozen=True, slots=True)
class OwnSystem:
    """A system that no blueprint describes; `tier` is 1 at least."""

    name: str
    tier: int
    zone: Zone


@dataclass(frozen=True, slots=True)
class SystemRequest:
    """`tenant` None means the asker's own member, `region` None the one that serves it."""

    what: BlueprintId | OwnSystem
    tenant: str | None = None
    region: RegionId | None = None


def add(
    onboarding: Onboarding,
    request: SystemRequest,
    asker: Asker,
    keep: Keep,
    *,
    dry_run: bool = False,
) -> tuple[System, Admitted[Operation]]:
    """Add the system with every server that it needs, or nothing.

    Raises `tenant-missing`, `tenant-not-found`, `blueprint-not-found`,
    `container-groups-not-runnable`, `system-exists`, `region-not-found`, `no-region-serves`,
    `region-does-not-serve`, and what admitting its servers raises.
    """
    with onboarding.store.read() as snapshot:
        tenant = _member(snapshot, request, asker)
        region = region_for(snapshot, tenant, request.region)
    match request.what:
        case OwnSystem() as own:
            system = own_system(tenant, region, own, asker)
            blueprint = None
        case name:
            (blueprint,) = onboarding.blueprints([name])
            system = system_of(tenant, region, blueprint, asker.at)

    def prepare(tx: Transaction) -> list[NewServer]:
        if blueprint is None:
            tx.add_system(system)
            return []
        taken = {mac_of(id) for id in tx.server_ids()}
        return onboarding.add_system(tx, tenant, region, blueprint, asker.at, taken=taken)

    def finish(tx: Transaction, servers: Sequence[Server]) -> Operation:
        operation = _operation(SYSTEM_ADD, system, servers, len(servers), asker)
        tx.put_operation(operation)
        keep(tx, operation)
        tell_added(tx, system, _called(system, blueprint), servers, asker)
        return operation

    return system, admit(onboarding.store, region, prepare, finish, dry_run=dry_run)


def own_system(tenant: Tenant, region: RegionId, own: OwnSystem, asker: Asker) -> System:
    """What `add` makes of it."""
    return System(
        id=SystemId(f"m{tenant.code}-own-{own.name}"),
        tenant=tenant.code,
        region=region,
        blueprint=OWN,
        blueprint_version=0,
        tier=own.tier,
        zone=own.zone,
        created_at=asker.at,
        name=own.name,
    )


def tell_added(
    tx: Transaction,
    system: System,
    called: tuple[str, str],
    servers: Sequence[Server],
    asker: Asker,
) -> None:
    """The event and the audit entry; `called` is its name in English and in Japanese."""
    en, ja = called
    tx.add_event(
        _event(
            "system.added",
            system,
            asker,
            f"System {en} is added with {len(servers)} servers, {asker.who.label} asks.",
            f"{asker.who.label} さんの指示により、システム {ja}(サーバー {len(servers)} 台)を追加しました。",
        )
    )
    tx.add_audit(
        asker.who.did(
            "system.add",
            f"system:{system.id}",
            asker.at,
            tenant=system.tenant,
            fields={"servers": [server.id for server in servers]},
        )
    )


def delete(
    tx: Transaction, system: System, asker: Asker, keep: Callable[[Operation], None]
) -> tuple[Operation, tuple[Server, ...]]:
    """Ask for the system to be removed with all its servers. Raises `system-protected` where one of
    them is protected."""
    servers = tx.servers(system=system.id)
    protected = [server.name for server in servers if server.protected]
    if protected:
        raise YuiError(
            "system-protected",
            en=f"Servers of system '{system.id}' are protected against being deleted ({', '.join(protected[:5])}): take the protection off first.",
            ja=f"システム「{system.id}」には削除から保護されたサーバー({'、'.join(protected[:5])})があります。先に保護を解除してください。",
            status=409,
            fields={"system": system.id, "servers": protected},
        )
    operation = _operation(SYSTEM_DELETE, system, servers, len(servers) + 1, asker)
    tx.put_operation(operation)
    tx.begin_removing_system(system.id)
    for server in servers:
        if not server.deleting:
            tx.save_server(replace(server, deleting=True))
    tx.remove_emptied_system(system.id)
    keep(operation)
    tx.add_event(
        _event(
            "system.delete-asked",
            system,
            asker,
            f"System {system.id} is to be removed with {len(servers)} servers, {asker.who.label} asks.",
            f"{asker.who.label} さんの指示により、システム {system.id} をサーバー {len(servers)} 台とともに削除します。",
        )
    )
    tx.add_audit(
        asker.who.did("system.delete", f"system:{system.id}", asker.at, tenant=system.tenant)
    )
    return operation, servers


def _member(tx: Snapshot, request: SystemRequest, asker: Asker) -> Tenant:
    own = None if asker.tenant is None else asker.tenant.text
    code = own if request.tenant is None else request.tenant
    if code is None:
        raise YuiError(
            "tenant-missing",
            en="It is not said which member the system is for: give its municipality code as 'tenant'.",
            ja="どの参加団体のシステムかが指定されていません。tenant に団体コードを指定してください。",
        )
    if own not in (None, code):
        # As if that member did not exist.
        return tx.tenant("")
    return tx.tenant(code)


def _called(system: System, blueprint: Blueprint | None) -> tuple[str, str]:
    if blueprint is None:
        return system.name, system.name
    return blueprint.name_en, blueprint.name_ja


def _operation(
    kind: str, system: System, servers: Sequence[Server], total: int, asker: Asker
) -> Operation:
    return Operation(
        id=new_operation_id(),
        kind=kind,
        subject=f"system:{system.id}",
        tenant=system.tenant.text,
        state=OperationState.RUNNING,
        done=0,
        total=total,
        created_at=asker.at,
        updated_at=asker.at,
        fields={"system": system.id, "servers": [server.id for server in servers]},
    )


def _event(kind: str, system: System, asker: Asker, en: str, ja: str) -> Event:
    subject = f"system:{system.id}"
    return Event(kind, subject, asker.at, Severity.INFO, en, ja, tenant=system.tenant.text)
