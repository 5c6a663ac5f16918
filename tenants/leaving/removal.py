"""Removes what a member had, once it may be: first what stands on hosts, then what is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from control_plane.drivers.world import Clock
from control_plane.model.ids import ImageId
from control_plane.model.membership import Contact, Departing, Membership, Wanted
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.volume import Unattached
from control_plane.store import Lease, Snapshot, Store, Transaction
from tenants.leaving import telling
from tenants.leaving.export_directory import ExportDirectory
from tenants.leaving.keys import destroy_keys, destroyed
from tenants.leaving.service import move
from tenants.networks.bindings import end_with


def keep_files(_: ImageId) -> None:
    """Where this control plane keeps no images of members."""


@dataclass(frozen=True, slots=True)
class Removal:
    """`drop_image` removes the file of an image that a member brought; again, where that was not kept."""

    store: Store
    exports: ExportDirectory | None
    clock: Clock
    drop_image: Callable[[ImageId], None] = keep_files

    def go_on(self, membership: Membership, departing: Departing, lease: Lease) -> int:
        """Ask for what is still there to be removed; once nothing is, end the membership. The export
        goes with it where the member has confirmed that it has it; how much was done."""
        code = membership.tenant.code
        with self.store.write(lease) as tx:
            asked = _ask_for_removal(tx, membership)
            if asked or _is_there(tx, code):
                return asked
            images = [*(upload.id for upload in tx.image_uploads(code)), *_own_images(tx, code)]
        for image in images:
            self.drop_image(image)
        erased = self._erase_export(membership, departing)
        with self.store.write(lease) as tx:
            now = tx.membership(code)
            if isinstance(now.standing, Departing) and not _is_there(tx, code):
                self._end(tx, now, now.standing, export_kept=not erased)
        return 1

    def _erase_export(self, membership: Membership, departing: Departing) -> bool:
        if departing.waived or self.exports is None or membership.operation is None:
            return False
        self.exports.of(membership.tenant.code, membership.operation).erase()
        return True

    def _end(
        self, tx: Transaction, now: Membership, departing: Departing, *, export_kept: bool
    ) -> None:
        code, at = now.tenant.code, self.clock.now()
        for upload in tx.image_uploads(code):
            tx.remove_image_upload(upload.id)
        for image in _own_images(tx, code):
            tx.remove_image(image)
        ended = tx.end_access(code, "leaving", at)
        fates = destroy_keys(tx, code, at, ended) if departing.destroy_keys else ()
        end_with(tx, code, at)
        tx.end_tenancy(code)
        if now.operation is not None:
            tx.forget_export(now.operation)
        # Whom to reach there, and who was to administer it, is nobody's to know any more.
        move(tx, replace(now, contact=Contact(), wanted=Wanted()), departing.gone(at))
        if fates:
            tx.add_audit(telling.keys_entry(now, fates, at))
        tx.add_audit(telling.left_entry(now, destroyed(ended), at, export_kept=export_kept))
        tx.add_event(telling.left(now, fates, at, export_kept=export_kept))


def _ask_for_removal(tx: Transaction, membership: Membership) -> int:
    code, asked = membership.tenant.code, 0
    for system in tx.systems(code):
        if not system.deleting:
            tx.begin_removing_system(system.id)
            asked += 1
    for server in tx.servers(code):
        if not server.deleting:
            # The member's own word goes before its own protection.
            tx.save_server(replace(server, deleting=True, protected=False))
            asked += 1
    for volume in tx.volumes(code):
        # One that a server has comes free when that is gone.
        if not volume.deleting and isinstance(volume.attachment, Unattached):
            tx.save_volume(replace(volume, deleting=True, protected=False, trouble=None))
            asked += 1
    for snapshot in tx.server_snapshots(code):
        if not snapshot.deleting:
            tx.save_server_snapshot(replace(snapshot, deleting=True, trouble=None))
            asked += 1
    for system in tx.systems(code):
        tx.remove_emptied_system(system.id)
    return asked


def _own_images(tx: Snapshot, code: MunicipalityCode) -> list[ImageId]:
    """Those that nobody else sees; what was shared stays."""
    return [image.id for image in tx.images() if image.owner == code.text and image.private]


def _is_there(tx: Snapshot, code: MunicipalityCode) -> bool:
    return bool(
        tx.servers(code) or tx.systems(code) or tx.volumes(code) or tx.server_snapshots(code)
    )
