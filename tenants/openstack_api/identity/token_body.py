"""What a client is told of its token (Identity API v3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import Request

from control_plane.http.principal import Principal
from control_plane.model.access import PERMISSIONS, Permission, Role, Session
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from tenants.openstack_api.callers import DOMAIN
from tenants.openstack_api.identity.catalogue import catalogue, regions_of
from tenants.openstack_api.identity.proving import user_of
from tenants.openstack_api.times import microseconds

ROLES: dict[Role, tuple[str, ...]] = {
    Role.MEMBER_ADMIN: ("member", "reader"),
    Role.MEMBER_USER: ("reader",),
}
"""OpenStack's names (Keystone's default roles) for what members' roles may do; the ids are the names."""


def roles_of(role: Role, scopes: Collection[Permission] | None) -> tuple[str, ...]:
    """Those of somebody with that role who may do `scopes` of it alone."""
    if scopes is not None and set(scopes) <= PERMISSIONS[Role.MEMBER_USER]:
        return ROLES[Role.MEMBER_USER]
    return ROLES[role]


def project_out(tx: Snapshot, tenant: MunicipalityCode) -> dict[str, Any]:
    """The member as the project that a token is for: its municipality code is id and name both, since
    names of municipalities are not unique in Japan."""
    return {"id": tx.tenant(tenant).code.text, "name": tenant.text, "domain": DOMAIN}


def token_body(
    tx: Snapshot,
    request: Request,
    principal: Principal,
    session: Session,
    *,
    with_catalogue: bool,
) -> dict[str, Any]:
    """The `token` of an answer."""
    id, name = user_of(tx, principal)
    token: dict[str, Any] = {
        "methods": list(session.methods),
        "user": {"id": id, "name": name, "domain": DOMAIN, "password_expires_at": None},
        "audit_ids": [session.id],
        "issued_at": microseconds(session.begun_at),
        "expires_at": microseconds(session.expires_at),
    }
    tenant = principal.tenant if session.scoped else None
    if tenant is not None:
        token["project"] = project_out(tx, tenant)
        token["is_domain"] = False
        token["roles"] = [
            {"id": role, "name": role} for role in roles_of(principal.role, principal.allowed)
        ]
        if with_catalogue:
            token["catalog"] = catalogue(request, regions_of(tx, tenant), tenant)
    if "application_credential" in session.methods:
        token["application_credential"] = {
            "id": session.whose,
            "name": principal.label,
            "restricted": True,
        }
    return token
