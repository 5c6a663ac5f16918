"""What members do with servers of their own: make, resize, rebuild, restart, protect, delete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.admission import Admitted, NewServer, Resized, admit, resize
from control_plane.admission.new_server import check_disk
from control_plane.admission.standing import cannot, need_placed
from control_plane.http.principal import Principal
from control_plane.journal.operations import draw, new_operation_id
from control_plane.journal.server_progress import (
    SERVER_CREATE,
    SERVER_DELETE,
    SERVER_REBOOT,
    SERVER_REBUILD,
    SERVER_RESIZE,
)
from control_plane.model.addressing import mac_of
from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, Generation, GroupId, ImageId, ServerId, SystemId
from control_plane.model.operation import Event, Operation, OperationState, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Flavor, Power, Server
from control_plane.store import Snapshot, Store, Transaction

Keep = Callable[[Transaction, Operation], None]
"""Called within the transaction of a change with the operation that tells of it."""


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """`count` servers of one kind; more than one are called `<name>-1`, `<name>-2` and so on. Servers
    of one system with the same `anti_affinity` never share a host."""

    name: str
    system: str
    flavor: FlavorId
    image: ImageId
    role: str
    start_order: int = 0
    anti_affinity: str | None = None
    user_data: str = ""
    protected: bool = False
    count: int = 1

    @property
    def names(self) -> list[str]:
        if self.count == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.count + 1)]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when."""

    who: Principal
    at: datetime

    @property
    def tenant(self) -> MunicipalityCode | None:
        return self.who.tenant

    def operation(self, kind: str, servers: Sequence[Server], **fields: object) -> Operation:
        first = servers[0]
        one = len(servers) == 1
        return Operation(
            id=new_operation_id(),
            kind=kind,
            subject=f"server:{first.id}" if one else f"system:{first.system}",
            tenant=first.tenant.text,
            state=OperationState.RUNNING,
            done=0,
            total=len(servers),
            created_at=self.at,
            updated_at=self.at,
            fields={"servers": [server.id for server in servers], **fields},
        )

    def tell(
        self,
        tx: Transaction,
        kind: str,
        server: Server,
        sentences: tuple[str, str],
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """The event and the audit entry of a change of one server; `kind` is the audit trail's word."""
        en, ja = sentences
        tx.add_event(
            Event(
                f"{kind}-asked",
                f"server:{server.id}",
                self.at,
                Severity.INFO,
                f"Server {server.name} {en}, {self.who.label} asks.",
                f"{self.who.label} さんの指示により、サーバー {server.name} {ja}。",
                tenant=server.tenant.text,
                fields=fields,
            )
        )
        tx.add_audit(
            self.who.did(kind, f"server:{server.id}", self.at, tenant=server.tenant, fields=fields)
        )


def create(
    store: Store,
    requests: Sequence[ServerRequest],
    asker: Asker,
    keep: Keep,
    *,
    draw: Callable[[int], str] = draw,
    dry_run: bool = False,
) -> Admitted[Operation]:
    """Admit all of them in one decision, or none.

    Raises `system-not-found`, `system-deleting`, `servers-of-several-regions`,
    `servers-of-several-members`, `server-name-twice`, `server-name-taken`, `flavor-not-found`,
    `image-not-found`, `image-larger-than-disk`, `quota-exceeded`, `no-room`, `addresses-exhausted`.
    """
    names = [name for request in requests for name in request.names]
    _refuse_twice(names)
    with store.read() as snapshot:
        systems = _systems(snapshot, requests, asker.tenant)
        ids = _fresh_ids(snapshot, names, draw)
    region = next(iter(systems.values())).region

    def prepare(tx: Transaction) -> list[NewServer]:
        taken = tx.server_names_taken(next(iter(systems.values())).tenant, names)
        if taken:
            raise _name_taken(sorted(taken)[0])
        return [
            _new_server(request, systems[request.system], name, ids[name])
            for request in requests
            for name in request.names
        ]

    def finish(tx: Transaction, servers: Sequence[Server]) -> Operation:
        operation = asker.operation(SERVER_CREATE, servers)
        tx.put_operation(operation)
        keep(tx, operation)
        _tell_of_new(tx, servers, asker, operation)
        return operation

    return admit(store, region, prepare, finish, dry_run=dry_run)


def _tell_of_new(
    tx: Transaction, servers: Sequence[Server], asker: Asker, operation: Operation
) -> None:
    """One event and one audit entry for all: it was one decision."""
    names = ", ".join(server.name for server in servers[:5])
    more = len(servers) - 5
    first, label = servers[0], asker.who.label
    tx.add_event(
        Event(
            "server.create-asked",
            operation.subject,
            asker.at,
            Severity.INFO,
            f"{len(servers)} servers are to be made ({names}{f' and {more} more' if more > 0 else ''}), {label} asks.",
            f"{label} さんの指示により、サーバー {len(servers)} 台({names}{f' ほか {more} 台' if more > 0 else ''})を作成します。",
            tenant=first.tenant.text,
        )
    )
    tx.add_audit(
        asker.who.did(
            "server.create",
            operation.subject,
            asker.at,
            tenant=first.tenant,
            fields={"servers": [server.id for server in servers]},
        )
    )


def delete(
    tx: Transaction, server: Server, asker: Asker, keep: Callable[[Operation], None]
) -> Operation:
    """Ask for the server and its root disk to be removed. One that is being removed already is left
    as it is. Raises `server-protected`."""
    if server.protected:
        raise cannot(
            server,
            "server-protected",
            "is protected against being deleted: take the protection off first",
            "は削除から保護されています。先に保護を解除してください",
        )
    operation = asker.operation(SERVER_DELETE, [server])
    tx.put_operation(operation)
    if not server.deleting:
        tx.save_server(replace(server, deleting=True))
    keep(operation)
    asker.tell(tx, "server.delete", server, ("is to be removed", "を削除します"))
    return operation


def protect(tx: Transaction, server: Server, asker: Asker, *, protected: bool) -> Server:
    """Raises `server-deleting`."""
    if server.protected is protected:
        return server
    if server.deleting:
        need_placed(server)
    saved = tx.save_server(replace(server, protected=protected))
    asker.tell(
        tx,
        "server.protect",
        server,
        ("is protected against being deleted", "を削除から保護します")
        if protected
        else ("may be deleted again", "の削除保護を解除します"),
        {"protected": protected},
    )
    return saved


def reboot(
    tx: Transaction,
    server: Server,
    asker: Asker,
    keep: Callable[[Operation], None],
    *,
    hard: bool,
) -> Operation:
    """Ask for it to be stopped and started again, `hard` without asking its guest. Raises
    `server-stopped`, `server-deleting`, `server-moving`, `server-stranded`."""
    need_placed(server)
    if server.power is Power.STOPPED:
        raise cannot(
            server,
            "server-stopped",
            "is stopped, so there is nothing to restart: start it",
            "は停止しているため、再起動できません。起動してください",
        )
    since = Generation(server.generation + 1)
    operation = asker.operation(SERVER_REBOOT, [server], generation=since)
    tx.put_operation(operation)
    tx.save_server(replace(server, boot_since=since, boot_hard=hard))
    keep(operation)
    asker.tell(
        tx, "server.reboot", server, ("is to be restarted", "を再起動します"), {"hard": hard}
    )
    return operation


def rebuild(
    tx: Transaction,
    server: Server,
    image: ImageId,
    asker: Asker,
    keep: Callable[[Operation], None],
) -> Operation:
    """Ask for a new root disk, made from an image: the old one and all that is on it goes. Id, name
    and address stay. A stopped server gets the new disk when it is started.

    Raises `image-not-found`, `image-larger-than-disk`, `server-deleting`, `server-moving`,
    `server-stranded`."""
    need_placed(server)
    check_disk(Flavor(server.flavor, server.size, server.disk), tx.image(image))
    since = Generation(server.generation + 1)
    operation = asker.operation(SERVER_REBUILD, [server], generation=since, image=image)
    tx.put_operation(operation)
    tx.save_server(
        replace(
            server,
            image=image,
            disk_build=server.disk_build + 1,
            boot_since=since,
            boot_hard=False,
        )
    )
    keep(operation)
    asker.tell(
        tx,
        "server.rebuild",
        server,
        (
            f"is to get a new disk from image {image}",
            f"のディスクをイメージ {image} から作り直します",
        ),
        {"image": image},
    )
    return operation


def change_size(
    store: Store,
    server: ServerId,
    flavor: FlavorId,
    asker: Asker,
    keep: Keep,
    *,
    expected: Callable[[Server], Server],
    dry_run: bool = False,
) -> Resized[Operation]:
    """Give it another flavor where it stands. Raises what `admission.resize` raises, and what
    `expected` says of the server as it is then."""

    def check(_: Transaction, standing: Server) -> None:
        expected(standing)

    def finish(tx: Transaction, before: Server, after: Server) -> Operation:
        operation = asker.operation(
            SERVER_RESIZE, [after], generation=after.sized_since, flavor=flavor
        )
        tx.put_operation(operation)
        keep(tx, operation)
        asker.tell(
            tx,
            "server.resize",
            after,
            (
                f"is to have flavor {flavor} instead of {before.flavor}",
                f"のフレーバーを {before.flavor} から {flavor} に変更します",
            ),
            {"from": before.flavor, "to": flavor},
        )
        return operation

    return resize(store, server, flavor, check, finish, dry_run=dry_run)


def _systems(
    tx: Snapshot, requests: Sequence[ServerRequest], tenant: MunicipalityCode | None
) -> dict[str, System]:
    systems = {name: tx.system(SystemId(name), tenant) for name in {r.system for r in requests}}
    regions = sorted({system.region for system in systems.values()})
    if len(regions) > 1:
        raise YuiError(
            "servers-of-several-regions",
            en=f"The systems of these servers are in the regions {' and '.join(regions)}: ask for each region's servers by themselves.",
            ja=f"指定されたサーバーのシステムは複数のリージョン({'・'.join(regions)})にあります。リージョンごとに分けて依頼してください。",
            fields={"regions": regions},
        )
    members = sorted({system.tenant.text for system in systems.values()})
    if len(members) > 1:
        raise YuiError(
            "servers-of-several-members",
            en=f"The systems of these servers belong to the members {' and '.join(members)}: ask for each member's servers by themselves.",
            ja=f"指定されたサーバーのシステムは複数の参加団体({'・'.join(members)})のものです。団体ごとに分けて依頼してください。",
            fields={"tenants": members},
        )
    return systems


def _new_server(request: ServerRequest, system: System, name: str, id: ServerId) -> NewServer:
    group = request.anti_affinity
    return NewServer(
        id=id,
        system=system.id,
        name=name,
        role=request.role,
        flavor=request.flavor,
        image=request.image,
        start_order=request.start_order,
        group=None if group is None else GroupId(f"{system.id}-{group}"),
        protected=request.protected,
        user_data=request.user_data,
    )


def _fresh_ids(
    tx: Snapshot, names: Sequence[str], draw: Callable[[int], str]
) -> dict[str, ServerId]:
    """An id for each, never used before, whose hardware address nobody has."""
    taken = {mac_of(id) for id in tx.server_ids()}
    ids: dict[str, ServerId] = {}
    for name in names:
        server_id = ServerId(f"{name}-{draw(8)}")
        while mac_of(server_id) in taken:
            server_id = ServerId(f"{name}-{draw(8)}")
        taken.add(mac_of(server_id))
        ids[name] = server_id
    return ids


def _refuse_twice(names: Sequence[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise YuiError(
                "server-name-twice",
                en=f"Two of these servers are called '{name}': give each a name of its own.",
                ja=f"「{name}」という名前のサーバーが重複しています。それぞれ別の名前にしてください。",
                fields={"name": name},
            )


def _name_taken(name: str) -> YuiError:
    return YuiError(
        "server-name-taken",
        en=f"A server is called '{name}' already: choose another name.",
        ja=f"「{name}」という名前のサーバーがすでにあります。別の名前にしてください。",
        status=409,
        fields={"name": name},
    )
