"""Where a new volume goes, how large it is, and what it is filled from."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, SiteId, StoragePoolId, VolumeId
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.model.volume import ServerSnapshot, SnapshotSource
from control_plane.model.workload import Server
from control_plane.store import Snapshot, not_found
from tenants.asking import Asker
from tenants.servers import find_server
from tenants.volumes.asking import find_snapshot, refuse


@dataclass(frozen=True, slots=True)
class VolumeRequest:
    """`server`: attach it there once it is made; it is made on that server's storage. `beside`: on that
    server's storage, and no more. `snapshot` with `of` (a volume of it by id; None is the root disk) fills
    it; without it is empty. `size` None is the size of that disk."""

    name: str
    size: GiB | None = None
    server: str | None = None
    region: RegionId | None = None
    snapshot: str | None = None
    of: VolumeId | None = None
    protected: bool = False
    site: SiteId | None = None
    beside: str | None = None
    description: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """`pool` None: whichever has most room, of those of `among` where that is said."""

    tenant: MunicipalityCode
    region: RegionId
    size: GiB
    pool: StoragePoolId | None
    server: Server | None
    source: SnapshotSource | None
    among: frozenset[StoragePoolId] | None = None


def place_of(tx: Snapshot, request: VolumeRequest, asker: Asker) -> Place:
    """Raises what `create` says of places."""
    server = None if request.server is None else find_server(tx, request.server, asker.tenant)
    copied = None if request.snapshot is None else find_snapshot(tx, request.snapshot, asker.tenant)
    size, source = _size(request, copied)
    if server is not None and copied is not None and server.storage != copied.storage:
        raise refuse(
            copied,
            "volume-elsewhere",
            f"is on other storage than server '{server.name}': leave the server out",
            f"はサーバー「{server.name}」とは別のストレージにあります。サーバーの指定を省いてください",
        )
    if server is not None:
        region = tx.region_of(server.id)
        return Place(server.tenant, region, size, server.storage, server, source)
    if copied is not None:
        return Place(copied.tenant, copied.region, size, copied.storage, None, source)
    if asker.tenant is None:
        raise YuiError(
            "server-missing",
            en="It is not said whose the volume is to be: name one of the member's servers.",
            ja="どの参加団体のボリュームかが指定されていません。その団体のサーバーを指定してください。",
        )
    tenant = asker.tenant
    if request.beside is not None:
        near = find_server(tx, request.beside, tenant)
        return Place(tenant, tx.region_of(near.id), size, near.storage, None, source)
    region = _region(tx, request.region, tenant)
    among = None if request.site is None else _pools_of(tx, request.site, region)
    usual = _usual_pool(tx, tenant, region)
    pool = usual if among is None or usual in among else None
    return Place(tenant, region, size, pool, None, source, among)


def _pools_of(tx: Snapshot, site: SiteId, region: RegionId) -> frozenset[StoragePoolId]:
    """Raises `site-not-found`."""
    for each in tx.sites(region):
        if each.id == site:
            return frozenset(pool.id for pool in each.storage_pools)
    raise not_found("site", site)


def _usual_pool(tx: Snapshot, tenant: MunicipalityCode, region: RegionId) -> StoragePoolId | None:
    """Where all of the member's servers in the region have their disks, and so where any of them could
    have the volume."""
    pools = {server.storage for server in tx.servers(tenant, region=region)}
    return pools.pop() if len(pools) == 1 else None


def _size(
    request: VolumeRequest, copied: ServerSnapshot | None
) -> tuple[GiB, SnapshotSource | None]:
    if copied is None:
        if request.size is None:
            raise YuiError(
                "volume-size-missing",
                en="A volume needs a size: say how many GiB, or name a snapshot to fill it from.",
                ja="ボリュームのサイズ(GiB)を指定するか、元にするスナップショットを指定してください。",
            )
        return request.size, None
    if copied.taken_at is None or copied.deleting or copied.restoring:
        raise refuse(
            copied,
            "snapshot-not-ready",
            "is not ready to be used: wait until it is available",
            "はまだ利用できません。利用可能になるまでお待ちください",
        )
    disk = copied.disk(request.of)
    if disk is None:
        raise refuse(
            copied,
            "snapshot-disk-unknown",
            f"has no disk of volume '{request.of}'",
            f"には、ボリューム「{request.of}」のディスクがありません",
        )
    size = disk.size if request.size is None else request.size
    if size < disk.size:
        raise YuiError(
            "volume-too-small",
            en=f"A volume of {size} GiB can't hold a disk of {disk.size} GiB: ask for {disk.size} GiB at least.",
            ja=f"{size} GiB のボリュームには {disk.size} GiB のディスクが入りません。{disk.size} GiB 以上を指定してください。",
            fields={"size_gib": size, "disk_gib": disk.size},
        )
    return size, SnapshotSource(copied.id, request.of)


def _region(tx: Snapshot, named: RegionId | None, tenant: MunicipalityCode) -> RegionId:
    """The one named, or the only one that the member has systems in. Raises `region-not-found`,
    `region-unclear`."""
    own = sorted({system.region for system in tx.systems(tenant)})
    if named is not None:
        return tx.region(named).id
    if len(own) != 1:
        raise YuiError(
            "region-unclear",
            en="It is not clear where the volume is to be: name a server or a region.",
            ja="ボリュームを作成する場所が決まりません。サーバーまたはリージョンを指定してください。",
            fields={"regions": own},
        )
    return own[0]
