"""Who may give which role, and for which member: nobody gives more than they have."""

from __future__ import annotations

import secrets

from control_plane.http.principal import Principal
from control_plane.model.access import PERMISSIONS, Permission, Role
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from control_plane.store.rows import not_found

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def new_id(kind: str) -> str:
    """As in `user-` and 80 random bits."""
    return f"{kind}-" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def refuse_greater(
    who: Principal, role: Role, scopes: frozenset[Permission] | None = None
) -> frozenset[Permission]:
    """What somebody with that role and those scopes may do. A role of the consortium is given by those
    whose permissions include its own, a member's role by that member's admins or by the consortium.
    Raises `role-too-great`, and `scope-not-of-role` for scopes that the role doesn't have."""
    given = PERMISSIONS[role] if scopes is None else scopes
    beyond = sorted(given - PERMISSIONS[role])
    if beyond:
        raise YuiError(
            "scope-not-of-role",
            en=f"The role {role} doesn't have {', '.join(beyond)}, so a token of it can't either: leave that out, or choose another role.",
            ja=f"役割 {role} には {'、'.join(beyond)} がないため、トークンにも付けられません。取り除くか、別の役割を選んでください。",
            fields={"role": role.value, "scopes": beyond},
        )
    # A token or a grant narrower than its role gives no more than it has itself.
    by_consortium = role.of_member and who.tenant is None and who.allowed is None
    if not by_consortium and not given <= who.permissions:
        raise YuiError(
            "role-too-great",
            en=f"The role {role} may do things that you may not ({', '.join(sorted(given - who.permissions))}), so you can't give it: ask somebody who may.",
            ja=f"役割 {role} にはあなたにない権限({'、'.join(sorted(given - who.permissions))})が含まれるため、付与できません。その権限を持つ人に依頼してください。",
            status=403,
            fields={"role": role.value, "permissions": sorted(given - who.permissions)},
        )
    return given


def tenant_for(
    tx: Snapshot, role: Role, tenant: str | None, who: Principal
) -> MunicipalityCode | None:
    """The member that somebody of that role acts for. Raises `tenant-missing`, `tenant-not-allowed`,
    the mistakes of a municipality code, and `tenant-not-found`."""
    if not role.of_member:
        if tenant is not None:
            raise YuiError(
                "tenant-not-allowed",
                en=f"The role {role} belongs to no member: leave tenant out, or choose member-admin or member-user.",
                ja=f"役割 {role} に団体は指定できません。tenant を省略するか、member-admin か member-user を選んでください。",
            )
        return None
    if tenant is None and who.tenant is None:
        raise YuiError(
            "tenant-missing",
            en=f"The role {role} is held for one member: give its municipality code in tenant.",
            ja=f"役割 {role} には、tenant に団体コードを指定してください。",
        )
    code = who.tenant if tenant is None else MunicipalityCode(tenant)
    assert code is not None  # noqa: S101 — one of the two was given
    if who.tenant not in (None, code):
        raise not_found("tenant", code)
    return tx.tenant(code).code
