"""What a member says that it has at home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.backup.ids import RecoveryPointId
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class MemberCopy:
    """The newest point of a system that the member's own people have fetched whole, as they told.

    Nobody else can look at it: neither retention nor any objective relies on it."""

    system: SystemId
    tenant: MunicipalityCode
    point: RecoveryPointId
    taken_at: datetime
    told_at: datetime
    told_by: str
