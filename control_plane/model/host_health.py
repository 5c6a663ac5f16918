"""Whether a host is well, as states that only offer the transitions that are safe.

A host that carries servers walks Up → Suspect → Confirmed → Fenced. Only a `Fenced` value holds the
evidence that restarting its servers elsewhere asks for, and the only way to a `Fenced` value is
`Confirmed.fence(evidence)`. A fenced or new host reaches Up through Cleaning alone. A transition
that is missing here can't be written: mypy refuses the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.fence import FenceEvidence


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Carries nothing yet: what runs there is looked at, and stale copies of servers are removed.

    A host that falls silent while cleaning stays here, since nothing of value is on it.
    """

    since: datetime

    def cleaned(self, at: datetime) -> Up:
        return Up(at)


@dataclass(frozen=True, slots=True)
class Up:
    since: datetime

    def suspect(self, at: datetime, channel: str) -> Suspect:
        """One channel has gone silent; `channel` names it."""
        return Suspect(at, channel)


@dataclass(frozen=True, slots=True)
class Suspect:
    since: datetime
    channel: str

    def answered(self, at: datetime) -> Up:
        return Up(at)

    def confirm(self, at: datetime, channel: str) -> Confirmed:
        """An independent channel agrees; `channel` names it."""
        if channel == self.channel:
            raise ValueError(f"channel {channel} cannot confirm its own suspicion")
        return Confirmed(at, (self.channel, channel))


@dataclass(frozen=True, slots=True)
class Confirmed:
    since: datetime
    channels: tuple[str, str]

    def answered(self, at: datetime) -> Up:
        """Back before any fence held, so nothing of it was started elsewhere."""
        return Up(at)

    def doubted(self, at: datetime, channel: str) -> Suspect:
        """One channel hears it again while `channel` stays silent: no longer agreed upon."""
        return Suspect(at, channel)

    def fence(self, evidence: FenceEvidence) -> Fenced:
        return Fenced(evidence.at, evidence)


@dataclass(frozen=True, slots=True)
class Fenced:
    since: datetime
    evidence: FenceEvidence

    def returned(self, at: datetime) -> Cleaning:
        return Cleaning(at)


HostHealth = Cleaning | Up | Suspect | Confirmed | Fenced
