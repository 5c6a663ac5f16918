"""Users, service accounts, and permissions opened in an emergency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, insert, or_, select, update
from sqlalchemy.engine import Row

from control_plane.model.access import Permission, Role
from control_plane.model.identity import BreakGlass, ServiceAccount, User
from control_plane.store import identity_tables
from control_plane.store.rows import Rows, TenantName, already_exists, not_found

_users = identity_tables.users
_accounts = identity_tables.service_accounts
_grants = identity_tables.break_glass


class IdentityReads(Rows):
    def users(self, tenant: TenantName | None = None) -> tuple[User, ...]:
        """By id."""
        query = _of(select(_users).order_by(_users.c.id), _users.c.tenant, tenant)
        return tuple(_user(row) for row in self._connection.execute(query))

    def user(self, id: str, tenant: TenantName | None = None) -> User:
        """Raises `user-not-found`."""
        row = self._first(_of(select(_users).where(_users.c.id == id), _users.c.tenant, tenant))
        if row is None:
            raise not_found("user", id)
        return _user(row)

    def user_by_id(self, id: str) -> User | None:
        row = self._first(select(_users).where(_users.c.id == id))
        return None if row is None else _user(row)

    def user_by_subject(self, issuer: str, subject: str) -> User | None:
        row = self._first(
            select(_users).where(_users.c.issuer == issuer, _users.c.subject == subject)
        )
        return None if row is None else _user(row)

    def invited(self, issuer: str, email: str) -> User | None:
        """The invitation that waits for whom that provider knows by that address."""
        row = self._first(
            select(_users).where(
                _users.c.issuer == issuer, _users.c.email == email, _users.c.subject.is_(None)
            )
        )
        return None if row is None else _user(row)

    def service_accounts(self, tenant: TenantName | None = None) -> tuple[ServiceAccount, ...]:
        """By id."""
        query = _of(select(_accounts).order_by(_accounts.c.id), _accounts.c.tenant, tenant)
        return tuple(_account(row) for row in self._connection.execute(query))

    def service_account(self, id: str, tenant: TenantName | None = None) -> ServiceAccount:
        """Raises `service-account-not-found`."""
        row = self._first(
            _of(select(_accounts).where(_accounts.c.id == id), _accounts.c.tenant, tenant)
        )
        if row is None:
            raise not_found("service-account", id)
        return _account(row)

    def break_glasses(self, tenant: TenantName | None = None) -> tuple[BreakGlass, ...]:
        """By id."""
        query = _of(select(_grants).order_by(_grants.c.id), _grants.c.tenant, tenant)
        return tuple(_grant(row) for row in self._connection.execute(query))

    def break_glass(self, id: str, tenant: TenantName | None = None) -> BreakGlass:
        """Raises `break-glass-not-found`."""
        row = self._first(_of(select(_grants).where(_grants.c.id == id), _grants.c.tenant, tenant))
        if row is None:
            raise not_found("break-glass", id)
        return _grant(row)

    def lapsed_break_glasses(self, moment: datetime) -> tuple[BreakGlass, ...]:
        """Those whose time ran out before they were closed, and whose end nobody was told."""
        query = (
            select(_grants)
            .where(
                _grants.c.told_over.is_(False),
                _grants.c.closed_at.is_(None),
                _grants.c.expires_at <= moment,
            )
            .order_by(_grants.c.id)
        )
        return tuple(_grant(row) for row in self._connection.execute(query))


class IdentityWrites(IdentityReads):
    def add_user(self, user: User) -> None:
        """Raises `user-exists` where that provider's subject or address is a user already."""
        known = or_(
            _users.c.id == user.id,
            (_users.c.issuer == user.issuer)
            & (
                _users.c.subject == user.subject
                if user.subject is not None
                else (_users.c.email == user.email) & _users.c.subject.is_(None)
            ),
        )
        if self._first(select(_users.c.id).where(known)) is not None:
            raise already_exists("user", user.subject or user.email or user.id)
        self._connection.execute(insert(_users).values(_of_user(user)))

    def save_user(self, user: User) -> None:
        """Raises `user-not-found`."""
        self._need("user", _users, user.id)
        self._connection.execute(
            update(_users).where(_users.c.id == user.id).values(_of_user(user))
        )

    def remove_user(self, id: str) -> None:
        self._connection.execute(delete(_users).where(_users.c.id == id))

    def add_service_account(self, account: ServiceAccount) -> None:
        self._connection.execute(
            insert(_accounts).values(
                id=account.id,
                tenant=account.tenant,
                name=account.name,
                role=account.role.value,
                scopes=sorted(account.scopes),
                created_at=account.created_at,
            )
        )

    def remove_service_account(self, id: str) -> None:
        """With its tokens."""
        self._connection.execute(
            delete(identity_tables.tokens).where(identity_tables.tokens.c.account_id == id)
        )
        self._connection.execute(delete(_accounts).where(_accounts.c.id == id))

    def put_break_glass(self, grant: BreakGlass) -> None:
        """Adds it, or saves how it ended."""
        values = {
            "id": grant.id,
            "principal": grant.principal,
            "label": grant.label,
            "tenant": grant.tenant,
            "permissions": sorted(grant.permissions),
            "reason": grant.reason,
            "opened_at": grant.opened_at,
            "expires_at": grant.expires_at,
            "closed_at": grant.closed_at,
            "closed_by": grant.closed_by,
            "told_over": grant.told_over,
        }
        same = _grants.c.id == grant.id
        if not self._connection.execute(update(_grants).where(same).values(values)).rowcount:
            self._connection.execute(insert(_grants).values(values))


def _of(query: Select[Any], column: Any, tenant: TenantName | None) -> Select[Any]:
    return query if tenant is None else query.where(column == str(tenant))


def _of_user(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "tenant": user.tenant,
        "issuer": user.issuer,
        "subject": user.subject,
        "name": user.name,
        "email": user.email,
        "role": user.role.value,
        "disabled": user.disabled,
        "created_at": user.created_at,
    }


def _user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.tenant,
        row.issuer,
        row.subject,
        row.name,
        row.email,
        Role(row.role),
        row.disabled,
        row.created_at,
    )


def _account(row: Row[Any]) -> ServiceAccount:
    return ServiceAccount(
        row.id,
        row.tenant,
        row.name,
        Role(row.role),
        frozenset(Permission(name) for name in row.scopes),
        row.created_at,
    )


def _grant(row: Row[Any]) -> BreakGlass:
    return BreakGlass(
        row.id,
        row.principal,
        row.label,
        row.tenant,
        frozenset(Permission(name) for name in row.permissions),
        row.reason,
        row.opened_at,
        row.expires_at,
        row.closed_at,
        row.closed_by,
        row.told_over,
    )
