"""A municipality joins: everything that its chosen systems need is admitted at once, or nothing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.admission import NewServer, admit
from control_plane.http.principal import Principal
from control_plane.journal.operations import draw
from control_plane.journal.progress import MEMBER_JOIN
from control_plane.model.access import AuditEntry
from control_plane.model.addressing import mac_of
from control_plane.model.allotment import Capacity
from control_plane.model.blueprint import Blueprint, BlueprintServer, System
from control_plane.model.blueprint_set import Lack, lacks
from control_plane.model.errors import YuiError
from control_plane.model.ids import (
    BlueprintId,
    GroupId,
    HostId,
    OperationId,
    RegionId,
    ServerId,
    SystemId,
)
from control_plane.model.ledger import Ledger
from control_plane.model.membership import Membership
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.pool import FailureDomain, Region
from control_plane.model.tenant import MunicipalityCode, Tenant
from control_plane.model.workload import Server
from control_plane.placement import Plan
from control_plane.store import Snapshot, Store, Transaction
from tenants.asked import Asked, JoinRequest
from tenants.catalogue import Catalogue
from tenants.first_users import add_first_users, allotment_wanted
from tenants.letting_in import alone
from tenants.register import MemberRegister

JOIN = "member.join"
APPROVE = "member.approve"
"""What the audit trail calls it."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What was admitted, or would be in a dry run. `blueprints` are those of its systems, `refuges`
    those of the new servers; `lacks` warns of systems that others want and that were not chosen. The
    `plan` was made on `ledger`."""

    tenant: Tenant
    region: RegionId
    blueprints: Mapping[SystemId, BlueprintId]
    servers: tuple[Server, ...]
    lacks: tuple[Lack, ...]
    refuges: Mapping[tuple[FailureDomain, ServerId], HostId]
    operation: Operation
    plan: Plan | None
    ledger: Ledger


Kept = Callable[[Transaction, Operation], None]

LetIn = Callable[[Transaction, Asked], Membership]
"""The approved membership that is to be written, asked for before and after planning. It may refuse."""


def _keep_nothing(_: Transaction, __: Operation) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Onboarding:
    """`draw` gives that many random characters of a–z and 2–7; stories with a fixed outcome give
    their own."""

    store: Store
    catalogue: Catalogue
    register: MemberRegister
    draw: Callable[[int], str] = draw

    def join(
        self,
        request: JoinRequest,
        who: Principal,
        at: datetime,
        *,
        dry_run: bool = False,
        keep: Kept = _keep_nothing,
        let_in: LetIn | None = None,
    ) -> Joined:
        """Admit the member with all servers of its blueprints in one transaction: tenant, systems,
        servers with addresses, refuges, its guarantee and quota, operation, audit entry and event. `keep` is called within
        it; in a dry run everything is undone. Without `let_in` whoever asks lets it in alone.

        Raises `municipality-code-malformed`, `municipality-code-check-digit`,
        `municipality-unknown`, `prefecture-wrong`, `blueprint-not-found`, `blueprint-twice`,
        `container-groups-not-runnable`,
        `region-not-found`, `no-region-serves`, `region-does-not-serve`, `tenant-exists`,
        `flavor-not-found`, `image-not-found`, `image-larger-than-disk`, `no-room`,
        `addresses-exhausted`, `quota-below-needs`, `user-exists`.
        """
        asked = self.understand(request)
        tenant, region, blueprints = asked.tenant, asked.region, asked.blueprints
        approve = let_in or alone(who, at)
        operation_id = OperationId(f"op-{self.draw(16)}")

        def prepare(tx: Transaction) -> Sequence[NewServer]:
            approve(tx, asked)
            tx.add_tenant(tenant)
            taken = {mac_of(id) for id in tx.server_ids()}
            wanted: list[NewServer] = []
            for blueprint in blueprints:
                wanted += self.add_system(tx, tenant, region, blueprint, at, taken=taken)
            return wanted

        def finish(tx: Transaction, servers: Sequence[Server]) -> Operation:
            operation = _operation(operation_id, tenant, servers, at)
            tx.put_operation(operation)
            tx.put_membership(replace(approve(tx, asked), operation=operation.id))
            wanted = asked.wanted
            tx.put_allotment(allotment_wanted(tenant.code, region, _needed(servers), wanted.quota))
            add_first_users(tx, tenant.code, wanted.admins, who, at)
            keep(tx, operation)
            tx.add_event(_event(tenant, blueprints, len(servers), at))
            action = JOIN if let_in is None else APPROVE
            tx.add_audit(_audit(who, tenant, region, blueprints, at, action=action))
            return operation

        admitted = admit(self.store, region, prepare, finish, dry_run=dry_run)
        new = {server.id for server in admitted.servers}
        return Joined(
            tenant,
            region,
            {system_of(tenant, region, b, at).id: b.id for b in blueprints},
            admitted.servers,
            lacks(blueprints),
            {
                key: host
                for key, host in admitted.refuges.items()
                if key[1] in new and host is not None
            },
            admitted.result,
            admitted.plan,
            admitted.ledger,
        )

    def understand(self, request: JoinRequest) -> Asked:
        """Raises what is wrong with the request, whatever room there is: see `join`."""
        tenant = self.register.tenant(
            MunicipalityCode(request.code),
            name=request.name,
            kana=request.kana,
            prefecture=request.prefecture,
            population=request.population,
        )
        blueprints = self.blueprints(request.blueprints, request.versions)
        with self.store.read() as tx:
            region = region_for(tx, tenant, request.region)
        return Asked(tenant, region, blueprints, request.own_site, request.wanted)

    def add_system(
        self,
        tx: Transaction,
        tenant: Tenant,
        region: RegionId,
        blueprint: Blueprint,
        at: datetime,
        *,
        taken: set[str],
    ) -> list[NewServer]:
        """Add the member's system, and answer the servers that it needs. `taken` are the hardware
        addresses that are in use; those of the new servers come to them. Raises `system-exists`,
        `image-not-found`."""
        system = system_of(tenant, region, blueprint, at)
        tx.add_system(system)
        return [self._new_server(tx, tenant, system, server, taken) for server in blueprint.servers]

    def blueprints(
        self, names: Sequence[BlueprintId], versions: Sequence[int] = ()
    ) -> tuple[Blueprint, ...]:
        """The newest without `versions`. Raises `blueprint-not-found`, `blueprint-twice`, `container-groups-not-runnable`."""
        for position, name in enumerate(names):
            if name in names[:position]:
                raise YuiError(
                    "blueprint-twice",
                    en=f"Blueprint {name} is asked for twice: a member runs each system once.",
                    ja=f"ブループリント {name} が二度指定されています。システムは団体ごとに1つです。",
                    fields={"blueprint": name},
                )
        wanted = versions or (None,) * len(names)
        found = tuple(self.catalogue.blueprint(*each) for each in zip(names, wanted, strict=True))
        for blueprint in found:
            _need_servers_alone(blueprint)
        return found

    def _new_server(
        self,
        tx: Transaction,
        tenant: Tenant,
        system: System,
        server: BlueprintServer,
        taken: set[str],
    ) -> NewServer:
        flavor = server.flavors[tenant.band]
        _need_parts(tx, system, server)
        name = f"{system.id}-{server.role}"
        # An id is never used again, not even by a member that left and came back: a disk or a
        # recovery point of the old server must not be taken for one of the new.
        server_id = _fresh(name, self.draw, taken)
        group = server.anti_affinity
        return NewServer(
            id=server_id,
            system=system.id,
            name=name,
            role=server.role,
            flavor=flavor,
            image=server.image,
            start_order=server.start_order,
            group=None if group is None else GroupId(f"{system.id}-{group}"),
            traits=server.traits,
        )


def _need_servers_alone(blueprint: Blueprint) -> None:
    """Raises `container-groups-not-runnable`."""
    if not blueprint.container_groups:
        return
    roles = ", ".join(group.role for group in blueprint.container_groups)
    raise YuiError(
        "container-groups-not-runnable",
        en=f"Blueprint {blueprint.id} runs {roles} as container groups, which can be declared but not run yet: choose one that has servers alone.",
        ja=f"ブループリント {blueprint.id} の {roles} はコンテナグループです。定義はできますが、まだ動かせません。サーバーだけのものを選んでください。",
        fields={"blueprint": blueprint.id, "roles": roles.split(", ")},
    )


def _fresh(name: str, draw: Callable[[int], str], taken: set[str]) -> ServerId:
    """An id whose hardware address nobody has; adds the address to `taken`."""
    for _ in range(100):
        server_id = ServerId(f"{name}-{draw(8)}")
        if mac_of(server_id) not in taken:
            taken.add(mac_of(server_id))
            return server_id
    raise ValueError(f"no fresh id for {name}: what is drawn does not change")


def _need_parts(tx: Transaction, system: System, server: BlueprintServer) -> None:
    """Raises `image-not-found`: a blueprint speaks of an image that nobody has added yet."""
    if server.image not in {image.id for image in tx.images(system.tenant)}:
        raise YuiError(
            "image-not-found",
            en=f"Blueprint {system.blueprint} needs the image '{server.image}', which the catalogue of images lacks: add it, then join again.",
            ja=f"ブループリント {system.blueprint} に必要なイメージ「{server.image}」が登録されていません。イメージを追加してから再度実行してください。",
            fields={"blueprint": system.blueprint, "image": server.image},
        )


def region_for(tx: Snapshot, tenant: Tenant, asked: RegionId | None) -> RegionId:
    if asked is None:
        serving = [r for r in tx.regions() if tenant.prefecture in r.prefectures]
        if not serving:
            raise YuiError(
                "no-region-serves",
                en=f"No region serves {tenant.prefecture}: add the prefecture to a region of the pool.",
                ja=f"{tenant.prefecture}を担当するリージョンがありません。プール定義のリージョンに追加してください。",
                fields={"prefecture": tenant.prefecture},
            )
        return serving[0].id
    region = tx.region(asked)
    if region.prefectures and tenant.prefecture not in region.prefectures:
        raise _does_not_serve(region, tenant)
    return region.id


def _does_not_serve(region: Region, tenant: Tenant) -> YuiError:
    served = sorted(region.prefectures)
    return YuiError(
        "region-does-not-serve",
        en=f"Region {region.id} serves {', '.join(served)} and not {tenant.prefecture}: choose another region, or leave it out.",
        ja=f"リージョン {region.id} の担当は{'・'.join(served)}で、{tenant.prefecture}は含まれません。別のリージョンを選ぶか、省略してください。",
        fields={"region": region.id, "prefecture": tenant.prefecture, "served": served},
    )


def system_of(tenant: Tenant, region: RegionId, blueprint: Blueprint, at: datetime) -> System:
    return System(
        id=SystemId(f"m{tenant.code}-{blueprint.id}"),
        tenant=tenant.code,
        region=region,
        blueprint=blueprint.id,
        blueprint_version=blueprint.version,
        tier=blueprint.tier,
        zone=blueprint.zone,
        created_at=at,
    )


def _needed(servers: Sequence[Server]) -> Capacity:
    return sum((Capacity.of(s.size, s.disk) for s in servers), Capacity())


def _operation(
    operation_id: OperationId, tenant: Tenant, servers: Sequence[Server], at: datetime
) -> Operation:
    return Operation(
        id=operation_id,
        kind=MEMBER_JOIN,
        subject=f"member:{tenant.code}",
        tenant=tenant.code.text,
        state=OperationState.RUNNING,
        done=0,
        total=len(servers),
        created_at=at,
        updated_at=at,
        fields={"servers": [server.id for server in servers]},
    )


def _event(tenant: Tenant, blueprints: Sequence[Blueprint], count: int, at: datetime) -> Event:
    return Event(
        "member.joined",
        f"member:{tenant.code}",
        at,
        Severity.INFO,
        f"{tenant.name} ({tenant.code}) joins with {', '.join(b.name_en for b in blueprints)}: {count} servers.",
        f"{tenant.name}({tenant.code})が{'・'.join(b.name_ja for b in blueprints)}(サーバー {count} 台)で参加しました。",
        tenant=tenant.code.text,
        fields={"blueprints": [b.id for b in blueprints], "servers": count},
    )


def _audit(
    who: Principal,
    tenant: Tenant,
    region: RegionId,
    blueprints: Sequence[Blueprint],
    at: datetime,
    *,
    action: str,
) -> AuditEntry:
    return who.did(
        action,
        f"member:{tenant.code}",
        at,
        tenant=tenant.code,
        fields={
            "region": region,
            "blueprints": [f"{b.id} v{b.version}" for b in blueprints],
        },
    )
