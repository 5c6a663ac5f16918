"""Lent room is asked back: borrowers are told what to give back and by when, and what becomes of it.

Noticed → done, where it was asked for a guarantee; otherwise noticed → due, and an approver's word
leads on to done. Until then it can be withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from control_plane.model.allotment import Capacity
from control_plane.model.ids import Generation, ReclaimId, RegionId, ServerId
from control_plane.model.tenant import MunicipalityCode


class ReclaimState(StrEnum):
    NOTICED = "noticed"
    DUE = "due"
    """The notice has ended, and nobody's guarantee needs the room: an approver decides."""
    DECIDED = "decided"
    """An approver has said that it is to be carried out."""
    DONE = "done"
    WITHDRAWN = "withdrawn"

    @property
    def open(self) -> bool:
        return self not in (ReclaimState.DONE, ReclaimState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Notice:
    """What one borrower is to give back, of which resources it may use `most` then. Unless it does,
    these servers are shelved, and no others. Of disk it says nothing."""

    tenant: MunicipalityCode
    due: Capacity
    most: Capacity
    servers: tuple[ServerId, ...]

    def met(self, used: Capacity) -> bool:
        """However it got there: by deleting these servers, or by shrinking others."""
        return used.size.fits_in(self.most.size)


@dataclass(frozen=True, slots=True)
class Reclaim:
    """`beneficiary` is the member whose guarantee lacks room; without one, `asked` is what is needed.
    `word` is an operator's reason for naming servers of tier 0 or protected ones too. `shelved` are
    the servers that were shelved in the end."""

    id: ReclaimId
    region: RegionId
    asked: Capacity
    beneficiary: MunicipalityCode | None
    notices: tuple[Notice, ...]
    asked_by: str
    asked_at: datetime
    ends_at: datetime
    state: ReclaimState = ReclaimState.NOTICED
    word: str | None = None
    shelved: tuple[ServerId, ...] = ()
    ended_at: datetime | None = None
    generation: Generation = Generation(1)

    def notice_to(self, tenant: MunicipalityCode) -> Notice | None:
        return next((one for one in self.notices if one.tenant == tenant), None)

    def ended(self, state: ReclaimState, at: datetime) -> Reclaim:
        return replace(self, state=state, ended_at=at)
