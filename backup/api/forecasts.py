"""What is answered to the question when a copy will have arrived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from backup.api.models import ForecastOut
from backup.records.estate import SystemBackup
from backup.records.lacking import queued
from control_plane.model.backup.forecast import Forecast, Lacking, Queued, forecast, size_text
from control_plane.model.backup.places import Repository
from control_plane.model.backup.sharing import Link
from control_plane.model.ids import RegionId


def forecast_out(
    backup: SystemBackup,
    target: Repository,
    left: Lacking | None,
    *,
    others: Sequence[Queued],
    source: RegionId | None,
    links: Sequence[Link],
    now: datetime,
) -> ForecastOut:
    """`left` None: nobody knows how much it is. `source` is the region that it is read in."""
    system = backup.system
    found: Forecast | None = None
    link: Link | None = None
    if left is None:
        said = (
            f"How much of {backup.name} there is to copy to {target.name} is not known before its first recovery point.",
            f"{backup.name}から{target.name}へのコピーの量は、最初の復元ポイントができるまで分かりません。",
        )
    else:
        wanted = queued(
            left,
            target,
            links,
            system=system.id,
            member=system.tenant,
            tier=system.tier,
            most_mbit_per_s=backup.policy.most_mbit_per_s,
            source=source,
        )
        link = wanted.link
        if link is None and left.bytes:
            said = _without_link(left, source, target)
        else:
            rest = [each for each in others if each.stream.id != wanted.stream.id]
            found = forecast(wanted, rest, now)
            said = found.sentences(left, target.name, target.name)
    hours = None if found is None else found.hours
    return ForecastOut(
        system=system.id,
        repository=target.id,
        bytes=None if left is None else left.bytes,
        first=None if left is None else left.first,
        at_most=found is not None and found.at_most,
        link=None if link is None else link.id,
        hours=None if hours is None else round(hours, 2),
        arrives_at=None if found is None else found.arrives_at,
        en=said[0],
        ja=said[1],
    )


def _without_link(left: Lacking, source: RegionId | None, target: Repository) -> tuple[str, str]:
    size = size_text(left.bytes)
    if source == target.region:
        return (
            f"{target.name} is in the region that is copied from, where no budget holds copies back: how long {size} take is not known.",
            f"{target.name}はコピー元と同じ地域にあり、回線の割り当てがないため、{size} の所要時間は分かりません。",
        )
    return (
        f"Nobody has set what backups may take of the way to {target.name}, so how long {size} take is not known: set it with `yui link set`.",
        f"{target.name}までの回線の割り当てが登録されていないため、{size} の所要時間は分かりません。`yui link set` で登録してください。",
    )
