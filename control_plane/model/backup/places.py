"""Where copies can be kept, which of these stand apart from what they are copies of, and what a member
has laid down about where its data may lie."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.policy import BackupPlace, BackupPolicy
from control_plane.model.ids import Generation, RegionId, SiteId
from control_plane.model.pool import DomainKind, FailureDomain, Host
from control_plane.model.tenant import MunicipalityCode

_TELLING = frozenset({DomainKind.SITE, DomainKind.POWER, DomainKind.HAZARD})
"""What takes more than one machine of a place down with it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One place that holds recovery points. `region` and `site` are where it stands, None for a place that
    is none of the pool's; `prefecture` as in 京都府. `domains` are what it can fail with, its site among
    them. `place` is its address (`file:///path`, `s3://bucket/prefix?…`) and `key_ref` names the secret
    that wraps members' keys (`file:/path`, `env:NAME`); neither holds one. `former_key_ref` names the one before
    it, while some are not wrapped anew yet. What is put there can't be
    removed for `lock_days`. `tenant`: it is that member's own, for its copies alone. A `retired` one gets
    nothing new. `trouble` is what the last check found."""

    id: RepositoryId
    name: str
    place: str
    key_ref: str
    prefecture: str
    region: RegionId | None = None
    site: SiteId | None = None
    domains: frozenset[FailureDomain] = frozenset()
    lock_days: int = 0
    tenant: MunicipalityCode | None = None
    retired: bool = False
    checked_at: datetime | None = None
    trouble: str | None = None
    former_key_ref: str | None = None
    generation: Generation = Generation(1)

    @staticmethod
    def domains_of(site: SiteId | None, hazards: Iterable[str]) -> frozenset[FailureDomain]:
        at = () if site is None else (FailureDomain(DomainKind.SITE, site),)
        return frozenset(at) | {FailureDomain(DomainKind.HAZARD, each) for each in hazards}

    @property
    def hazards(self) -> tuple[str, ...]:
        return tuple(sorted(d.name for d in self.domains if d.kind is DomainKind.HAZARD))


@dataclass(frozen=True, slots=True)
class BackupSource:
    """Where a system's servers stand, and all that they can fail with."""

    tenant: MunicipalityCode
    region: RegionId
    sites: frozenset[SiteId] = frozenset()
    domains: frozenset[FailureDomain] = field(default_factory=frozenset)

    @staticmethod
    def of(tenant: MunicipalityCode, region: RegionId, hosts: Iterable[Host]) -> BackupSource:
        """A system whose servers are on `hosts`, or may come to be on any of them."""
        stand = tuple(hosts)
        sites = frozenset(host.site for host in stand)
        domains = {d for host in stand for d in host.domains if d.kind in _TELLING}
        buildings = {FailureDomain(DomainKind.SITE, site) for site in sites}
        return BackupSource(tenant, region, sites, frozenset(domains | buildings))

    def place_of(self, repository: Repository) -> BackupPlace | None:
        """What the repository is to it; None for another member's."""
        if repository.tenant is not None:
            return BackupPlace.MEMBER if repository.tenant == self.tenant else None
        if repository.region != self.region:
            return BackupPlace.OTHER_REGION
        return BackupPlace.ON_SITE if repository.site in self.sites else BackupPlace.OFF_SITE

    def shared_with(self, repository: Repository) -> tuple[FailureDomain, ...]:
        """What would take both down; nothing for a repository that stands apart."""
        return tuple(sorted(self.domains & repository.domains))

    def apart(self, repository: Repository) -> bool:
        """One whose site isn't known is not known to stand apart, unless it is in another region."""
        if self.shared_with(repository):
            return False
        return repository.site is not None or repository.region != self.region


@dataclass(frozen=True, slots=True)
class LocationRule:
    """Where a member's data may lie: in these prefectures and these regions, and nowhere else. `basis` is
    the ordinance or the approval that says so, in the member's words, of `decided_on`."""

    tenant: MunicipalityCode
    prefectures: frozenset[str]
    regions: frozenset[RegionId]
    basis: str
    decided_on: date
    recorded_by: str
    recorded_at: datetime
    generation: Generation = Generation(1)

    def allows(self, repository: Repository) -> bool:
        """Its own repository always."""
        return (
            repository.tenant == self.tenant
            or repository.prefecture in self.prefectures
            or (repository.region is not None and repository.region in self.regions)
        )


def assign(
    policy: BackupPolicy,
    source: BackupSource,
    repositories: Collection[Repository],
    rule: LocationRule | None,
) -> Mapping[BackupPlace, Repository]:
    """Which repository each place of the policy means: one that the rule allows, of those that stand apart
    from the source if there are any, in the first of the policy's regions that has one, else the first by
    id. Where there is none on the site, one in another building of the region does as well, unless the
    policy knows that place apart: after a failure a system may stand in another building than before.
    A place that none serves is left out."""
    chosen: dict[BackupPlace, Repository] = {}
    order = {region: index for index, region in enumerate(policy.regions)}
    for place in policy.places:
        fit = [
            each
            for each in repositories
            if _serves(policy, place, source.place_of(each))
            and not each.retired
            and (rule is None or rule.allows(each))
            and (place is not BackupPlace.OTHER_REGION or not order or each.region in order)
        ]
        if fit:
            chosen[place] = min(
                fit,
                key=lambda each: (
                    source.place_of(each) is not place,
                    order.get(each.region, 0) if each.region is not None else 0,
                    not source.apart(each),
                    each.id,
                ),
            )
    return chosen


def _serves(policy: BackupPolicy, wanted: BackupPlace, place: BackupPlace | None) -> bool:
    nearby = wanted is BackupPlace.ON_SITE and place is BackupPlace.OFF_SITE
    return place is wanted or (nearby and BackupPlace.OFF_SITE not in policy.places)


def as_known(policy: BackupPolicy, place: BackupPlace) -> BackupPlace:
    """What lies in the region of its system, as the policy knows it: a system that has moved to another
    building has what lay on its site off its site, and the other way round. Where the policy knows but one
    of the two, both are that: nothing goes because a system moved."""
    both = (BackupPlace.ON_SITE, BackupPlace.OFF_SITE)
    near = [each for each in both if each in policy.places]
    return near[0] if place in both and place not in near and near else place


def home_of(assigned: Mapping[BackupPlace, Repository]) -> Repository | None:
    """Where points are written first, and copied from: the nearest place, which no member's own is."""
    return next(
        (assigned[p] for p in BackupPlace if p in assigned and p is not BackupPlace.MEMBER), None
    )
