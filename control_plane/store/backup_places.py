"""Where copies may lie: repositories, what backups may take of links, and members' rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import Row

from control_plane.model.backup.ids import LinkId, RepositoryId
from control_plane.model.backup.places import LocationRule, Repository
from control_plane.model.backup.sharing import Link
from control_plane.model.hours import DailyHours, MinuteOfDay
from control_plane.model.ids import Generation, RegionId, SiteId
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.tenant import MunicipalityCode
from control_plane.store.backup_tables import location_rules, region_links, repositories
from control_plane.store.failures import LostRace
from control_plane.store.rows import Rows, TenantName, already_exists, not_found

_REPOSITORIES = select(repositories).order_by(repositories.c.id)
_LINKS = select(region_links).order_by(region_links.c.id)
_RULES = select(location_rules).order_by(location_rules.c.tenant)


class BackupPlaceReads(Rows):
    def repositories(self, tenant: TenantName | None = None) -> tuple[Repository, ...]:
        """By id; with `tenant`, without those that are other members' own."""
        query = _REPOSITORIES
        if tenant is not None:
            owner = repositories.c.tenant
            query = query.where(or_(owner.is_(None), owner == str(tenant)))
        return tuple(_repository(row) for row in self._connection.execute(query))

    def repository(self, id: RepositoryId, tenant: TenantName | None = None) -> Repository:
        """With `tenant`, another member's own is not found."""
        row = self._row(repositories, id)
        if row is None or (tenant is not None and row.tenant not in (None, str(tenant))):
            raise not_found("repository", id)
        return _repository(row)

    def repository_description(self, id: RepositoryId) -> str | None:
        """What the repository said of itself when it was last read right; None: it was not yet."""
        row = self._first(select(repositories.c.description).where(repositories.c.id == id))
        return None if row is None else row.description

    def links(self) -> tuple[Link, ...]:
        """By id."""
        return tuple(_link(row) for row in self._connection.execute(_LINKS))

    def link(self, id: LinkId) -> Link:
        row = self._row(region_links, id)
        if row is None:
            raise not_found("link", id)
        return _link(row)

    def location_rules(self) -> tuple[LocationRule, ...]:
        """By the members' codes."""
        return tuple(_rule(row) for row in self._connection.execute(_RULES))

    def location_rule(self, tenant: TenantName) -> LocationRule | None:
        row = self._row(location_rules, tenant)
        return None if row is None else _rule(row)


class BackupPlaceWrites(BackupPlaceReads):
    def add_repository(self, repository: Repository) -> Repository:
        """Raises `repository-exists`."""
        if self._exists(repositories, repository.id):
            raise already_exists("repository", repository.id)
        values = {**_of_repository(repository), "generation": 1}
        self._connection.execute(insert(repositories).values(id=repository.id, **values))
        return replace(repository, generation=Generation(1))

    def save_repository(self, repository: Repository) -> Repository:
        """Answers it with the next generation. Raises LostRace."""
        saved = replace(repository, generation=Generation(repository.generation + 1))
        written = self._connection.execute(
            update(repositories)
            .where(
                repositories.c.id == repository.id,
                repositories.c.generation == repository.generation,
            )
            .values(_of_repository(saved))
        )
        if not written.rowcount:
            raise LostRace(f"repository {repository.id}")
        return saved

    def remember_description(self, id: RepositoryId, said: str) -> None:
        """For `repository_description`; the repository's generation stays."""
        self._connection.execute(
            update(repositories).where(repositories.c.id == id).values(description=said)
        )

    def remove_repository(self, id: RepositoryId) -> None:
        self._connection.execute(delete(repositories).where(repositories.c.id == id))

    def put_link(self, link: Link) -> Link:
        """Its generation becomes the next of what is on record."""
        row = self._first(select(region_links.c.generation).where(region_links.c.id == link.id))
        saved = replace(link, generation=Generation(1 if row is None else row.generation + 1))
        self.remove_link(link.id)
        hours = link.other_hours
        self._connection.execute(
            insert(region_links).values(
                id=link.id,
                regions=sorted(link.regions),
                mbit_per_s=link.mbit_per_s,
                other_begins=None if hours is None else hours.begins,
                other_ends=None if hours is None else hours.ends,
                other_mbit_per_s=link.other_mbit_per_s,
                generation=saved.generation,
            )
        )
        return saved

    def remove_link(self, id: LinkId) -> None:
        self._connection.execute(delete(region_links).where(region_links.c.id == id))

    def put_location_rule(self, rule: LocationRule) -> LocationRule:
        """In the place of the member's rule, where it has one."""
        before = self.location_rule(rule.tenant)
        generation = Generation(1 if before is None else before.generation + 1)
        self.remove_location_rule(rule.tenant)
        self._connection.execute(
            insert(location_rules).values(
                tenant=rule.tenant.text,
                prefectures=sorted(rule.prefectures),
                regions=sorted(rule.regions),
                basis=rule.basis,
                decided_on=rule.decided_on,
                recorded_by=rule.recorded_by,
                recorded_at=rule.recorded_at,
                generation=generation,
            )
        )
        return replace(rule, generation=generation)

    def remove_location_rule(self, tenant: TenantName) -> None:
        self._connection.execute(
            delete(location_rules).where(location_rules.c.tenant == str(tenant))
        )


def _of_repository(repository: Repository) -> dict[str, Any]:
    return {
        "name": repository.name,
        "place": repository.place,
        "key_ref": repository.key_ref,
        "prefecture": repository.prefecture,
        "region_id": repository.region,
        "site_id": repository.site,
        "domains": [[each.kind.value, each.name] for each in sorted(repository.domains)],
        "lock_days": repository.lock_days,
        "tenant": None if repository.tenant is None else repository.tenant.text,
        "retired": repository.retired,
        "checked_at": repository.checked_at,
        "trouble": repository.trouble,
        "former_key_ref": repository.former_key_ref,
        "generation": repository.generation,
    }


def _repository(row: Row[Any]) -> Repository:
    return Repository(
        id=RepositoryId(row.id),
        name=row.name,
        place=row.place,
        key_ref=row.key_ref,
        prefecture=row.prefecture,
        region=None if row.region_id is None else RegionId(row.region_id),
        site=None if row.site_id is None else SiteId(row.site_id),
        domains=frozenset(FailureDomain(DomainKind(kind), name) for kind, name in row.domains),
        lock_days=row.lock_days,
        tenant=None if row.tenant is None else MunicipalityCode(row.tenant),
        retired=row.retired,
        checked_at=row.checked_at,
        trouble=row.trouble,
        former_key_ref=row.former_key_ref,
        generation=Generation(row.generation),
    )


def _link(row: Row[Any]) -> Link:
    return Link(
        LinkId(row.id),
        frozenset(map(RegionId, row.regions)),
        row.mbit_per_s,
        None
        if row.other_begins is None
        else DailyHours(MinuteOfDay(row.other_begins), MinuteOfDay(row.other_ends)),
        row.other_mbit_per_s,
        Generation(row.generation),
    )


def _rule(row: Row[Any]) -> LocationRule:
    return LocationRule(
        MunicipalityCode(row.tenant),
        frozenset(row.prefectures),
        frozenset(map(RegionId, row.regions)),
        row.basis,
        row.decided_on,
        row.recorded_by,
        row.recorded_at,
        Generation(row.generation),
    )
