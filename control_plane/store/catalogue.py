"""What members can choose from: flavors and images."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, delete, insert, or_, select, update
from sqlalchemy.engine import Row

from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, ImageId
from control_plane.model.image import Finding, Image, ImageFormat, Verdict
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Flavor
from control_plane.store import tables
from control_plane.store.rows import Rows, TenantName, not_found


class CatalogueReads(Rows):
    def flavors(self) -> tuple[Flavor, ...]:
        """By size, smallest first."""
        flavors = tables.flavors
        query = select(flavors).order_by(
            flavors.c.vcpu, flavors.c.memory_mib, flavors.c.disk_gib, flavors.c.id
        )
        return tuple(_flavor(row) for row in self._connection.execute(query))

    def flavor(self, id: FlavorId) -> Flavor:
        row = self._row(tables.flavors, id)
        if row is None:
            raise not_found("flavor", id)
        return _flavor(row)

    def images(self, tenant: TenantName | None = None) -> tuple[Image, ...]:
        """By id; with `tenant`, those alone that this member may use."""
        query = _seen_by(tenant, select(tables.images)).order_by(tables.images.c.id)
        return tuple(_image(row) for row in self._connection.execute(query))

    def image(self, id: ImageId, tenant: TenantName | None = None) -> Image:
        """With `tenant`, another member's private image is not found."""
        if tenant is None:
            row = self._row(tables.images, id)
        else:
            seen = _seen_by(tenant, select(tables.images))
            row = self._first(seen.where(tables.images.c.id == id))
        if row is None:
            raise not_found("image", id)
        return _image(row)


class CatalogueWrites(CatalogueReads):
    def put_flavor(self, flavor: Flavor) -> None:
        """Add it, or size it anew; servers that stand keep the size they were given."""
        values = {
            "vcpu": flavor.size.vcpu,
            "memory_mib": flavor.size.memory,
            "disk_gib": flavor.disk,
        }
        if self._exists(tables.flavors, flavor.id):
            self._connection.execute(
                update(tables.flavors).where(tables.flavors.c.id == flavor.id).values(values)
            )
        else:
            self._connection.execute(insert(tables.flavors).values(id=flavor.id, **values))

    def remove_flavor(self, id: FlavorId) -> None:
        """Raises `flavor-in-use` while servers have it."""
        self._need("flavor", tables.flavors, id)
        used = select(tables.servers.c.id).where(tables.servers.c.flavor_id == id).limit(1)
        if self._first(used) is not None:
            raise YuiError(
                "flavor-in-use",
                en=f"Flavor '{id}' has servers: resize or remove them first.",
                ja=f"フレーバー「{id}」のサーバーがあります。先にサイズを変更するか、取り除いてください。",
                status=409,
                fields={"flavor": id},
            )
        self._connection.execute(delete(tables.flavors).where(tables.flavors.c.id == id))

    def put_image(self, image: Image) -> None:
        """Add it, or describe it anew. Raises `image-in-use` when its bytes would change under
        servers that were made from it."""
        values = {
            "name": image.name,
            "version": image.version,
            "format": image.format.value,
            "sha256": image.sha256,
            "size_bytes": image.size_bytes,
            "virtual_size_gib": image.virtual_size,
            "location": image.location,
            "provenance": image.provenance,
            "added_at": image.added_at,
            "report": [
                {"requirement": f.requirement, "verdict": f.verdict.value, "en": f.en, "ja": f.ja}
                for f in image.report
            ]
            or None,
            "owner": image.owner,
            "private_to": image.owner if image.private else None,
            "properties": dict(image.properties) or None,
        }
        row = self._first(select(tables.images.c.sha256).where(tables.images.c.id == image.id))
        if row is None:
            self._connection.execute(insert(tables.images).values(id=image.id, **values))
            return
        if row.sha256 != image.sha256:
            self._refuse_with_servers(image.id)
            # Taken away and added anew, not updated: the database itself then refuses when another
            # transaction has just made a server from it.
            self._connection.execute(delete(tables.images).where(tables.images.c.id == image.id))
            self._connection.execute(insert(tables.images).values(id=image.id, **values))
            return
        self._connection.execute(
            update(tables.images).where(tables.images.c.id == image.id).values(values)
        )

    def _refuse_with_servers(self, id: ImageId) -> None:
        used = select(tables.servers.c.id).where(tables.servers.c.image_id == id).limit(1)
        if self._first(used) is not None:
            raise YuiError(
                "image-in-use",
                en=f"Image '{id}' has servers made from it, so its content cannot change: add the new content under another name.",
                ja=f"イメージ「{id}」から作られたサーバーがあるため、内容を変更できません。新しい内容は別の名前で登録してください。",
                status=409,
                fields={"image": id},
            )


def _seen_by(tenant: TenantName | None, query: Select[Any]) -> Select[Any]:
    if tenant is None:
        return query
    private_to = tables.images.c.private_to
    return query.where(or_(private_to.is_(None), private_to == str(tenant)))


def _flavor(row: Row[tuple[object, ...]]) -> Flavor:
    return Flavor(
        FlavorId(row.id), Resources(VCpu(row.vcpu), MiB(row.memory_mib)), GiB(row.disk_gib)
    )


def _image(row: Row[tuple[object, ...]]) -> Image:
    return Image(
        ImageId(row.id),
        row.name,
        row.version,
        ImageFormat(row.format),
        row.sha256,
        row.size_bytes,
        GiB(row.virtual_size_gib),
        row.location,
        row.provenance,
        row.added_at,
        tuple(
            Finding(each["requirement"], Verdict(each["verdict"]), each["en"], each["ja"])
            for each in row.report or ()
        ),
        row.owner,
        row.private_to is not None,
        tuple(sorted((row.properties or {}).items())),
    )
