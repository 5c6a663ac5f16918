"""How the work goes that keeps repositories in order, which nobody asks for and nobody waits for: so that
it is known when it is not done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.work import Trouble
from control_plane.model.tenant import MunicipalityCode


class UpkeepWork(StrEnum):
    COLLECTING = "collecting"
    """What was let go is taken away, and what stays is kept under object lock."""
    REREADING = "rereading"
    HEALING = "healing"
    COPYING = "copying"
    TAKING_UP = "taking-up"
    """Runs that a control plane left under way."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One kind of work on what one member has in one repository. It was last done wholly at `done_at`, None:
    never, or that is not kept of this kind. With `failing_since` it is not done now, because of `trouble`;
    `told`: an event said so."""

    repository: RepositoryId
    tenant: MunicipalityCode
    work: UpkeepWork
    done_at: datetime | None = None
    failing_since: datetime | None = None
    trouble: Trouble | None = None
    told: bool = False

    def done(self, at: datetime) -> Upkeep:
        return Upkeep(self.repository, self.tenant, self.work, done_at=at)

    def failed(self, at: datetime, trouble: Trouble) -> Upkeep:
        return replace(self, failing_since=self.failing_since or at, trouble=trouble)
