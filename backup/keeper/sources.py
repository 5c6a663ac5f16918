"""Where the servers of a system can be read just now, and which of them have to wait for what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from control_plane.drivers.protocol import ServerSpec
from control_plane.model.backup.work import Trouble
from control_plane.model.container_group import ContainerGroup
from control_plane.model.host_health import Up
from control_plane.model.ids import HostId, ServerId, SiteId, StoragePoolId, SystemId
from control_plane.model.pool import Host
from control_plane.model.volume import Volume
from control_plane.model.workload import Moving, Placed, Power, Seen, Server, Shelved
from control_plane.reconcile.disks import Disks
from control_plane.reconcile.spec import Surroundings
from control_plane.store import Snapshot


@dataclass(frozen=True, slots=True)
class ReadableServer:
    """`host` reads its disks: where it runs, or any that reaches them where it runs nowhere."""

    server: Server
    host: Host
    spec: ServerSpec
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True)
class Readable:
    """All servers of a system; `waits` says for what some of them have to wait, and nothing is read
    then: a point holds all servers of its system, or is none. Of its container groups it holds those that
    run somewhere, and have volumes."""

    servers: tuple[ReadableServer, ...]
    waits: Trouble | None = None
    groups: tuple[ContainerGroup, ...] = ()

    @property
    def hosts(self) -> frozenset[HostId]:
        return frozenset(each.host.id for each in self.servers)

    @property
    def sites(self) -> frozenset[SiteId]:
        return frozenset(each.host.site for each in self.servers)


def readable(tx: Snapshot, system: SystemId) -> Readable:
    servers = [each for each in tx.servers(system=system) if not each.deleting]
    groups = tx.container_groups(system=system)
    if not servers and groups:
        return Readable((), groups=groups)
    if not servers:
        return Readable(
            (),
            Trouble(
                f"System {system} has no servers that could be backed up.",
                f"システム {system} にバックアップするサーバーがありません。",
            ),
        )
    surroundings = surroundings_of(tx, servers)
    hosts = {host.id: host for host in tx.hosts()}
    user_data = tx.user_data_of([server.id for server in servers])
    found = []
    for server in sorted(servers, key=lambda each: each.id):
        host, trouble = _host_of(server, hosts.values())
        if host is None:
            return Readable((), trouble)
        volumes = surroundings.disks.wanted(server.id)
        if server.leans_on is not None or any(each.leans_on is not None for each in volumes):
            return Readable(
                (), _waits(server, "its disks have been copied", "ディスクのコピーが終わるまで")
            )
        spec = surroundings.spec_of(server, user_data.get(server.id, ""))
        found.append(ReadableServer(server, host, spec, volumes))
    return Readable(tuple(found), groups=groups)


def may_be_read_on(tx: Snapshot, system: SystemId) -> Iterator[tuple[ServerId, Host]]:
    """Every host that answers and on which a server of the system may be read just now, whatever else is to
    become of it."""
    hosts = [host for host in tx.hosts() if isinstance(host.health, Up)]
    for server in tx.servers(system=system):
        match server.placement:
            case Placed(host=at):
                on = [host for host in hosts if host.id == at]
            case Moving(source=source, target=target):
                on = [host for host in hosts if host.id in (source, target)]
            case _:
                on = [host for host in hosts if server.storage in host.storage]
        for host in on:
            yield server.id, host


def still_the_same(before: Server, now: Server | None) -> bool:
    """Whether nothing was asked of it since that its reading would be in the way of."""
    return now is not None and (
        (before.placement, before.power, before.deleting, before.disk_build)
        == (now.placement, now.power, now.deleting, now.disk_build)
    )


def _host_of(server: Server, hosts: Iterable[Host]) -> tuple[Host | None, Trouble | None]:
    by_id = {host.id: host for host in hosts}
    match server.placement:
        case Placed(host=at):
            home = by_id[at]
            if not isinstance(home.health, Up):
                return None, _waits(server, "its host answers", "ホストが応答するまで")
            if not _settled(server):
                return None, _waits(
                    server, "it has been built or stopped", "作成または停止が終わるまで"
                )
            return home, None
        case Shelved():
            any_host = _any_that_reaches(by_id.values(), server.storage)
            if any_host is None:
                return None, _waits(
                    server, "a host reaches its disks", "ディスクに届くホストができるまで"
                )
            return any_host, None
        case _:
            return None, _waits(
                server, "it has arrived on a host", "ホストへの移動または再配置が終わるまで"
            )


def _settled(server: Server) -> bool:
    if server.power is Power.RUNNING:
        return server.seen is Seen.RUNNING and not server.restarting
    return server.seen in (Seen.STOPPED, Seen.NOWHERE)


def _any_that_reaches(hosts: Iterable[Host], storage: StoragePoolId) -> Host | None:
    well = [host for host in hosts if isinstance(host.health, Up) and storage in host.storage]
    return min(well, key=lambda host: host.id, default=None)


def _waits(server: Server, en: str, ja: str) -> Trouble:
    return Trouble(
        f"The backup waits until {en}: server {server.name} ({server.id}).",
        f"{ja}バックアップを待っています: サーバー {server.name}({server.id})。",
    )


def surroundings_of(tx: Snapshot, servers: Sequence[Server]) -> Surroundings:
    """All that their specifications refer to; servers of one member."""
    tenant = servers[0].tenant
    sites = {pool.id: site for site in tx.sites() for pool in site.storage_pools}
    networks = {(n.tenant, n.region, n.zone): n for n in tx.networks(tenant)}
    images = {image.id: image for image in tx.images()}
    return Surroundings(images, sites, networks, Disks.of(tx.volumes(tenant), ()))
