"""What a rehearsal about backups answers. Nothing about them changes any certificate, nor takes capacity of hosts."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from control_plane.pool.plan import Difference, Rehearsal


class BackupPlan(Rehearsal):
    """What a request would do; nothing of it is written. `warnings` are sentences about what would still
    be missing, in English and Japanese."""

    warnings: list[dict[str, str]] = Field(default_factory=list)


def plan(*diff: Difference, warnings: Sequence[tuple[str, str]] = ()) -> BackupPlan:
    return BackupPlan(diff=list(diff), warnings=[{"en": en, "ja": ja} for en, ja in warnings])
