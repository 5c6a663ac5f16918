"""What is written down of a server beside what it is: its beginning, and its owner's own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

MOST_LABELS = 128
MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class ServerNotes:
    """Labels and tags mean nothing to Yui. `made_by` is the service account, the user or the token that
    asked for the server by itself; None where it came with something larger, such as its system, which is
    then as old as it is where `made_at` is None."""

    made_at: datetime | None = None
    made_by: str | None = None
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
