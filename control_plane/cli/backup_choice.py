"""Which recovery point is meant where a time is named instead: people know when it happened, not what the
point of that night is called."""

from __future__ import annotations

from datetime import datetime, timedelta

from backup.api.models import PointOut
from control_plane.cli import backup_messages as b
from control_plane.cli.backup_figures import at as shown_at
from control_plane.cli.session import Session, read_all
from control_plane.model.errors import YuiError
from control_plane.model.hours import JAPAN

_MINUTE, _DAY = "%Y-%m-%dT%H:%M", "%Y-%m-%d"


def point_before(session: Session, system: str, when: str) -> PointOut:
    """The newest complete point that shows the system as it was at `when` (Japan's clock; of a day alone, at
    its end) or before. Raises YuiError `time-unreadable`, `no-recovery-point-then`."""
    moment = moment_of(when)
    found = read_all(PointOut, session.api.every("/v1/recovery-points", system=system))
    whole = [point for point in found if point.state == "complete"]
    then = [point for point in whole if point.taken_at <= moment]
    if not then:
        oldest = min((point.taken_at for point in whole), default=None)
        said = b.NO_POINTS_AT_ALL if oldest is None else b.NO_POINT_THEN
        words = {"system": system, "when": when, "oldest": shown_at(oldest)}
        raise YuiError(
            "no-recovery-point-then", en=said.en.format(**words), ja=said.ja.format(**words)
        )
    return max(then, key=lambda point: (point.taken_at, point.id))


def moment_of(when: str) -> datetime:
    """Raises YuiError `time-unreadable`."""
    for form, more in ((_MINUTE, timedelta()), (_DAY, timedelta(days=1))):
        try:
            return datetime.strptime(when, form).replace(tzinfo=JAPAN) + more
        except (ValueError, OverflowError):
            continue
    raise YuiError(
        "time-unreadable",
        en=b.TIME_UNREADABLE.en.format(when=when[:40]),
        ja=b.TIME_UNREADABLE.ja.format(when=when[:40]),
    )
