"""Who administers a new member from its first day on, named in its application.

Whoever let the member in has seen the names, and they come with it in the same transaction; from then
on its users are its own affair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.journal.operations import draw
from control_plane.model.access import Role
from control_plane.model.allotment import Allotment, Capacity, allotment_at_joining
from control_plane.model.errors import YuiError
from control_plane.model.identity import User
from control_plane.model.ids import RegionId
from control_plane.model.membership import FirstUser
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction


@dataclass(frozen=True, slots=True)
class Trusted:
    """The identity providers whose users may sign in, and those of them whose verified addresses count."""

    issuers: tuple[str, ...] = ()
    inviting: frozenset[str] = frozenset()


def first_user(
    name: str, issuer: str | None, subject: str | None, email: str | None, trusted: Trusted
) -> FirstUser:
    """Without `issuer` the only one that is trusted. Raises `issuer-unclear`, `issuer-unknown`,
    `subject-needed`."""
    if issuer is None:
        if len(trusted.issuers) != 1:
            raise YuiError(
                "issuer-unclear",
                en=f"Say which identity provider knows {name}: Yui trusts {', '.join(sorted(trusted.issuers)) or 'none yet'}.",
                ja=f"{name} さんの ID プロバイダーを指定してください(信頼済み: {'、'.join(sorted(trusted.issuers)) or 'なし'})。",
            )
        issuer = trusted.issuers[0]
    if issuer not in trusted.issuers:
        raise YuiError(
            "issuer-unknown",
            en=f"{issuer} is none of the identity providers that Yui trusts ({', '.join(sorted(trusted.issuers)) or 'there are none'}).",
            ja=f"{issuer} は Yui が信頼する ID プロバイダー({'、'.join(sorted(trusted.issuers)) or '設定なし'})にありません。",
            fields={"issuer": issuer},
        )
    if subject is None and (email is None or issuer not in trusted.inviting):
        raise YuiError(
            "subject-needed",
            en=f"Give {name}'s subject at the provider: an address alone invites nobody there.",
            ja=f"{name} さんのプロバイダーでのサブジェクト(subject)を指定してください。このプロバイダーではメールアドレスだけの招待はできません。",
            fields={"issuer": issuer},
        )
    return FirstUser(name, issuer, subject, email)


def add_first_users(
    tx: Transaction,
    tenant: MunicipalityCode,
    admins: Sequence[FirstUser],
    who: Principal,
    at: datetime,
) -> None:
    """As member-admins. Raises `user-exists`."""
    for admin in admins:
        user = User(
            id=f"user-{draw(16)}",
            tenant=tenant.text,
            issuer=admin.issuer,
            subject=admin.subject,
            name=admin.name,
            email=admin.email,
            role=Role.MEMBER_ADMIN,
            disabled=False,
            created_at=at,
        )
        tx.add_user(user)
        fields = {"user": user.name, "role": user.role.value, "disabled": False}
        tx.add_audit(who.did("user.add", f"user:{user.id}", at, tenant=tenant, fields=fields))
        tx.add_event(
            Event(
                "user.added",
                f"user:{user.id}",
                at,
                Severity.INFO,
                f"The user {user.name} ({user.role}) comes with the municipality, let in by {who.label}.",
                f"団体の参加に伴い、{who.label} さんが利用者 {user.name}({user.role})さんを追加しました。",
                tenant=tenant.text,
                fields=fields,
            )
        )


def allotment_wanted(
    tenant: MunicipalityCode, region: RegionId, needed: Capacity, quota: Capacity | None
) -> Allotment:
    """What its systems need is guaranteed. Raises `quota-below-needs`."""
    if quota is None:
        return allotment_at_joining(tenant, region, needed)
    if not needed.fits_in(quota):
        lacking = dict(needed.beyond(quota))
        raise YuiError(
            "quota-below-needs",
            en=f"The quota is less than the chosen systems need ({needed.vcpu} vCPU, {needed.memory:,} MiB, {needed.disk:,} GiB): ask for more, or choose fewer systems.",
            ja=f"クォータが選択したシステムの必要量(vCPU {needed.vcpu}、メモリ {needed.memory:,} MiB、ディスク {needed.disk:,} GiB)を下回っています。クォータを増やすか、システムを減らしてください。",
            fields={"lacking": {name: amount for name, amount in lacking.items() if amount}},
        )
    return Allotment(tenant, region, needed, quota)
