"""Images on their way, and how much of images a member may keep."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Row

from control_plane.model.ids import ImageId
from control_plane.model.image import ImageFormat, ImageUpload
from control_plane.model.units import GiB
from control_plane.store import tables
from control_plane.store.catalogue import CatalogueReads, CatalogueWrites
from control_plane.store.image_tables import image_quotas, image_uploads
from control_plane.store.rows import TenantName, not_found


class ImageUploadReads(CatalogueReads):
    def image_uploads(self, tenant: TenantName | None = None) -> tuple[ImageUpload, ...]:
        """By id; with `tenant`, that member's alone."""
        query = select(image_uploads).order_by(image_uploads.c.id)
        if tenant is not None:
            query = query.where(image_uploads.c.tenant == str(tenant))
        return tuple(_upload(row) for row in self._connection.execute(query))

    def image_upload(self, id: ImageId, tenant: TenantName | None = None) -> ImageUpload:
        """With `tenant`, another member's upload is not found."""
        query = select(image_uploads).where(image_uploads.c.id == id)
        if tenant is not None:
            query = query.where(image_uploads.c.tenant == str(tenant))
        row = self._first(query)
        if row is None:
            raise not_found("image-upload", id)
        return _upload(row)

    def image_bytes(self, tenant: TenantName) -> int:
        """What the member's images take, with those on their way at their whole length."""
        images = tables.images.c
        kept = select(func.coalesce(func.sum(images.size_bytes), 0))
        coming = select(func.coalesce(func.sum(image_uploads.c.size_bytes), 0))
        return int(self._connection.scalar(kept.where(images.owner == str(tenant))) or 0) + int(
            self._connection.scalar(coming.where(image_uploads.c.tenant == str(tenant))) or 0
        )

    def image_quota(self, tenant: TenantName) -> GiB | None:
        """None where the member may keep what all may."""
        query = select(image_quotas.c.gib).where(image_quotas.c.tenant == str(tenant))
        found = self._connection.scalar(query)
        return None if found is None else GiB(found)


class ImageUploadWrites(CatalogueWrites, ImageUploadReads):
    def add_image_upload(self, upload: ImageUpload) -> None:
        self._connection.execute(
            insert(image_uploads).values(id=upload.id, begun_at=upload.begun_at, **_values(upload))
        )

    def save_image_upload(self, upload: ImageUpload) -> None:
        """Raises `image-upload-not-found`."""
        same = image_uploads.c.id == upload.id
        saved = self._connection.execute(update(image_uploads).where(same).values(_values(upload)))
        if not saved.rowcount:
            raise not_found("image-upload", upload.id)

    def remove_image_upload(self, id: ImageId) -> None:
        """Raises `image-upload-not-found`."""
        removed = self._connection.execute(delete(image_uploads).where(image_uploads.c.id == id))
        if not removed.rowcount:
            raise not_found("image-upload", id)

    def remove_image(self, id: ImageId) -> None:
        """Raises `image-not-found`, and `image-in-use` while servers are made from it."""
        self._need("image", tables.images, id)
        self._refuse_with_servers(id)
        self._connection.execute(delete(tables.images).where(tables.images.c.id == id))

    def set_image_quota(self, tenant: TenantName, gib: GiB) -> None:
        same = image_quotas.c.tenant == str(tenant)
        known = self._connection.execute(update(image_quotas).where(same).values(gib=gib))
        if not known.rowcount:
            self._connection.execute(insert(image_quotas).values(tenant=str(tenant), gib=gib))


def _values(upload: ImageUpload) -> dict[str, object]:
    return {
        "tenant": upload.tenant,
        "name": upload.name,
        "version": upload.version,
        "provenance": upload.provenance,
        "size_bytes": upload.size_bytes,
        "sha256": upload.sha256,
        "format": None if upload.format is None else upload.format.value,
        "properties": dict(upload.properties) or None,
    }


def _upload(row: Row[tuple[object, ...]]) -> ImageUpload:
    return ImageUpload(
        ImageId(row.id),
        row.tenant,
        row.name,
        row.version,
        row.provenance,
        row.size_bytes,
        row.sha256,
        row.begun_at,
        None if row.format is None else ImageFormat(row.format),
        tuple(sorted((row.properties or {}).items())),
    )
