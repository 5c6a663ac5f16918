"""Lent room that is asked back, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from control_plane.http.bounds import CodeText, RequestBody, ResponseBody, Statement
from control_plane.pool.plan import ChangePlan


class Room(ResponseBody):
    """Of hosts; no disk is ever given back."""

    vcpus: int
    memory_mib: int


class ReclaimIn(RequestBody):
    """Either an amount, or the member whose guarantee lacks room. Servers of tier 0 and protected ones
    are left alone unless `word`, an operator's reason, says otherwise."""

    vcpus: Annotated[int, Field(ge=0, le=10**6)] = 0
    memory_mib: Annotated[int, Field(ge=0, le=10**9)] = 0
    tenant: CodeText | None = None
    word: Statement | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ReclaimIn:
        if (self.tenant is None) == (self.vcpus == self.memory_mib == 0):
            raise PydanticCustomError("either_or", "takes either an amount or a member")
        return self


class NoticeOut(ResponseBody):
    """What one borrower is to give back, and how much it may use then. Unless it does, by whatever
    means, `servers` are shelved, and no others."""

    tenant: str
    give_back: Room
    may_use: Room
    servers: list[str]


ReclaimStateName = Literal["noticed", "due", "decided", "done", "withdrawn"]


class ReclaimOut(ResponseBody):
    """Members see their own notice and what was shelved of theirs, and nothing of others: `asked`,
    `tenant`, `word` and `asked_by` are null for them. `due`: the notice has ended and an approver
    decides; `decided`: it is being carried out."""

    id: str
    region: str
    state: ReclaimStateName
    asked: Room | None
    tenant: str | None
    word: str | None
    asked_by: str | None
    asked_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    notices: list[NoticeOut]
    shelved: list[str]
    generation: int


class ReclaimRehearsal(ChangePlan):
    """Who would be told what, until when; and what would change if nobody gave anything back."""

    ends_at: datetime
    notices: list[NoticeOut]
