"""How far the exports of members who leave have come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.export import ExportedDisk
from control_plane.model.ids import OperationId, ServerId, VolumeId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.export_tables import exported_disks
from control_plane.store.rows import Rows

_columns = exported_disks.c


class ExportReads(Rows):
    def exported_disks(self, operation: OperationId) -> tuple[ExportedDisk, ...]:
        """Of one leaving, by path."""
        query = select(exported_disks).where(_columns.operation_id == operation)
        return tuple(_disk(row) for row in self._connection.execute(query.order_by(_columns.path)))

    def exports(self) -> tuple[tuple[OperationId, MunicipalityCode], ...]:
        """Every leaving that has something exported, with its member."""
        query = select(_columns.operation_id, _columns.tenant).distinct()
        return tuple(
            (OperationId(operation), MunicipalityCode(tenant))
            for operation, tenant in self._connection.execute(query.order_by(_columns.operation_id))
        )


class ExportWrites(ExportReads):
    def put_exported_disk(self, disk: ExportedDisk) -> None:
        values = {
            "operation_id": disk.operation,
            "path": disk.path,
            "tenant": disk.tenant.text,
            "server_id": disk.server,
            "volume_id": disk.volume,
            "build": disk.build,
            "length": disk.length,
            "virtual_size": disk.virtual_size,
            "done": disk.done,
            "sha256": disk.sha256,
            "missing": disk.missing,
            "trouble": disk.trouble,
        }
        same = (_columns.operation_id == disk.operation, _columns.path == disk.path)
        if not self._connection.execute(
            update(exported_disks).where(*same).values(values)
        ).rowcount:
            self._connection.execute(insert(exported_disks).values(values))

    def remove_exported_disk(self, disk: ExportedDisk) -> None:
        self._connection.execute(
            delete(exported_disks).where(
                _columns.operation_id == disk.operation, _columns.path == disk.path
            )
        )

    def forget_export(self, operation: OperationId) -> None:
        self._connection.execute(delete(exported_disks).where(_columns.operation_id == operation))


def _disk(row: Row[Any]) -> ExportedDisk:
    return ExportedDisk(
        OperationId(row.operation_id),
        row.path,
        MunicipalityCode(row.tenant),
        None if row.server_id is None else ServerId(row.server_id),
        None if row.volume_id is None else VolumeId(row.volume_id),
        row.build,
        row.length,
        row.virtual_size,
        row.done,
        row.sha256,
        row.missing,
        row.trouble,
    )
