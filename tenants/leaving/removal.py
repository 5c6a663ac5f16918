"""Removes what a member had, once it may be: first what stands on hosts, then what is on record."""

from __future__ import annotations

from dataclasses import replace

from control_plane.drivers.world import Clock
from control_plane.model.membership import Contact, Departing, Membership, Wanted
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.volume import Unattached
from control_plane.store import Lease, Snapshot, Store, Transaction
from tenants.leaving import telling
from tenants.leaving.export_directory import ExportDirectory
from tenants.leaving.keys import destroy_keys, destroyed
from tenants.leaving.service import move
from tenants.networks.bindings import end_with


def remove_next(
    store: Store,
    exports: ExportDirectory | None,
    membership: Membership,
    departing: Departing,
    *,
    lease: Lease,
    clock: Clock,
) -> int:
    """Ask for what is still there to be removed; once nothing is, end the membership. The export goes
    with it where the member has confirmed that it has it; how much was done."""
    code = membership.tenant.code
    with store.write(lease) as tx:
        asked = _ask_for_removal(tx, membership)
        if asked or _is_there(tx, code):
            return asked
    erased = not departing.waived and exports is not None and membership.operation is not None
    if erased:
        assert exports is not None and membership.operation is not None  # noqa: S101, PT018
        exports.of(code, membership.operation).erase()
    at = clock.now()
    with store.write(lease) as tx:
        now = tx.membership(code)
        if not isinstance(now.standing, Departing) or _is_there(tx, code):
            return 0
        ended = tx.end_access(code, "leaving", at)
        fates = destroy_keys(tx, code, at, ended) if departing.destroy_keys else ()
        end_with(tx, code, at)
        tx.end_tenancy(code)
        if now.operation is not None:
            tx.forget_export(now.operation)
        # Whom to reach there, and who was to administer it, is nobody's to know any more.
        move(tx, replace(now, contact=Contact(), wanted=Wanted()), now.standing.gone(at))
        if fates:
            tx.add_audit(telling.keys_entry(now, fates, at))
        tx.add_audit(telling.left_entry(now, destroyed(ended), at, export_kept=not erased))
        tx.add_event(telling.left(now, fates, at, export_kept=not erased))
    return 1


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


def _is_there(tx: Snapshot, code: MunicipalityCode) -> bool:
    return bool(
        tx.servers(code) or tx.systems(code) or tx.volumes(code) or tx.server_snapshots(code)
    )
