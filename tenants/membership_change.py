"""What is known of a member changes: whom to reach there, and how many live there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from control_plane.http.auth import permission_missing
from control_plane.http.principal import Principal
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation
from control_plane.model.membership import Contact, Membership
from control_plane.model.tenant import Tenant
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import TenantName, not_found
from tenants.catalogue import Catalogue
from tenants.letting_in import expect
from tenants.membership_models import SizeChange


def member_of(tx: Snapshot, code: TenantName, who: Principal) -> Membership:
    """Raises `tenant-not-found`, for another member's too."""
    if who.tenant is not None and who.tenant.text != str(code):
        raise not_found("tenant", code)
    return tx.membership(code)


def change(
    tx: Transaction,
    code: TenantName,
    who: Principal,
    at: datetime,
    *,
    contact: Contact | None,
    population: int | None,
    expected: Generation | None,
) -> Membership:
    """Raises `tenant-not-found`, `member-changed`, and `permission-missing` for a member that sets its
    own population."""
    before = expect(member_of(tx, code, who), expected)
    if population is not None and not who.may(Permission.MEMBERS_APPLY):
        raise permission_missing(Permission.MEMBERS_APPLY)
    tenant = before.tenant
    if population is not None:
        tenant = replace(tenant, population=population)
    wanted = replace(before, tenant=tenant, contact=before.contact if contact is None else contact)
    if wanted == before:
        return before
    if tenant != before.tenant and tx.find_tenant(tenant.code) is not None:
        tx.set_population(tenant.code, tenant.population)
    after = tx.put_membership(wanted)
    changed = [
        name
        for name, differs in (
            ("contact", wanted.contact != before.contact),
            ("population", tenant != before.tenant),
        )
        if differs
    ]
    fields = {"changed": changed}
    tx.add_audit(
        who.did("member.change", f"member:{tenant.code}", at, tenant=tenant.code, fields=fields)
    )
    return after


def other_sizes(tx: Snapshot, tenant: Tenant, catalogue: Catalogue) -> list[SizeChange]:
    """The servers for which their blueprints choose another flavor than they have, by name."""
    found = []
    for system in tx.systems(tenant.code):
        try:
            blueprint = catalogue.blueprint(system.blueprint, system.blueprint_version)
        except YuiError:
            # A system of the member's own, or one whose blueprint's file is gone: nothing to compare.
            continue
        chosen = {server.role: server.flavors[tenant.band] for server in blueprint.servers}
        for server in tx.servers(tenant.code, system.id):
            would_be = chosen.get(server.role, server.flavor)
            if would_be != server.flavor:
                found.append(
                    SizeChange(server=server.name, flavor=server.flavor, would_be=would_be)
                )
    return sorted(found, key=lambda each: each.server)
