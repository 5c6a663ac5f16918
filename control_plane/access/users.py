"""Who signs in: a member's admins look after its users, operators after the consortium's.

Operators add a member's first admin, since somebody must; from then on its users are the member's own
affair, and operators who must help open a break-glass, which the member sees.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from control_plane.access.giving import new_id, refuse_greater, tenant_for
from control_plane.access.models import UserChange, UserIn, UserOut
from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.errors import YuiError
from control_plane.model.identity import User
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction

_KINDS = {"user.add": "user.added", "user.change": "user.changed", "user.remove": "user.removed"}
"""What events call what the audit trail calls so."""


def add(
    tx: Transaction,
    wanted: UserIn,
    who: Principal,
    at: datetime,
    *,
    issuers: Collection[str],
    inviting: Collection[str],
) -> User:
    """`issuers` are the providers that are trusted, `inviting` those whose verified addresses are.
    Raises `issuer-unknown`, `subject-needed`, `user-exists`, `members-own-users`, and what
    `refuse_greater` and `tenant_for` do."""
    if wanted.issuer not in issuers:
        raise YuiError(
            "issuer-unknown",
            en=f"{wanted.issuer} is none of the identity providers that Yui trusts ({', '.join(sorted(issuers)) or 'there are none'}): take one of them, or ask an operator.",
            ja=f"{wanted.issuer} は Yui が信頼する ID プロバイダー({'、'.join(sorted(issuers)) or '設定なし'})にありません。いずれかを指定するか、運用担当者に問い合わせてください。",
            fields={"issuer": wanted.issuer},
        )
    if wanted.subject is None and (wanted.email is None or wanted.issuer not in inviting):
        raise YuiError(
            "subject-needed",
            en="Give the person's subject at the provider: an address alone invites nobody there. They see their subject when they sign in with `yui login`.",
            ja="プロバイダーでのサブジェクト(subject)を指定してください。このプロバイダーではメールアドレスだけの招待はできません。サブジェクトは、本人が `yui login` でログインすると表示されます。",
            fields={"issuer": wanted.issuer},
        )
    tenant = tenant_for(tx, wanted.role, wanted.tenant, who)
    refuse_greater(who, wanted.role)
    beyond_first = wanted.role is not Role.MEMBER_ADMIN or (tenant and _admins(tx, tenant))
    if tenant is not None and who.tenant is None and beyond_first:
        raise _members_own_users(tenant)
    user = User(
        id=new_id("user"),
        tenant=None if tenant is None else tenant.text,
        issuer=wanted.issuer,
        subject=wanted.subject,
        name=wanted.name,
        email=wanted.email,
        role=wanted.role,
        disabled=False,
        created_at=at,
    )
    tx.add_user(user)
    _tell(tx, "user.add", user, who, at, en="was added", ja="を追加しました")
    return user


def change(
    tx: Transaction, id: str, wanted: UserChange, who: Principal, at: datetime, *, force: bool
) -> User:
    """Raises `user-not-found`, `members-own-users`, `role-of-other-kind`, `role-too-great`, and
    `last-member-admin` unless `force`."""
    user = _own(tx, id, who)
    changed = replace(
        user,
        name=user.name if wanted.name is None else wanted.name,
        role=user.role if wanted.role is None else wanted.role,
        disabled=user.disabled if wanted.disabled is None else wanted.disabled,
    )
    if changed == user:
        return user
    if changed.role.of_member != user.role.of_member:
        raise YuiError(
            "role-of-other-kind",
            en=f"{user.name} is a user of {'a member' if user.role.of_member else 'the consortium'} and stays one: delete this user and add another.",
            ja=f"{user.name} さんは{'団体' if user.role.of_member else '共同体'}の利用者のため、この役割には変更できません。削除して登録し直してください。",
        )
    # Taking a role away from somebody greater is refused as giving it is.
    refuse_greater(who, user.role)
    refuse_greater(who, changed.role)
    _keep_an_admin(tx, user, changed, force=force)
    tx.save_user(changed)
    _tell(tx, "user.change", changed, who, at, en="was changed", ja="の登録を変更しました")
    return changed


def remove(tx: Transaction, id: str, who: Principal, at: datetime, *, force: bool) -> None:
    """Raises `user-not-found`, `members-own-users`, `role-too-great`, and `last-member-admin` unless
    `force`."""
    user = _own(tx, id, who)
    refuse_greater(who, user.role)
    _keep_an_admin(tx, user, None, force=force)
    tx.remove_user(user.id)
    _tell(tx, "user.remove", user, who, at, en="was deleted", ja="を削除しました")


def user_out(user: User) -> UserOut:
    return UserOut(
        id=user.id,
        tenant=user.tenant,
        issuer=user.issuer,
        subject=user.subject,
        name=user.name,
        email=user.email,
        role=user.role,
        disabled=user.disabled,
        created_at=user.created_at,
    )


def _own(tx: Snapshot, id: str, who: Principal) -> User:
    user = tx.user(id, who.tenant)
    if user.tenant is not None and who.tenant is None:
        raise _members_own_users(MunicipalityCode(user.tenant))
    return user


def _admins(tx: Snapshot, tenant: MunicipalityCode) -> list[User]:
    return [
        user for user in tx.users(tenant) if user.role is Role.MEMBER_ADMIN and not user.disabled
    ]


def _keep_an_admin(tx: Snapshot, user: User, changed: User | None, *, force: bool) -> None:
    if user.tenant is None or user.role is not Role.MEMBER_ADMIN or user.disabled or force:
        return
    stays = changed is not None and changed.role is Role.MEMBER_ADMIN and not changed.disabled
    if not stays and len(_admins(tx, MunicipalityCode(user.tenant))) == 1:
        raise YuiError(
            "last-member-admin",
            en=f"{user.name} is the last admin of your municipality: make somebody else an admin first, or say force when nobody is to be one.",
            ja=f"{user.name} さんは団体の最後の管理者です。先に別の人を管理者にしてください。管理者をなくす場合は force を指定してください。",
            status=409,
            fields={"user": user.id},
        )


def _members_own_users(tenant: MunicipalityCode) -> YuiError:
    return YuiError(
        "members-own-users",
        en=f"The users of {tenant} are its own affair; operators add its first admin and no more. Ask its admins, or open a break-glass.",
        ja=f"{tenant} の利用者は団体自身が管理します。運用担当者は最初の管理者だけを追加できます。団体の管理者に依頼するか、非常時アクセスを開いてください。",
        status=403,
        fields={"tenant": tenant.text},
    )


def _tell(
    tx: Transaction, action: str, user: User, who: Principal, at: datetime, *, en: str, ja: str
) -> None:
    tenant = None if user.tenant is None else MunicipalityCode(user.tenant)
    fields = {"user": user.name, "role": user.role.value, "disabled": user.disabled}
    tx.add_audit(who.did(action, f"user:{user.id}", at, tenant=tenant, fields=fields))
    tx.add_event(
        Event(
            _KINDS[action],
            f"user:{user.id}",
            at,
            Severity.INFO,
            f"The user {user.name} ({user.role}) {en} by {who.label}.",
            f"{who.label} さんが利用者 {user.name}({user.role})さん{ja}。",
            tenant=user.tenant,
            fields=fields,
        )
    )
