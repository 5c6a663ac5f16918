"""Everything that says how a system is backed up, read once for all systems of a look around."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import (
    BackupSource,
    LocationRule,
    Repository,
    as_known,
    assign,
    home_of,
)
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace, BackupPolicy
from control_plane.model.blueprint import OWN, Blueprint, System
from control_plane.model.errors import YuiError
from control_plane.model.hours import MinuteOfDay, ServiceWindow
from control_plane.model.ids import BlueprintId, HostId, SystemId
from control_plane.model.pool import Host
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.workload import Moving, Placed, Server
from control_plane.store import Snapshot
from control_plane.store.recovery_points import SetPolicy

OF_OWN_SYSTEMS = BackupPolicy(
    24,
    (
        BackupCopy(
            BackupInterval.DAY,
            14,
            (BackupPlace.ON_SITE, BackupPlace.OTHER_REGION),
            MinuteOfDay(23 * 60),
        ),
    ),
)
"""For systems of members' own, which no blueprint describes, until they say otherwise."""


class Blueprints(Protocol):
    """Where systems' usual policies come from: a catalogue."""

    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:
        """Raises `blueprint-not-found`."""
        ...


@dataclass(frozen=True, slots=True)
class SystemBackup:
    """How one system is backed up. `own` is None while its blueprint's policy holds; `assigned` has no
    place for which there is no repository; `since` is from when on it is so. `name` is for people."""

    system: System
    name: str
    policy: BackupPolicy
    own: SetPolicy | None
    service_hours: tuple[ServiceWindow, ...]
    since: datetime
    source: BackupSource
    servers: tuple[Server, ...]
    groups: bool
    """Whether it has container groups, which may keep something."""
    rule: LocationRule | None
    assigned: Mapping[BackupPlace, Repository]
    places: Mapping[RepositoryId, BackupPlace]
    """What every repository is to it, assigned or not, as far as its policy knows; without other
    members' own."""
    apart: frozenset[RepositoryId]
    """Those that stand apart from it."""

    @property
    def home(self) -> Repository | None:
        """Where its points are written first; None: it can't be backed up."""
        return home_of(self.assigned)


@dataclass(frozen=True, slots=True)
class Estate:
    systems: Mapping[SystemId, SystemBackup]
    repositories: Mapping[RepositoryId, Repository]
    rules: Mapping[MunicipalityCode, LocationRule]
    disasters: Sequence[DisasterDeclaration]

    @staticmethod
    def read(
        tx: Snapshot,
        blueprints: Blueprints,
        *,
        tenant: MunicipalityCode | None = None,
        systems: Collection[SystemId] | None = None,
    ) -> Estate:
        """Of all systems, of one member's, or of those named; what is gone is left out."""
        repositories = tx.repositories()
        rules = {rule.tenant: rule for rule in tx.location_rules()}
        hosts = tx.hosts()
        by_id = {host.id: host for host in hosts}
        own = tx.backup_policies()
        servers: defaultdict[SystemId, list[Server]] = defaultdict(list)
        alone = next(iter(systems)) if systems is not None and len(systems) == 1 else None
        grouped = {each.system for each in tx.container_groups(tenant, system=alone)}
        if systems is not None and len(systems) == 1:
            (one,) = systems
            found = _present(tx, one, tenant)
            servers[one] = list(tx.servers(system=one))
        else:
            found = [s for s in tx.systems(tenant) if systems is None or s.id in systems]
            for server in tx.servers(tenant):
                servers[server.system].append(server)
        return Estate(
            {
                system.id: _system_backup(
                    system,
                    own.get(system.id),
                    blueprints,
                    servers=servers[system.id],
                    groups=system.id in grouped,
                    source=_source(system, servers[system.id], by_id, hosts),
                    repositories=repositories,
                    rule=rules.get(system.tenant),
                )
                for system in found
            },
            {each.id: each for each in repositories},
            rules,
            tx.disasters(in_force=True),
        )


def _present(tx: Snapshot, id: SystemId, tenant: MunicipalityCode | None) -> list[System]:
    try:
        return [tx.system(id, tenant)]
    except YuiError:
        return []


def usual_policy(
    system: System, blueprints: Blueprints
) -> tuple[BackupPolicy, tuple[ServiceWindow, ...], str]:
    """Its blueprint's, with the hours in which it is in use, and what it is called."""
    if system.blueprint == OWN:
        return OF_OWN_SYSTEMS, (), system.name or system.id
    try:
        blueprint = blueprints.blueprint(system.blueprint, system.blueprint_version)
    except YuiError:
        # A catalogue that lost a version must not be the end of backups.
        return OF_OWN_SYSTEMS, (), system.name or system.id
    policy = blueprint.backup if blueprint.backup.copies else OF_OWN_SYSTEMS
    return policy, blueprint.service_hours, blueprint.name_ja


def _source(
    system: System,
    servers: Sequence[Server],
    by_id: Mapping[HostId, Host],
    hosts: Sequence[Host],
) -> BackupSource:
    """Of a server that is on no host, all that reach its disks count: it may come to be on any of them."""
    on: dict[HostId, Host] = {}
    for server in servers:
        match server.placement:
            case Placed(host=host):
                stand = [by_id[host]] if host in by_id else []
            case Moving(source=source, target=target):
                stand = [by_id[each] for each in (source, target) if each in by_id]
            case _:
                stand = [host for host in hosts if server.storage in host.storage]
        on.update((host.id, host) for host in stand)
    if not on:
        on = {host.id: host for host in hosts if host.region == system.region}
    return BackupSource.of(system.tenant, system.region, on.values())


def _system_backup(
    system: System,
    own: SetPolicy | None,
    blueprints: Blueprints,
    *,
    servers: Sequence[Server],
    groups: bool,
    source: BackupSource,
    repositories: Sequence[Repository],
    rule: LocationRule | None,
) -> SystemBackup:
    usual, hours, name = usual_policy(system, blueprints)
    policy = usual if own is None else own.policy
    places = {
        each.id: as_known(policy, place)
        for each in repositories
        if (place := source.place_of(each)) is not None
    }
    return SystemBackup(
        system=system,
        name=name,
        policy=policy,
        own=own,
        service_hours=hours,
        since=system.created_at if own is None else max(own.set_at, system.created_at),
        source=source,
        servers=tuple(servers),
        groups=groups,
        rule=rule,
        assigned=assign(policy, source, repositories, rule),
        places=places,
        apart=frozenset(each.id for each in repositories if source.apart(each)),
    )
