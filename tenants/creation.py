"""Members make servers of their own: all that are asked for at once, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from control_plane.admission import Admitted, NewServer, admit
from control_plane.journal.operations import draw
from control_plane.journal.server_progress import SERVER_CREATE
from control_plane.model.addressing import mac_of
from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import (
    FlavorId,
    ImageId,
    RegionId,
    SecurityGroupId,
    ServerId,
    SiteId,
    SystemId,
)
from control_plane.model.network import DEFAULT_GROUP
from control_plane.model.operation import Event, Operation, Severity
from control_plane.model.server_notes import ServerNotes
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Store, Transaction
from control_plane.store.rows import not_found
from tenants.asking import Asker, Keep
from tenants.keypairs.keypairs import key_for
from tenants.server_groups.groups import group_for
from tenants.systems import tell_added


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """`count` servers of one kind; more than one are called `<name>-1`, `<name>-2` and so on. Servers
    of one system with the same `anti_affinity` never share a host. `site` None means any of the region,
    no `security_groups` (ids of its member's) the default one."""

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
    keypair: str | None = None
    """By id or name, one of the member's."""
    server_group: str | None = None
    """By id or name, one of the member's: in place of `anti_affinity`, for servers of several systems."""
    site: SiteId | None = None
    security_groups: tuple[SecurityGroupId, ...] = ()
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        if self.count == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.count + 1)]


def create(
    store: Store,
    requests: Sequence[ServerRequest],
    asker: Asker,
    keep: Keep,
    *,
    draw: Callable[[int], str] = draw,
    founding: System | None = None,
    dry_run: bool = False,
) -> Admitted[Operation]:
    """Admit all of them in one decision, or none. `founding` is a system of the member's own that they
    may belong to and that is made with them where there is none of its id yet.

    Raises `system-not-found`, `system-deleting`, `servers-of-several-regions`,
    `servers-of-several-members`, `server-name-twice`, `server-name-taken`, `flavor-not-found`,
    `image-not-found`, `keypair-not-found`, `security-group-not-found`, `site-not-found`,
    `image-larger-than-disk`, `quota-exceeded`, `no-room`, `addresses-exhausted`.
    """
    names = [name for request in requests for name in request.names]
    _refuse_twice(names)
    with store.read() as snapshot:
        systems = _systems(snapshot, requests, asker.tenant, founding)
        ids = _fresh_ids(snapshot, names, draw)
    region = next(iter(systems.values())).region

    def prepare(tx: Transaction) -> list[NewServer]:
        taken = tx.server_names_taken(next(iter(systems.values())).tenant, names)
        if taken:
            raise name_taken(sorted(taken)[0])
        if founding is not None and not _stands(tx, founding):
            tx.add_system(founding)
        return [
            _new_server(tx, request, systems[request.system], name, ids[name])
            for request in requests
            for name in request.names
        ]

    def finish(tx: Transaction, servers: Sequence[Server]) -> Operation:
        operation = asker.operation(SERVER_CREATE, servers)
        tx.put_operation(operation)
        _write_down(tx, requests, servers, asker)
        keep(tx, operation)
        _tell_of_new(tx, servers, asker, operation)
        if founding is not None and len(tx.servers(system=founding.id)) == len(servers):
            tell_added(tx, founding, (founding.name, founding.name), servers, asker)
        return operation

    # Those that wait are decided together, as long as nothing but the servers is to be made.
    return admit(store, region, prepare, finish, dry_run=dry_run, together=founding is None)


def _stands(tx: Snapshot, system: System) -> bool:
    return system.id in {each.id for each in tx.systems(system.tenant)}


def _write_down(
    tx: Transaction, requests: Sequence[ServerRequest], servers: Sequence[Server], asker: Asker
) -> None:
    """What comes with them and isn't the servers themselves."""
    wanted = [request for request in requests for _ in request.names]
    tx.add_notes(
        {
            server.id: ServerNotes(
                asker.at, asker.who.user, request.description, request.labels, request.tags
            )
            for request, server in zip(wanted, servers, strict=True)
        }
    )
    for request, server in zip(wanted, servers, strict=True):
        if request.security_groups:
            groups = [tx.security_group(id, server.tenant) for id in request.security_groups]
            if [group.name for group in groups] != [DEFAULT_GROUP]:
                tx.set_groups_of(server.id, {group.id for group in groups})


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


def _systems(
    tx: Snapshot,
    requests: Sequence[ServerRequest],
    tenant: MunicipalityCode | None,
    founding: System | None,
) -> dict[str, System]:
    wanted = {request.system for request in requests}
    systems: dict[str, System] = {
        name: founding
        if founding is not None and name == founding.id and not _stands(tx, founding)
        else tx.system(SystemId(name), tenant)
        for name in wanted
    }
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


def _new_server(
    tx: Snapshot, request: ServerRequest, system: System, name: str, id: ServerId
) -> NewServer:
    apart = (request.anti_affinity, request.server_group)
    return NewServer(
        id=id,
        system=system.id,
        name=name,
        role=request.role,
        flavor=request.flavor,
        image=request.image,
        start_order=request.start_order,
        group=group_for(tx, system.tenant, system.id, *apart),
        protected=request.protected,
        user_data=request.user_data,
        sites=frozenset(() if request.site is None else (_site(tx, request.site, system.region),)),
        key=key_for(tx, request.keypair, system.tenant),
    )


def _site(tx: Snapshot, id: SiteId, region: RegionId) -> SiteId:
    """Raises `site-not-found`, for one of another region too."""
    if tx.site(id).region != region:
        raise not_found("site", id)
    return id


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


def name_taken(name: str) -> YuiError:
    return YuiError(
        "server-name-taken",
        en=f"A server is called '{name}' already: choose another name.",
        ja=f"「{name}」という名前のサーバーがすでにあります。別の名前にしてください。",
        status=409,
        fields={"name": name},
    )
