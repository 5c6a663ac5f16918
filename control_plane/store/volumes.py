"""Volumes and snapshots: what was asked for, guarded by a generation each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    union_all,
    update,
)
from sqlalchemy.engine import Row

from control_plane.model.backing import Backing
from control_plane.model.ids import (
    Generation,
    ImageId,
    RegionId,
    ServerId,
    SnapshotId,
    StoragePoolId,
    VolumeId,
)
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.model.volume import (
    Attached,
    Attachment,
    Detaching,
    ServerSnapshot,
    SnapshotDisk,
    SnapshotSource,
    Unattached,
    Volume,
)
from control_plane.store import tables
from control_plane.store.failures import LostRace
from control_plane.store.regions import RegionWrites
from control_plane.store.rows import Rows, TenantName, not_found
from control_plane.store.statements import chosen
from control_plane.store.volume_tables import server_snapshots, volumes

_VOLUMES = select(volumes).order_by(volumes.c.id)
_SNAPSHOTS = select(server_snapshots).order_by(server_snapshots.c.id)
_UNFINISHED = (
    select(server_snapshots)
    .where(
        server_snapshots.c.taken_at.is_(None)
        | server_snapshots.c.restoring
        | server_snapshots.c.deleting
    )
    .order_by(server_snapshots.c.created_at, server_snapshots.c.id)
)


class VolumeReads(Rows):
    def volumes(
        self,
        tenant: TenantName | None = None,
        server: ServerId | None = None,
        *,
        region: RegionId | None = None,
        after: VolumeId | None = None,
        limit: int | None = None,
    ) -> tuple[Volume, ...]:
        """By id, beginning behind `after`; those of a server also while they are being detached."""
        query, values = chosen(
            _VOLUMES,
            _given(volumes, tenant, server) | {volumes.c.region_id: region},
            behind=(volumes.c.id, after),
            most=limit,
        )
        codes: dict[str, MunicipalityCode] = {}
        return tuple(_volume(row, codes) for row in self._connection.execute(query, values))

    def volume(self, id: VolumeId, tenant: TenantName | None = None) -> Volume:
        """With `tenant`, another member's is not found."""
        query = select(volumes).where(volumes.c.id == id)
        if tenant is not None:
            query = query.where(volumes.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("volume", id)
        return _volume(row, {})

    def volumes_named(self, name: str, tenant: TenantName | None) -> tuple[Volume, ...]:
        query = select(volumes).where(volumes.c.name == name)
        if tenant is not None:
            query = query.where(volumes.c.tenant == str(tenant))
        return tuple(_volume(row, {}) for row in self._connection.execute(query))

    def server_snapshots(
        self,
        tenant: TenantName | None = None,
        server: ServerId | None = None,
        *,
        after: SnapshotId | None = None,
        limit: int | None = None,
    ) -> tuple[ServerSnapshot, ...]:
        """By id, beginning behind `after`."""
        query, values = chosen(
            _SNAPSHOTS,
            _given(server_snapshots, tenant, server),
            behind=(server_snapshots.c.id, after),
            most=limit,
        )
        codes: dict[str, MunicipalityCode] = {}
        return tuple(_snapshot(row, codes) for row in self._connection.execute(query, values))

    def server_snapshots_named(
        self, name: str, tenant: TenantName | None
    ) -> tuple[ServerSnapshot, ...]:
        query = select(server_snapshots).where(server_snapshots.c.name == name)
        if tenant is not None:
            query = query.where(server_snapshots.c.tenant == str(tenant))
        return tuple(_snapshot(row, {}) for row in self._connection.execute(query))

    def unfinished_snapshots(self) -> tuple[ServerSnapshot, ...]:
        """Those to be taken, restored or removed, oldest first."""
        return tuple(_snapshot(row, {}) for row in self._connection.execute(_UNFINISHED))

    def server_snapshot(self, id: SnapshotId, tenant: TenantName | None = None) -> ServerSnapshot:
        query = select(server_snapshots).where(server_snapshots.c.id == id)
        if tenant is not None:
            query = query.where(server_snapshots.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("snapshot", id)
        return _snapshot(row, {})

    def disk_usage(self, tenant: TenantName | None = None) -> dict[tuple[str, RegionId], GiB]:
        """What volumes and snapshots take, by member and region, each once."""
        found = self._sizes("region_id", "tenant", None if tenant is None else str(tenant))
        return {(code, RegionId(region)): size for (region, code), size in found.items()}

    def disks_on_pools(self, region: RegionId) -> dict[tuple[StoragePoolId, str], GiB]:
        """What volumes and snapshots take of each storage pool, by member."""
        found = self._sizes("storage_id", "region_id", region)
        return {(StoragePoolId(pool), code): size for (pool, code), size in found.items()}

    def _sizes(self, by: str, only: str, value: str | None) -> dict[tuple[str, str], GiB]:
        """The sums of sizes in one statement; where there is a value, of those whose `only` is that."""
        if value is None:
            found = self._connection.execute(_sums(by, None))
        else:
            found = self._connection.execute(_sums(by, only), {"only": value})
        return {(place, code): GiB(int(size)) for place, code, size in found}


class VolumeWrites(VolumeReads, RegionWrites):
    def add_volume(self, volume: Volume) -> Volume:
        """Raises the generation of its storage pool. Raises `tenant-not-found`,
        `storage-pool-not-found`."""
        self._need("tenant", tables.tenants, volume.tenant)
        self._mark_storage(volume.storage)
        self._connection.execute(
            insert(volumes).values(
                id=volume.id,
                tenant=volume.tenant.text,
                region_id=volume.region,
                created_at=volume.created_at,
                **_volume_values(volume),
            )
        )
        return volume

    def save_volume(self, volume: Volume) -> Volume:
        """Write all of it and answer it with the next generation. Raises LostRace when it has moved on
        since it was read."""
        saved = replace(volume, generation=Generation(volume.generation + 1))
        written = self._connection.execute(
            update(volumes)
            .where(volumes.c.id == volume.id, volumes.c.generation == volume.generation)
            .values(_volume_values(saved))
        )
        if written.rowcount == 0:
            raise LostRace(f"volume {volume.id}")
        return saved

    def note_plugged(self, plugged: Mapping[VolumeId, bool]) -> None:
        """What hypervisors were last seen to have; changes no generation, and passes over volumes that
        are gone."""
        if plugged:
            self._connection.execute(
                update(volumes)
                .where(volumes.c.id == bindparam("of"))
                .values(plugged=bindparam("now")),
                [{"of": id, "now": now} for id, now in sorted(plugged.items())],
            )

    def remove_volume(self, id: VolumeId) -> None:
        self._connection.execute(delete(volumes).where(volumes.c.id == id))

    def release_volumes_of(self, server: ServerId) -> tuple[Volume, ...]:
        """All of them are free: called once the server is gone from its host. Answers them."""
        held = self.volumes(server=server)
        for volume in held:
            self.save_volume(replace(volume, attachment=Unattached(), plugged=False))
        return held

    def add_server_snapshot(self, snapshot: ServerSnapshot) -> ServerSnapshot:
        """Raises the generation of its storage pool."""
        self._need("tenant", tables.tenants, snapshot.tenant)
        self._mark_storage(snapshot.storage)
        self._connection.execute(
            insert(server_snapshots).values(
                id=snapshot.id,
                tenant=snapshot.tenant.text,
                region_id=snapshot.region,
                server_id=snapshot.server,
                server_name=snapshot.server_name,
                image_id=snapshot.image,
                storage_id=snapshot.storage,
                created_at=snapshot.created_at,
                **_snapshot_values(snapshot),
            )
        )
        return snapshot

    def save_server_snapshot(self, snapshot: ServerSnapshot) -> ServerSnapshot:
        """As `save_volume`."""
        saved = replace(snapshot, generation=Generation(snapshot.generation + 1))
        written = self._connection.execute(
            update(server_snapshots)
            .where(
                server_snapshots.c.id == snapshot.id,
                server_snapshots.c.generation == snapshot.generation,
            )
            .values(_snapshot_values(saved))
        )
        if written.rowcount == 0:
            raise LostRace(f"snapshot {snapshot.id}")
        return saved

    def remove_server_snapshot(self, id: SnapshotId) -> None:
        self._connection.execute(delete(server_snapshots).where(server_snapshots.c.id == id))


# Made once: a ledger is read at each decision.
@cache
def _sums(by: str, only: str | None) -> Select[Any]:
    parts = []
    for table in (volumes, server_snapshots):
        part = select(table.c[by].label("place"), table.c.tenant, table.c.size_gib)
        parts.append(part if only is None else part.where(table.c[only] == bindparam("only")))
    every = union_all(*parts).subquery()
    return select(every.c.place, every.c.tenant, func.sum(every.c.size_gib)).group_by(
        every.c.place, every.c.tenant
    )


def _given(
    table: Table, tenant: TenantName | None, server: ServerId | None
) -> dict[ColumnElement[Any], object | None]:
    member = None if tenant is None else str(tenant)
    return {table.c.tenant: member, table.c.server_id: server}


def _volume_values(volume: Volume) -> dict[str, Any]:
    at, source = volume.attachment, volume.source
    return {
        "name": volume.name,
        "size_gib": volume.size,
        "storage_id": volume.storage,
        "server_id": volume.server,
        "device_order": None if isinstance(at, Unattached) else at.order,
        "detaching": isinstance(at, Detaching),
        "source_snapshot_id": None if source is None else source.snapshot,
        "source_volume_id": None if source is None else source.volume,
        "made": volume.made,
        "growing": volume.growing,
        "build": volume.build,
        "backing": None if volume.backing is None else volume.backing.text,
        "plugged": volume.plugged,
        "protected": volume.protected,
        "deleting": volume.deleting,
        "trouble": volume.trouble,
        "generation": volume.generation,
        "description": volume.description or None,
        "labels": dict(volume.labels) or None,
    }


def _volume(row: Row[Any], codes: dict[str, MunicipalityCode]) -> Volume:
    source = None
    if row.source_snapshot_id is not None:
        of = row.source_volume_id
        source = SnapshotSource(
            SnapshotId(row.source_snapshot_id), None if of is None else VolumeId(of)
        )
    return Volume(
        id=VolumeId(row.id),
        tenant=_code(row.tenant, codes),
        region=RegionId(row.region_id),
        name=row.name,
        size=GiB(row.size_gib),
        storage=StoragePoolId(row.storage_id),
        created_at=row.created_at,
        attachment=_attachment(row),
        source=source,
        made=row.made,
        growing=row.growing,
        build=row.build,
        backing=Backing.parse(row.backing),
        plugged=row.plugged,
        protected=row.protected,
        deleting=row.deleting,
        trouble=row.trouble,
        generation=Generation(row.generation),
        description=row.description or "",
        labels=tuple(sorted((row.labels or {}).items())),
    )


def _attachment(row: Row[Any]) -> Attachment:
    if row.server_id is None:
        return Unattached()
    held = Attached(ServerId(row.server_id), row.device_order)
    return held.release() if row.detaching else held


def _snapshot_values(snapshot: ServerSnapshot) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "disks": [[disk.volume, disk.name, disk.size] for disk in snapshot.disks],
        "size_gib": snapshot.size,
        "taken_at": snapshot.taken_at,
        "quiesced": snapshot.quiesced,
        "restoring": snapshot.restoring,
        "deleting": snapshot.deleting,
        "trouble": snapshot.trouble,
        "generation": snapshot.generation,
    }


def _snapshot(row: Row[Any], codes: dict[str, MunicipalityCode]) -> ServerSnapshot:
    return ServerSnapshot(
        id=SnapshotId(row.id),
        tenant=_code(row.tenant, codes),
        region=RegionId(row.region_id),
        name=row.name,
        server=ServerId(row.server_id),
        server_name=row.server_name,
        image=ImageId(row.image_id),
        storage=StoragePoolId(row.storage_id),
        disks=tuple(
            SnapshotDisk(None if of is None else VolumeId(of), name, GiB(size))
            for of, name, size in row.disks
        ),
        created_at=row.created_at,
        taken_at=row.taken_at,
        quiesced=row.quiesced,
        restoring=row.restoring,
        deleting=row.deleting,
        trouble=row.trouble,
        generation=Generation(row.generation),
    )


def _code(text: str, codes: dict[str, MunicipalityCode]) -> MunicipalityCode:
    if text not in codes:
        codes[text] = MunicipalityCode(text)
    return codes[text]
