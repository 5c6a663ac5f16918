"""Policies, points and places for the tests of what is kept where."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.places import BackupSource, LocationRule, Repository
from control_plane.model.backup.policy import BackupCopy, BackupInterval, BackupPlace, BackupPolicy
from control_plane.model.backup.retention import HeldPoint
from control_plane.model.hours import JAPAN, MinuteOfDay
from control_plane.model.ids import RegionId, SiteId
from control_plane.model.pool import DomainKind, FailureDomain
from control_plane.model.tenant import MunicipalityCode

EXAMPLES = Path(__file__).parents[3] / "examples" / "backup"
UJI = MunicipalityCode("262048")
ON, OFF, FAR, MEMBER = BackupPlace
RIVER = FailureDomain(DomainKind.HAZARD, "yodo-flood")


def japan(text: str) -> datetime:
    """As in `2026-04-01 23:30`, by Japan's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=JAPAN)


def copy(
    every: str,
    generations: int,
    *places: BackupPlace,
    at: str | None = None,
    until: str | None = None,
) -> BackupCopy:
    def minute(text: str | None) -> MinuteOfDay | None:
        return None if text is None else MinuteOfDay(int(text[:2]) * 60 + int(text[3:]))

    return BackupCopy(
        BackupInterval(every), generations, places or (ON,), minute(at), minute(until)
    )


def policy(*copies: BackupCopy, rpo_hours: int = 24) -> BackupPolicy:
    return BackupPolicy(rpo_hours, copies)


def nightly(first: str, nights: int, *places: BackupPlace) -> list[HeldPoint]:
    """One whole point at each of so many nights."""
    begin = japan(first)
    return [
        HeldPoint(
            RecoveryPointId((begin + timedelta(days=n)).strftime("%m-%d")),
            (begin + timedelta(days=n)).astimezone(UTC),
            places=frozenset(places or (ON,)),
        )
        for n in range(nights)
    ]


def repository(
    name: str,
    region: str = "kyoto",
    site: str | None = None,
    *hazards: str,
    prefecture: str = "京都府",
) -> Repository:
    at = None if site is None else SiteId(site)
    return Repository(
        RepositoryId(name),
        name,
        f"file:///srv/{name}",
        f"env:{name.upper()}",
        prefecture,
        RegionId(region),
        at,
        Repository.domains_of(at, hazards),
    )


SOURCE = BackupSource(
    UJI,
    RegionId("kyoto"),
    frozenset({SiteId("kyoto-dc")}),
    frozenset({FailureDomain(DomainKind.SITE, "kyoto-dc"), RIVER}),
)
CELLAR = repository("cellar", "kyoto", "kyoto-dc", "yodo-flood")
RIVERSIDE = repository("riverside", "kyoto", "kyoto-annex", "yodo-flood")
HILL = repository("hill", "kyoto", "kyoto-hill")
KAGOSHIMA = repository("kagoshima", "kagoshima", "kagoshima-dc", prefecture="鹿児島県")


def rule(*prefectures: str) -> LocationRule:
    return LocationRule(
        UJI,
        frozenset(prefectures),
        frozenset(),
        "個人情報保護条例 第12条",
        date(2026, 3, 1),
        "u-1",
        japan("2026-03-02 09:00"),
    )
