"""Policies, recovery points and restores as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from backup.api.place_models import ClockTime
from control_plane.http.bounds import Name, RequestBody, ResponseBody, Sentence
from control_plane.model.backup.dumps import USUAL_MINUTES
from control_plane.model.backup.policy import BackupInterval, BackupPlace
from control_plane.model.backup.work import RestoreTo
from control_plane.model.hours import Weekday

HookName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")]


class CopyIn(RequestBody):
    """`at` by Japan's clock; with `until` it begins between these. `generations` are kept at each of
    `places`."""

    every: BackupInterval
    generations: Annotated[int, Field(ge=1, le=1000)]
    places: Annotated[list[BackupPlace], Field(min_length=1, max_length=4)]
    at: ClockTime | None = None
    until: ClockTime | None = None
    weekday: Weekday | None = None
    day: Annotated[int, Field(ge=1, le=28)] | None = None
    month: Annotated[int, Field(ge=1, le=12)] | None = None


class DumpIn(RequestBody):
    """For servers of `role`: programs of the guest's own, in its /etc/yui/backup-hooks. `before` runs before
    file systems are frozen, `after` once they are thawed; without a `required` one that went well no point
    is taken."""

    role: Annotated[str, Field(max_length=16, pattern=r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$")]
    before: HookName
    after: HookName | None = None
    timeout_minutes: Annotated[int, Field(ge=1, le=720)] = USUAL_MINUTES
    required: bool = True


class PolicyIn(RequestBody):
    """What is copied when, where it is kept and for how long. `rpo_hours`: the most work that may be lost;
    `rpo_away_hours`: with the building and its hazard zones. `test_every_days` null proves no restore."""

    rpo_hours: Annotated[int, Field(ge=1, le=768)]
    copies: Annotated[list[CopyIn], Field(min_length=1, max_length=8)]
    rpo_away_hours: Annotated[int, Field(ge=1, le=8808)] | None = None
    regions: list[Name] = Field(default_factory=list, max_length=20)
    spare_service_hours: bool = False
    quiesce: bool = True
    test_every_days: Annotated[int, Field(ge=1, le=366)] | None = 30
    most_mbit_per_s: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    dumps: list[DumpIn] = Field(default_factory=list, max_length=16)


class PolicyOut(ResponseBody):
    """`of`: its blueprint's, or set for the system by `set_by`. `repositories` are where the places of the
    policy are, by place; `refusals` say what it can't keep to as things are, in both languages."""

    system: str
    of: Literal["blueprint", "system"]
    policy: PolicyIn
    repositories: dict[str, str]
    refusals: list[dict[str, str]]
    next_at: datetime | None
    set_by: str | None
    set_at: datetime | None


class NowIn(RequestBody):
    """The point stays for `keep_days`, whatever the policy says."""

    keep_days: Annotated[int, Field(ge=1, le=3660)] = 30


class BreachOut(ResponseBody):
    what: str
    since: datetime
    repository: str | None
    place: str | None
    en: str
    ja: str


class StatusOut(ResponseBody):
    """How far one system's backups are. Lags are hours since the newest point was taken; null where there
    is none. `breaches` say what is not as the policy has it; empty when all is well. `member_copy_at`: when the
    newest point was taken that the member has at home, as its own people told then."""

    system: str
    name: str
    tenant: str
    region: str
    tier: int
    points: int
    newest_at: datetime | None
    lag_hours: float | None
    rpo_hours: int
    newest_away_at: datetime | None
    lag_away_hours: float | None
    rpo_away_hours: int | None
    proven_at: datetime | None
    proof_age_days: float | None
    next_at: datetime | None
    by_repository: dict[str, datetime]
    breaches: list[BreachOut]
    member_copy_at: datetime | None = None
    member_copy_told_at: datetime | None = None


class DiskOut(ResponseBody):
    """`name` is `root` or a volume's id. `how`: full or changed, as it was read; `why` it was read in full
    although only what changed was asked for."""

    name: str
    bytes: int
    read_bytes: int
    changed_bytes: int
    how: str
    why: str | None


class HookRunOut(ResponseBody):
    """What was run in the guest for the point, `before` it or after. `end`: done, failed, timed-out, no-agent,
    forbidden (the agent may run nothing), stopped, or at-rest (the server did not run)."""

    hook: str
    before: bool
    end: str
    well: bool
    seconds: float
    exit_status: int | None
    en: str
    ja: str


class ServerPointOut(ResponseBody):
    """`consistency`: quiesced, stopped, or crash (as after a power cut). `lacks_dump`: what its policy has
    it write before was not done, or failed. With `container_group`, `server` is its id, and of its volumes
    `changed_files` were written while they were read."""

    server: str
    name: str
    consistency: str
    disks: list[DiskOut]
    lacks_dump: bool = False
    hooks: list[HookRunOut] = Field(default_factory=list)
    container_group: bool = False
    changed_files: int = 0


