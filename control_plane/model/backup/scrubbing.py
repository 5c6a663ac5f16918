"""How far a repository was read to see whether its bytes are what they should be, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.backup.ids import FindingId, RecoveryPointId, RepositoryId
from control_plane.model.ids import Generation
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class ScrubState:
    """Of one member's objects in one repository: everything up to the key `cursor` was read in this pass.
    `passes` have ended so far, the last of them at `passed_at`."""

    repository: RepositoryId
    tenant: MunicipalityCode
    began_at: datetime
    cursor: str = ""
    read_bytes: int = 0
    passes: int = 0
    passed_at: datetime | None = None

    def advanced(self, cursor: str, read_bytes: int) -> ScrubState:
        return ScrubState(
            self.repository,
            self.tenant,
            self.began_at,
            cursor,
            self.read_bytes + read_bytes,
            self.passes,
            self.passed_at,
        )

    def ended(self, at: datetime) -> ScrubState:
        """The next pass begins at the first key."""
        return ScrubState(self.repository, self.tenant, at, "", 0, self.passes + 1, at)


@dataclass(frozen=True, slots=True)
class Found:
    since: datetime

    def heal(self, at: datetime, source: RepositoryId) -> Healed:
        return Healed(at, source)

    def lose(self, at: datetime) -> Lost:
        """No other repository has it whole."""
        return Lost(at)


@dataclass(frozen=True, slots=True)
class Healed:
    since: datetime
    source: RepositoryId


@dataclass(frozen=True, slots=True)
class Lost:
    """For now: a repository that comes back may have it."""

    since: datetime

    def heal(self, at: datetime, source: RepositoryId) -> Healed:
        return Healed(at, source)


FindingStanding = Found | Healed | Lost


@dataclass(frozen=True, slots=True)
class ScrubFinding:
    """`key` is the damaged object's; `points` are those that need it, as far as is known."""

    id: FindingId
    repository: RepositoryId
    tenant: MunicipalityCode
    key: str
    what: str
    found_at: datetime
    standing: FindingStanding
    points: tuple[RecoveryPointId, ...] = ()
    generation: Generation = Generation(1)
