"""What a system's backups were to keep to, and where they don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from control_plane.model.backup.gaps import longest_gap
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.points import BackupStanding
from control_plane.model.backup.policy import BackupPlace, BackupPolicy

_ON_ITS_WAY_FOR = 4
"""What part of its objective a point may be on its way for."""
_LATE_BY = 24
"""What part of it a point may be later in its slot than the one before was: an hour in a day."""


class Shortfall(StrEnum):
    NO_POINT = "no-point"
    NO_REPOSITORY = "no-repository"
    OBJECTIVE_MISSED = "objective-missed"
    AWAY_MISSED = "away-objective-missed"
    NOTHING_AWAY = "nothing-away"
    COPY_LATE = "copy-late"
    NEVER_PROVEN = "never-proven"
    PROOF_TOO_OLD = "proof-too-old"


@dataclass(frozen=True, slots=True)
class Breach:
    """`since` is when it began; `repository` the one that a late copy is for, `place` the one that no
    repository serves, or none that the member's rule allows."""

    what: Shortfall
    since: datetime
    repository: RepositoryId | None = None
    place: BackupPlace | None = None

    def sentences(self, now: datetime) -> tuple[str, str]:
        """Each without the system's name: "…, for 3 h"."""
        hours = max(0, int((now - self.since).total_seconds() // 3600))
        en, ja = _SENTENCES[self.what]
        where = self.place or self.repository or ""
        where_ja = self.repository or "" if self.place is None else self.place.ja
        return en.format(where=where, hours=hours), ja.format(where=where_ja, hours=hours)


_SENTENCES: Mapping[Shortfall, tuple[str, str]] = {
    Shortfall.NO_POINT: (
        "nothing of it has been backed up yet",
        "バックアップがまだ一つもありません",
    ),
    Shortfall.NO_REPOSITORY: (
        "there is no repository for its {where} copies",
        "{where}に置くコピーのためのリポジトリがありません",
    ),
    Shortfall.OBJECTIVE_MISSED: (
        "its newest recovery point has been older than its objective for {hours} h",
        "最新の復元ポイントが目標の古さを {hours} 時間超えています",
    ),
    Shortfall.AWAY_MISSED: (
        "its newest copy apart from it has been older than its objective for {hours} h",
        "離れた場所にある最新のコピーが目標の古さを {hours} 時間超えています",
    ),
    Shortfall.NOTHING_AWAY: (
        "no copy of it stands apart from it",
        "離れた場所にコピーが一つもありません",
    ),
    Shortfall.COPY_LATE: (
        "what should have arrived in repository '{where}' has been late for {hours} h",
        "リポジトリ「{where}」へのコピーが {hours} 時間遅れています",
    ),
    Shortfall.NEVER_PROVEN: (
        "no restore of it has ever been proven",
        "復元が一度も確かめられていません",
    ),
    Shortfall.PROOF_TOO_OLD: (
        "its last proven restore is older than its policy wants",
        "最後に確かめた復元が、方針で定めた期間より古くなっています",
    ),
}


def breaches(
    policy: BackupPolicy,
    standing: BackupStanding,
    assigned: Mapping[BackupPlace, RepositoryId],
    began_at: datetime,
    now: datetime,
) -> tuple[Breach, ...]:
    """What is not as the policy says. `began_at` is since when the policy holds: nothing is late that could
    not have been there. A copy is late once a slot has passed since the point before should have come.

    A point counts from when it was taken, and it takes time to be written and to arrive elsewhere. So while
    the next one, taken in time, is on its way, nothing is missed yet, for a quarter of the objective at most."""
    if not policy.copies:
        return ()
    nowhere = [
        Breach(Shortfall.NO_REPOSITORY, began_at, place=place)
        for place in policy.places
        if place not in assigned and place is not BackupPlace.MEMBER
    ]
    if standing.newest is None:
        return (Breach(Shortfall.NO_POINT, began_at), *nowhere)

    def aged(
        what: Shortfall,
        at: datetime | None,
        hours: int,
        where: RepositoryId | None = None,
        coming: datetime | None = None,
    ) -> list[Breach]:
        allowed = timedelta(hours=hours)
        limit = (began_at if at is None else at) + allowed
        in_time = coming is not None and coming <= limit + allowed / _LATE_BY
        if coming is not None and in_time and now <= coming + allowed / _ON_ITS_WAY_FOR:
            return []
        return [Breach(what, limit, where)] if now > limit else []

    next_one = standing.under_way
    found = aged(Shortfall.OBJECTIVE_MISSED, standing.newest, policy.rpo_hours, coming=next_one)
    if standing.newest_away is None:
        found.append(Breach(Shortfall.NOTHING_AWAY, began_at))
    elif policy.rpo_away_hours is not None:
        if standing.newest > standing.newest_away:
            next_one = standing.newest
        found += aged(
            Shortfall.AWAY_MISSED, standing.newest_away, policy.rpo_away_hours, coming=next_one
        )
    for place, repository in sorted(assigned.items()):
        there = standing.by_repository.get(repository)
        if place is BackupPlace.MEMBER or there == standing.newest:
            continue
        # Twice the longest pause, since a copy begins when its point is whole and takes its time.
        pause = longest_gap(copy for copy in policy.copies if place in copy.places)
        found += aged(Shortfall.COPY_LATE, there, 2 * pause, repository)
    return (*nowhere, *found, *_unproven(policy, standing.proven_at, began_at, now))


def _unproven(
    policy: BackupPolicy, proven_at: datetime | None, began_at: datetime, now: datetime
) -> list[Breach]:
    if policy.test_every_days is None:
        return []
    limit = (began_at if proven_at is None else proven_at) + timedelta(days=policy.test_every_days)
    what = Shortfall.NEVER_PROVEN if proven_at is None else Shortfall.PROOF_TOO_OLD
    return [Breach(what, limit)] if now > limit else []


def lag(newest: datetime | None, now: datetime) -> timedelta | None:
    """How much work would be lost if all but that were gone now; None where all of it would."""
    return None if newest is None else max(timedelta(), now - newest)
