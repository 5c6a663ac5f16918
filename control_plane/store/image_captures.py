"""Images that are made from servers' disks: how far each has come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.ids import ImageId, OperationId, RegionId, ServerId, SnapshotId
from control_plane.model.image import ImageCapture
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.image_tables import image_captures
from control_plane.store.rows import Rows

_columns = image_captures.c


class ImageCaptureReads(Rows):
    def image_captures(self, server: ServerId | None = None) -> tuple[ImageCapture, ...]:
        """Oldest first."""
        query = select(image_captures).order_by(_columns.begun_at, _columns.image_id)
        if server is not None:
            query = query.where(_columns.server_id == server)
        return tuple(_capture(row) for row in self._connection.execute(query))

    def image_capture(self, image: ImageId) -> ImageCapture | None:
        row = self._first(select(image_captures).where(_columns.image_id == image))
        return None if row is None else _capture(row)


class ImageCaptureWrites(ImageCaptureReads):
    def put_image_capture(self, capture: ImageCapture) -> None:
        values = {
            "tenant": capture.tenant.text,
            "region_id": capture.region,
            "server_id": capture.server,
            "server_name": capture.server_name,
            "snapshot_id": capture.snapshot,
            "operation_id": capture.operation,
            "begun_at": capture.begun_at,
            "length": capture.length,
            "done": capture.done,
            "trouble": capture.trouble,
        }
        same = _columns.image_id == capture.image
        known = self._connection.execute(update(image_captures).where(same).values(values))
        if not known.rowcount:
            self._connection.execute(
                insert(image_captures).values(image_id=capture.image, **values)
            )

    def remove_image_capture(self, image: ImageId) -> None:
        self._connection.execute(delete(image_captures).where(_columns.image_id == image))


def _capture(row: Row[Any]) -> ImageCapture:
    return ImageCapture(
        ImageId(row.image_id),
        MunicipalityCode(row.tenant),
        RegionId(row.region_id),
        ServerId(row.server_id),
        row.server_name,
        SnapshotId(row.snapshot_id),
        OperationId(row.operation_id),
        row.begun_at,
        row.length,
        row.done,
        row.trouble,
    )
