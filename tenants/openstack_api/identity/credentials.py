"""Application credentials: tokens of a service account, as Keystone's clients ask for them.

A credential's id and name are its token's id and label; its secret is the part of the token's text that
follows the id, so that id and secret together are what `/v1` takes as a bearer token too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from control_plane.access.models import AccountTokenIn, TokenIssued
from control_plane.http.bounds import ShortText
from control_plane.model.access import PERMISSIONS, Permission, Role, Token
from control_plane.model.errors import YuiError
from control_plane.model.identity import ServiceAccount
from control_plane.model.tenant import MunicipalityCode
from tenants.openstack_api.identity.models import Lenient, Text
from tenants.openstack_api.identity.token_body import roles_of
from tenants.openstack_api.links import identity_url
from tenants.openstack_api.times import microseconds

_LONGEST_DAYS = 366


class RoleIn(Lenient):
    id: Text | None = None
    name: Text | None = None


class CredentialIn(Lenient):
    name: ShortText
    description: str | None = Field(None, max_length=255)
    secret: str | None = Field(None, max_length=255, repr=False)
    expires_at: Annotated[str | None, Field(max_length=40)] = None
    roles: Annotated[list[RoleIn] | None, Field(max_length=8)] = None
    unrestricted: bool = False
    access_rules: Annotated[list[dict[str, Any]] | None, Field(max_length=50)] = None


class NewCredential(Lenient):
    application_credential: CredentialIn


def wanted_of(given: CredentialIn, account: ServiceAccount) -> AccountTokenIn:
    """As the service takes it. Raises `credential-not-so` for what can't be had."""
    if given.secret is not None:
        raise _not_so(
            "secret",
            "secrets are made here and shown once: leave it out",
            "シークレットはこちらで生成し、一度だけ表示します。省略してください",
        )
    if given.description:
        raise _not_so(
            "description",
            "no description is kept: say it in the name",
            "説明は保存されません。名前に含めてください",
        )
    if given.unrestricted or given.access_rules:
        name = "unrestricted" if given.unrestricted else "access_rules"
        raise _not_so(
            name,
            "a credential is narrowed by its roles alone",
            "資格情報の範囲は roles だけで指定できます",
        )
    scopes = None if given.roles is None else sorted(_scopes(given.roles, account))
    return AccountTokenIn(label=given.name, scopes=scopes, expires_in_days=_LONGEST_DAYS)


def end_of(given: CredentialIn) -> datetime | None:
    """Raises `credential-not-so` where the time can't be read. A time without a zone is UTC's."""
    if given.expires_at is None:
        return None
    try:
        end = datetime.fromisoformat(given.expires_at)
    except ValueError:
        raise _not_so(
            "expires_at",
            "must be a time such as 2027-03-31T00:00:00.000000",
            "2027-03-31T00:00:00.000000 のような日時を指定してください",
        ) from None
    return end.replace(tzinfo=UTC) if end.tzinfo is None else end


def credential_out(
    request: Request, user: str, tenant: MunicipalityCode, token: Token | TokenIssued
) -> dict[str, Any]:
    """Without its secret."""
    href = f"{identity_url(request)}/users/{user}/application_credentials/{token.id}"
    return {
        "id": token.id,
        "name": token.label,
        "description": None,
        "project_id": tenant.text,
        "system": None,
        "expires_at": None if token.expires_at is None else microseconds(token.expires_at),
        "unrestricted": False,
        "roles": [
            {"id": r, "name": r, "domain_id": None} for r in roles_of(token.role, token.scopes)
        ],
        "links": {"self": href},
    }


def _scopes(roles: Sequence[RoleIn], account: ServiceAccount) -> frozenset[Permission]:
    """What those roles may do of what the account may."""
    scopes: frozenset[Permission] = frozenset()
    for role in roles:
        name = role.id or role.name
        match name:
            case "reader":
                scopes |= account.scopes & PERMISSIONS[Role.MEMBER_USER]
            case "member" if account.role is Role.MEMBER_ADMIN:
                scopes |= account.scopes
            case _:
                raise _not_so(
                    "roles",
                    "can be 'reader', and 'member' where the account has it",
                    "指定できるのは reader と、アカウントが持つ場合の member です",
                )
    if not scopes:
        raise _not_so("roles", "leave nothing that it may do", "許可される操作がなくなります")
    return scopes


def _not_so(field: str, en: str, ja: str) -> YuiError:
    return YuiError(
        "credential-not-so",
        en=f"application_credential.{field}: {en}.",
        ja=f"application_credential.{field}: {ja}。",
        status=400,
        fields={"field": field},
    )
