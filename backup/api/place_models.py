"""Repositories, links and members' rules as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from control_plane.http.bounds import CodeText, Name, RequestBody, ResponseBody, Sentence, ShortText

PlaceText = Annotated[str, StringConstraints(pattern=r"^(?:file|s3|memory):[!-~]{1,400}$")]
SecretRef = Annotated[
    str, StringConstraints(pattern=r"^(?:env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:/[!-~]{1,300})$")
]
ClockTime = Annotated[
    str, StringConstraints(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")
]


class RepositoryIn(RequestBody):
    """`place` is its address, `key_ref` names the secret that wraps members' keys there; neither holds
    one. `region` and `site` are where it stands, of the pool; `hazards` the hazard zones it stands in.
    With `tenant` it is that member's own."""

    id: Name
    name: ShortText
    place: PlaceText = Field(description="Such as s3://bucket/prefix?endpoint=… or file:///path.")
    key_ref: SecretRef = Field(description="Such as env:NAME or file:/path.")
    prefecture: ShortText
    region: Name | None = None
    site: Name | None = None
    hazards: list[Name] = Field(default_factory=list, max_length=20)
    lock_days: Annotated[int, Field(ge=0, le=3660)] = 0
    tenant: CodeText | None = None


class RepositoryChangeIn(RequestBody):
    retired: bool = Field(
        description="Nothing new is written there; what lies there stays readable."
    )


class RepositoryOut(ResponseBody):
    """`place`, `key_ref` and `trouble` are null for members, but of their own one."""

    id: str
    name: str
    prefecture: str
    region: str | None
    site: str | None
    hazards: list[str]
    lock_days: int
    tenant: str | None
    retired: bool
    place: str | None
    key_ref: str | None
    former_key_ref: str | None = Field(
        description="While members' keys are wrapped anew: where the key before this one is."
    )
    checked_at: datetime | None
    sound: bool | None = Field(description="What the last check found; null before the first.")
    trouble: str | None
    generation: int


class UpkeepOut(ResponseBody):
    """Of one kind of work on what one member has in one repository."""

    repository: str
    tenant: str
    work: Literal["collecting", "rereading", "healing", "copying", "taking-up"]
    done_at: datetime | None = Field(
        description="When it was last done wholly; null: never, or not kept of this kind."
    )
    failing_since: datetime | None = Field(description="It is not done now, and tried again.")
    trouble_en: str | None
    trouble_ja: str | None


class RewrapIn(RequestBody):
    """`key_ref` names the secret that is to wrap members' keys from now on. The one before it stays where it is
    until nothing is wrapped by it."""

    key_ref: SecretRef = Field(description="Such as env:NAME or file:/path.")
    reason: Sentence


class LinkIn(RequestBody):
    """What backups may take of the line between two regions; during `from` to `until` (Japan's clock, over
    midnight where it ends before it begins) `other_mbit_per_s` instead."""

    regions: Annotated[list[Name], Field(min_length=2, max_length=2)]
    mbit_per_s: Annotated[int, Field(ge=0, le=1_000_000)]
    begins: ClockTime | None = None
    ends: ClockTime | None = None
    other_mbit_per_s: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class LinkOut(ResponseBody):
    id: str
    regions: list[str]
    mbit_per_s: int
    begins: str | None
    ends: str | None
    other_mbit_per_s: int
    generation: int


class LocationRuleIn(RequestBody):
    """`basis` is the ordinance or approval, in the member's own words. Prefectures as in 京都府."""

    prefectures: list[ShortText] = Field(default_factory=list, max_length=47)
    regions: list[Name] = Field(default_factory=list, max_length=47)
    basis: Sentence
    decided_on: date


class LocationRuleOut(ResponseBody):
    """`basis` null: there is no rule, and copies may lie anywhere in the pool."""

    tenant: str
    prefectures: list[str]
    regions: list[str]
    basis: str | None
    decided_on: date | None
    recorded_by: str | None
    recorded_at: datetime | None


class DisasterIn(RequestBody):
    """Whatever was taken from `days_before` ahead of `around` to `days_after` behind it stays, and the last
    point from before that; of systems in `region`, of `tenants`, or of all."""

    around: datetime
    days_before: Annotated[int, Field(ge=0, le=366)] = 3
    days_after: Annotated[int, Field(ge=0, le=366)] = 3
    region: Name | None = None
    tenants: list[CodeText] = Field(default_factory=list, max_length=2000)
    reason: Sentence


class RevokeIn(RequestBody):
    reason: Sentence


class DisasterOut(ResponseBody):
    """`tenants` is empty where it concerns all; a member reads no other's code, and not who declared it."""

    id: str
    around: datetime
    days_before: float
    days_after: float
    region: str | None
    tenants: list[str]
    reason: str
    declared_by: str | None
    declared_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None
