"""Blueprints and what they take, as JSON."""

from __future__ import annotations

from pydantic import Field

from control_plane.http.bounds import ResponseBody
from control_plane.pool.models import Size


class HealthOut(ResponseBody):
    """A GET of `path` at `port` answers with `status`, and with `contains` in it."""

    path: str
    port: int
    status: int
    contains: str | None


class BlueprintServerOut(ResponseBody):
    """`flavors` by population band. `health`: how it is told that a restored one is well."""

    role: str
    image: str
    start_order: int
    stop_order: int | None = Field(description="Null: the reverse of starting.")
    flavors: dict[str, str]
    anti_affinity: str | None
    traits: list[str]
    health: HealthOut | None = None


class ContainerGroupOut(ResponseBody):
    """Declared, and not runnable yet. `replicas` and `flavors` by population band."""

    role: str
    image: str
    start_order: int
    stop_order: int | None = Field(description="Null: the reverse of starting.")
    replicas: dict[str, int]
    flavors: dict[str, str]


class ServiceWindowOut(ResponseBody):
    """Times by Japan's clock, `00:00` to `24:00`."""

    days: list[str]
    opens: str
    closes: str


class BackupCopyOut(ResponseBody):
    """`at` by Japan's clock, and `until` when it may begin; null for an hourly copy. `generations` are
    kept at each of `places`."""

    every: str
    at: str | None
    until: str | None = None
    generations: int
    places: list[str]


class DumpOut(ResponseBody):
    """What servers of a role run before they are frozen, and after."""

    role: str
    before: str
    after: str | None
    timeout_minutes: int
    required: bool


class BackupPolicyOut(ResponseBody):
    rpo_hours: int = Field(description="The most work that may be lost, in hours.")
    rpo_away_hours: int | None = Field(
        default=None, description="The most that may be lost with the building, in hours."
    )
    copies: list[BackupCopyOut]
    dumps: list[DumpOut] = Field(default_factory=list)


class BlueprintOut(ResponseBody):
    """`versions` are all that the catalogue has, oldest first. `start_sequence` and `stop_sequence`
    are steps of roles that start or stop together."""

    id: str
    version: int
    versions: list[int]
    name_ja: str
    name_en: str
    description_ja: str
    description_en: str
    standard_task: str | None = Field(
        description="The task of the national standardization that it serves."
    )
    tier: int
    zone: str
    needs: list[str]
    works_with: list[str]
    service_hours: list[ServiceWindowOut]
    backup: BackupPolicyOut
    needed_when_cut_off: bool = Field(
        default=False, description="Of the minimal set that counters need while cut off."
    )
    servers: list[BlueprintServerOut]
    container_groups: list[ContainerGroupOut]
    start_sequence: list[list[str]]
    stop_sequence: list[list[str]]


class LackOut(ResponseBody):
    """`blueprint` wants `missing`, which is not among the member's systems. Without one that it
    needs (`needed`) it is of no use; without another it does less."""

    blueprint: str
    missing: str
    needed: bool
    en: str
    ja: str


class SystemSize(ResponseBody):
    """What one system takes of the pool."""

    blueprint: str
    version: int
    name_ja: str
    name_en: str
    tier: int
    zone: str
    servers: int
    size: Size
    disk_gib: int


class TotalSize(ResponseBody):
    servers: int
    size: Size
    disk_gib: int


class SetSize(ResponseBody):
    """What a member of that population takes with those systems, which stand in the order in which
    they come back. The room that the region keeps free for failures is not in it."""

    population: int
    band: str
    systems: list[SystemSize]
    total: TotalSize
    lacks: list[LackOut]