class PointCopyOut(ResponseBody):
    """`place` is what the repository is to the system, null where the system is gone. While it is
    copying, `done_bytes` of about `total_bytes` are there."""

    repository: str
    place: str | None
    state: str
    since: datetime
    stored_bytes: int | None
    done_bytes: int | None
    total_bytes: int | None


class PointOut(ResponseBody):
    """All servers of a system at one time: how large, where it lies, when a restore was last proven. What is
    in it, nobody can see here. `bytes` are the disks' sizes, `stored_bytes` what it added."""

    id: str
    system: str
    system_name: str
    tenant: str
    region: str
    taken_at: datetime
    state: Literal["taking", "complete", "damaged", "abandoned", "expired"]
    trouble: str | None
    bytes: int
    stored_bytes: int
    proven_at: datetime | None
    keep_until: datetime | None
    copies: list[PointCopyOut]


class WholePointOut(PointOut):
    """`kept` are the reasons why it stays, with the place that each is about (null: wherever it lies)."""

    servers: list[ServerPointOut]
    kept: list[dict[str, str | None]]


class RestoreIn(RequestBody):
    """`to`: new, in-place (stopped servers; what is on their disks now is lost), region, isolated, or file.
    Without `servers` all of the point's, without `disks` all of theirs. With `at_once` servers start before their
    disks are copied, and read from the repository what is not there yet."""

    to: RestoreTo
    servers: list[Name] = Field(default_factory=list, max_length=100)
    disks: list[Name] = Field(default_factory=list, max_length=100)
    region: Name | None = None
    name: Name | None = None
    format: Literal["qcow2", "raw"] | None = None
    start: bool = True
    at_once: bool = False


class RestoreOut(ResponseBody):
    """`made` is the system that came of it. Its servers run from what lies in the repository while it is
    `running-from-repository`, and while it is `copying`: then `done_bytes` of `total_bytes` lie on their disks."""

    id: str
    point: str
    system: str
    tenant: str
    to: str
    state: Literal[
        "waiting",
        "restoring",
        "running-from-repository",
        "copying",
        "restored",
        "failed",
        "cancelled",
    ]
    asked_by: str
    asked_at: datetime
    since: datetime
    done_bytes: int | None
    total_bytes: int | None
    trouble_en: str | None
    trouble_ja: str | None
    made: str | None
    operation: str | None


class HealthSeenOut(ResponseBody):
    """`by`: http, or console where its blueprint names no check or its host can't ask. It was well `seconds`
    after its start; null: it was not, and `en` and `ja` say what was seen last. `untested` for a container group
    of which the point holds volumes: restore tests leave these out."""

    server: str
    by: str
    seconds: float | None
    en: str | None
    ja: str | None


class RestoreTestOut(ResponseBody):
    """`seconds` from the beginning until it was well, or until it was given up."""

    id: str
    tenant: str
    system: str
    point: str
    repository: str
    began_at: datetime
    seconds: float
    passed: bool
    trouble_en: str | None
    trouble_ja: str | None
    servers: list[HealthSeenOut] = Field(default_factory=list)


class FindingOut(ResponseBody):
    """A damaged object of a repository: found, healed (from `healed_from`), or lost for now."""

    id: str
    repository: str
    tenant: str
    what: str
    state: Literal["found", "healed", "lost"]
    found_at: datetime
    since: datetime
    healed_from: str | None
    points: list[str]


class ForecastOut(ResponseBody):
    """When what of the system isn't there yet would have arrived, given what stands before it and the links'
    budgets. `first`: hardly anything of it lies there yet. `bytes` and `hours` null: not known, or not
    within a year; `at_most`: it may be less."""

    system: str
    repository: str
    bytes: int | None
    first: bool | None
    at_most: bool
    link: str | None
    hours: float | None
    arrives_at: datetime | None
    en: str
    ja: str


class KeyTaskIn(RequestBody):
    """`recipient`: for an escrow, the public key (X25519, base64) that the keys are sealed for; whoever has
    its private half can open them. `repository`: only there; otherwise in all."""

    errand: Literal["escrow", "rotate", "destroy"]
    reason: Sentence
    recipient: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")] | None = None
    repository: Name | None = None


class KeyTaskOut(ResponseBody):
    """`result` is an escrow's sealed keys (base64), for the member alone, or the record of what was
    destroyed. `state` asked: another person must agree."""

    id: str
    tenant: str
    errand: str
    reason: str
    repository: str | None
    state: Literal["asked", "agreed", "carried", "failed", "cancelled"]
    asked_by: str | None
    agreed_by: str | None
    asked_at: datetime
    since: datetime
    trouble_en: str | None
    trouble_ja: str | None
    result: str | None
