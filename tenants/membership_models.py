"""Members' lives as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from control_plane.http.bounds import (
    CodeText,
    Name,
    RequestBody,
    ResponseBody,
    Sentence,
    ShortText,
    Statement,
)
from control_plane.journal.member_steps import StepName, Unit
from tenants.models import MemberOut
from tenants.quota_models import Amounts, AmountsIn

Address = Annotated[str, Field(max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$")]


class OwnSiteIn(RequestBody):
    """What the municipality runs itself until now, and whom to ask about it."""

    name: ShortText
    contact: ShortText


class FirstUserIn(RequestBody):
    """A person who administers the member from the start, as the identity provider `issuer` knows them;
    it may be left out where only one is trusted. With `email` in place of `subject` it is an invitation,
    where that provider's addresses are trusted."""

    name: ShortText
    issuer: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")] | None = None
    subject: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[!-~]+$")] | None = None
    email: Address | None = None


class MemberIn(RequestBody):
    """A municipality joins with the business systems named by `blueprints`. Name, reading,
    prefecture and population come from the member register; what is given here goes first. With
    `own_site` it is connected before it counts as hosted. `admins` come with it; `quota` is what it may
    ask for at most, half as much again as its systems need where nothing is said."""

    code: CodeText
    blueprints: Annotated[list[Name], Field(min_length=1, max_length=50)]
    region: Name | None = None
    name: ShortText | None = None
    kana: ShortText | None = None
    prefecture: ShortText | None = None
    population: int | None = Field(default=None, ge=0, le=20_000_000)
    own_site: OwnSiteIn | None = None
    admins: list[FirstUserIn] = Field(default_factory=list, max_length=20)
    quota: AmountsIn | None = None


class RejectIn(RequestBody):
    reason: Sentence


class ConnectIn(RequestBody):
    """`statement` says how it was seen that the site reaches the pool."""

    statement: Statement


class ContactIn(RequestBody):
    """What is left out is nobody's."""

    name: ShortText | None = None
    email: Address | None = None
    phone: Annotated[str, Field(max_length=30, pattern=r"^[0-9+() -]+$")] | None = None


class MemberChange(RequestBody):
    """`contact` is the member's own to change, `population` the consortium's."""

    contact: ContactIn | None = None
    population: int | None = Field(default=None, ge=0, le=20_000_000)


class OwnSiteOut(ResponseBody):
    name: str
    contact: str


class ContactOut(ResponseBody):
    name: str | None
    email: str | None
    phone: str | None


class FirstUserOut(ResponseBody):
    name: str
    issuer: str
    subject: str | None
    email: str | None


class AppliedFor(ResponseBody):
    blueprint: str
    version: int


class StepOut(ResponseBody):
    """One step on a member's way in or out: `done` of `total`, in `unit`. `of` names the part that it
    speaks of, such as a system or a file; a file's total is 0 until it is known."""

    name: StepName
    of: str | None
    done: int
    total: int
    unit: Unit
    ended: bool


class MemberDetails(MemberOut):
    """`operation` is that of the application while it waits, then that of joining, then that of leaving.
    Who applied, who decided and why is told while that is the newest step; the audit trail keeps all of
    them. `admins` and `quota` are what was applied for. `stage` says how far one that is leaving has come, `steps` tells it in detail."""

    region: str
    applied_for: list[AppliedFor]
    own_site: OwnSiteOut | None
    contact: ContactOut
    admins: list[FirstUserOut]
    quota: Amounts | None
    applied_by: str | None
    decided_by: str | None
    reason: str | None
    stage: Literal["exporting", "to-be-confirmed", "removing"] | None
    steps: list[StepOut]
    operation: str | None
    generation: int


class SizeChange(ResponseBody):
    """A server whose blueprint gives another size to so many residents."""

    server: str
    flavor: str
    would_be: str


class MemberChanged(MemberDetails):
    """`sizes` are what the blueprints would now choose otherwise; nothing is resized by itself."""

    sizes: list[SizeChange]
