"""How times, amounts and places of backups are told."""

from __future__ import annotations

from datetime import datetime

from control_plane.cli.catalogue_messages import BACKUP_PLACES
from control_plane.cli.output import local_time
from control_plane.cli.session import Session


def at(moment: datetime | None) -> str:
    return "-" if moment is None else local_time(moment.isoformat())


def place_word(session: Session, place: str | None) -> str:
    known = None if place is None else BACKUP_PLACES.get(place)
    return place or "-" if known is None else session.screen.text(known)


def hours(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.1f}"


def gigabytes(amount: int) -> str:
    return f"{amount / 10**9:.1f}"
