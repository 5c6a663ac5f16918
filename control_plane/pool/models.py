"""What operators read and write about the pool, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from control_plane.http.bounds import FlavorName, Name, RequestBody, ResponseBody, Statement
from control_plane.pool.plan import ChangePlan

HealthName = Literal["cleaning", "up", "suspect", "confirmed", "fenced"]


class Size(ResponseBody):
    vcpus: int
    memory_mib: int


class FenceOut(ResponseBody):
    """What proves that the host can no longer write."""

    kind: str
    at: datetime
    by: str
    detail: str


class HostOut(ResponseBody):
    """`health` is cleaning, up, suspect, confirmed or fenced; `duty` is in-service, draining or
    maintenance; `standing` says what placement may do with it: open, closed or gone. `used` is held
    by servers on it, `guaranteed` kept for what members are guaranteed and do not use, `reserved` kept
    for the worst failure that it is the refuge of."""

    id: str
    region: str
    site: str
    health: HealthName
    health_since: datetime
    duty: Literal["in-service", "draining", "maintenance"]
    standing: Literal["open", "closed", "gone"]
    capacity: Size
    used: Size
    guaranteed: Size
    reserved: Size
    servers: int
    zones: list[str]
    storage: list[str]
    traits: list[str]
    domains: list[str] = Field(description="Failure domains, as `rack:kyoto-r1`.")
    driver: str
    fence: FenceOut | None = None
    generation: int


class FenceIn(RequestBody):
    """`power-off`: cut its power and read it back. `word`: the statement itself is the proof that
    the machine is off, signed with the token's label."""

    statement: Statement
    method: Literal["power-off", "word"]


class FenceAccepted(ResponseBody):
    """The request is recorded; the reconciler acts on it and tells by events."""

    host: str
    method: Literal["power-off", "word"]
    statement: str
    by: str
    at: datetime
    dry_run: bool = False


class Changes(ResponseBody):
    added: list[str]
    changed: list[str]
    removed: list[str]
    unchanged: int


class PoolApplied(ResponseBody):
    """What applying the description changed, or would change when `dry_run`."""

    dry_run: bool
    regions: Changes
    sites: Changes
    hosts: Changes
    flavors: Changes


class FlavorOut(ResponseBody):
    id: str
    vcpus: int
    memory_mib: int
    disk_gib: int


class RefuseOut(ResponseBody):
    """Why something does not fit: `failure` is the failure domain whose death would leave it no
    place (null: there is no place even now), `nearest` the host that lacks least."""

    failure: str | None
    server: str
    resource: str
    nearest: str | None
    shortfall: int
    unit: str
    proof: Literal["proved-impossible", "search-budget-spent"]
    en: str
    ja: str


class ViolationOut(ResponseBody):
    en: str
    ja: str


class HostReserve(ResponseBody):
    """`failure` is the domain whose death asks the most of this host."""

    host: str
    failure: str
    reserve: Size


class Reserve(ResponseBody):
    """What the promise costs. `hosts_worth` is the larger of the vCPU and memory reserve in units of
    the region's mean open host."""

    total: Size
    hosts_worth: float
    by_host: list[HostReserve]


class Unproved(ResponseBody):
    """What of a member's guarantee has no room at the moment."""

    tenant: str
    vcpus: int
    memory_mib: int
    disk_gib: int


class Holdings(ResponseBody):
    """Room that is kept for what members are guaranteed and do not use, in `count` small parts that are
    placed and have refuges as servers do. `unproved` is what found no room."""

    count: int
    total: Size
    unproved: list[Unproved]


class UnderWayOut(ResponseBody):
    """A failure that the region has to get over: `hosts` are lost, or may be, and `servers` of theirs
    do not run elsewhere yet. `survives_next` says that the next failure is proved to be survived all
    the same; where it is not, `en` and `ja` say why nothing is promised for it until this one is over."""

    hosts: list[str]
    servers: int
    survives_next: bool
    en: str | None = None
    ja: str | None = None


class CertificateOut(ResponseBody):
    """`valid` says that an independent check of every refuge found nothing wrong, and that the next
    failure is survived also where one is under way (`under_way`, else null). `uncovered` names what
    the promise can't cover at the moment and exactly why; while a failure is under way, also what it
    can't cover once its servers run elsewhere."""

    region: str
    valid: bool
    promised: list[str]
    servers: int
    refuges: int
    violations: list[ViolationOut]
    uncovered: list[RefuseOut]
    reserve: Reserve
    holdings: Holdings
    checked_at: datetime
    under_way: UnderWayOut | None = None


class ExplainIn(RequestBody):
    region: Name
    flavor: FlavorName
    count: int = Field(default=1, ge=1, le=500)
    zone: Literal["mynumber", "lgwan", "internet"] = "internet"


class RefugeOut(ResponseBody):
    failure: str
    host: str


class Spot(ResponseBody):
    """Where one server would go, and where it would restart when that place dies."""

    server: str
    host: str
    storage: str
    refuges: list[RefugeOut]


class ExplainOut(ResponseBody):
    """Nothing is written: the plan where it fits, else the refusal."""

    region: str
    flavor: str
    zone: str
    count: int
    fits: bool
    servers: list[Spot]
    refusal: RefuseOut | None = None


class Move(ResponseBody):
    server: str
    target: str


class DrainPlan(ChangePlan):
    """Where a drain would move the host's servers, in the order in which they would go, and what the
    promise is once they have arrived; those in `stuck` could not leave. `capacity` is what the region
    is without then. Nothing is written."""

    host: str
    moves: list[Move]
    stuck: list[RefuseOut]
