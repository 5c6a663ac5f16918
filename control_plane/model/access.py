"""Who may ask for what, and the record of who asked: roles, permissions, tokens and audit entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    OPERATOR = "operator"
    """Looks after the pool."""
    APPROVER = "approver"
    """Is the second person: lets members in, publishes bindings, sets quotas."""
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""
    MEMBER_ADMIN = "member-admin"
    """Runs one member's systems and says who else may; sees nothing of other members."""
    MEMBER_USER = "member-user"
    """Works with one member's systems: looks, starts and stops."""

    @property
    def of_member(self) -> bool:
        """Whether it is held for one member, rather than for the consortium."""
        return self in (Role.MEMBER_ADMIN, Role.MEMBER_USER)


class Permission(StrEnum):
    """One thing that a request may need. A member's principal has it for its own things alone."""

    POOL_READ = "pool.read"
    POOL_WRITE = "pool.write"
    MEMBERS_READ = "members.read"
    MEMBERS_APPLY = "members.apply"
    MEMBERS_APPROVE = "members.approve"
    MEMBERS_LEAVE = "members.leave"
    CATALOGUE_READ = "catalogue.read"
    SYSTEMS_READ = "systems.read"
    SYSTEMS_WRITE = "systems.write"
    SERVERS_READ = "servers.read"
    SERVERS_POWER = "servers.power"
    SERVERS_WRITE = "servers.write"
    SERVERS_CONSOLE = "servers.console"
    SERVERS_MIGRATE = "servers.migrate"
    VOLUMES_READ = "volumes.read"
    VOLUMES_WRITE = "volumes.write"
    NETWORKS_READ = "networks.read"
    NETWORKS_WRITE = "networks.write"
    BINDINGS_APPROVE = "bindings.approve"
    BINDINGS_REVOKE = "bindings.revoke"
    HOST_NETWORK_READ = "host-network.read"
    """What a host's agent needs: the host's own plan, and to say what of it is made so."""
    IMAGES_READ = "images.read"
    IMAGES_WRITE = "images.write"
    """Add images of one's own, and remove them."""
    IMAGES_SHARE = "images.share"
    """Add images that every member may use."""
    USERS_READ = "users.read"
    USERS_WRITE = "users.write"
    TOKENS_READ = "tokens.read"
    TOKENS_WRITE = "tokens.write"
    QUOTAS_READ = "quotas.read"
    QUOTAS_WRITE = "quotas.write"
    AUDIT_READ = "audit.read"
    EVENTS_READ = "events.read"
    OPERATIONS_READ = "operations.read"
    BREAK_GLASS_OPEN = "break-glass.open"
    METRICS_READ = "metrics.read"
    BACKUPS_READ = "backups.read"
    """Sizes, times, places and proofs; never what is in a recovery point."""
    BACKUPS_WRITE = "backups.write"
    """Say how systems are backed up, where a member's data may lie, and that a point be taken now."""
    BACKUPS_RESTORE = "backups.restore"
    REPOSITORIES_WRITE = "repositories.write"
    DISASTERS_DECLARE = "disasters.declare"
    BACKUP_KEYS_WRITE = "backup-keys.write"
    """Ask that keys be exported, changed or destroyed."""
    BACKUP_KEYS_AGREE = "backup-keys.agree"
    """Be the second person without whom no key is destroyed."""


_P = Permission

_READS = frozenset(permission for permission in Permission if permission.endswith(".read"))

_MEMBER_USER = frozenset(
    {
        _P.CATALOGUE_READ,
        _P.SYSTEMS_READ,
        _P.SERVERS_READ,
        _P.VOLUMES_READ,
        _P.NETWORKS_READ,
        _P.IMAGES_READ,
        _P.OPERATIONS_READ,
        _P.EVENTS_READ,
        _P.SERVERS_POWER,
        _P.SERVERS_CONSOLE,
        _P.BACKUPS_READ,
    }
)

PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OPERATOR: _READS
        | {
            _P.POOL_WRITE,
            _P.MEMBERS_APPLY,
            _P.MEMBERS_LEAVE,
            _P.SYSTEMS_WRITE,
            _P.SERVERS_POWER,
            _P.SERVERS_WRITE,
            _P.SERVERS_CONSOLE,
            _P.SERVERS_MIGRATE,
            _P.IMAGES_WRITE,
            _P.IMAGES_SHARE,
            _P.USERS_WRITE,
            _P.TOKENS_WRITE,
            _P.QUOTAS_WRITE,
            _P.BREAK_GLASS_OPEN,
            _P.BACKUPS_WRITE,
            _P.BACKUPS_RESTORE,
            _P.REPOSITORIES_WRITE,
            _P.DISASTERS_DECLARE,
            _P.BACKUP_KEYS_WRITE,
        },
        Role.APPROVER: _READS
        | {
            _P.MEMBERS_APPROVE,
            _P.BINDINGS_APPROVE,
            _P.BINDINGS_REVOKE,
            _P.QUOTAS_WRITE,
            _P.DISASTERS_DECLARE,
            _P.BACKUP_KEYS_AGREE,
        },
        Role.AUDITOR: _READS,
        # The hardware and its figures belong to nobody in particular, so members read neither.
        Role.MEMBER_ADMIN: (_READS - {_P.POOL_READ, _P.METRICS_READ, _P.HOST_NETWORK_READ})
        | _MEMBER_USER
        | {
            _P.SYSTEMS_WRITE,
            _P.SERVERS_WRITE,
            _P.VOLUMES_WRITE,
            _P.NETWORKS_WRITE,
            _P.BINDINGS_REVOKE,
            _P.IMAGES_WRITE,
            _P.USERS_WRITE,
            _P.TOKENS_WRITE,
            _P.MEMBERS_LEAVE,
            _P.BACKUPS_WRITE,
            _P.BACKUPS_RESTORE,
            _P.BACKUP_KEYS_WRITE,
            _P.BACKUP_KEYS_AGREE,
        },
        Role.MEMBER_USER: _MEMBER_USER,
    }
)


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that have it, in the order of `Role`."""
    return tuple(role for role in Role if permission in PERMISSIONS[role])


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is kept: `hash` is a password hash of its secret part, never the secret.
    `tenant` is None for roles of the consortium; a token without `expires_at` lasts until it is
    revoked. With `scopes` it may do those of its role's permissions alone. `account` is the service
    account that it belongs to; `last_used_at` may be some minutes behind."""

    id: str
    hash: str = field(repr=False)
    role: Role
    tenant: str | None
    label: str
    expires_at: datetime | None = None
    scopes: frozenset[Permission] | None = None
    account: str | None = None
    created_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def permissions(self) -> frozenset[Permission]:
        of_role = PERMISSIONS[self.role]
        return of_role if self.scopes is None else of_role & self.scopes


@dataclass(frozen=True, slots=True)
class Session:
    """A short-lived token that was given for another: `hash` is a digest of its text, `whose` the id of
    that token, or of the user where `of_user`. One that is not `scoped` is for no project: it says who
    somebody is, and is good for nothing but to be given for one that is. `methods` are Keystone's words
    for how it was come by, from the first token on."""

    id: str
    hash: str = field(repr=False)
    whose: str
    of_user: bool
    begun_at: datetime
    expires_at: datetime
    scoped: bool = True
    methods: tuple[str, ...] = ("token",)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, and how it ended: `principal` is a token's id or a part of the control
    plane, `role` None for strangers, `action` a dotted verb such as `member.join`, `outcome` `done` or
    a problem's type. `hardware` is what only those who look after the pool read.

    The store gives the rest: the number among all entries, the place in the chain of its member (or of
    the consortium), the hash there, and the hash in the chain over all (model/audit_chain.py)."""

    at: datetime
    principal: str
    role: Role | None
    tenant: str | None
    action: str
    subject: str
    outcome: str
    fields: Mapping[str, object] | None = None
    sequence: int = 0
    hardware: Mapping[str, object] | None = None
    position: int = 0
    hash: str = ""
    link: str = ""
