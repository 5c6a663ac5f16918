"""Members, their systems and servers, and the catalogue, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from control_plane.http.bounds import Name, RequestBody, ResponseBody
from control_plane.pool.models import RefugeOut, Size
from control_plane.pool.plan import ChangePlan
from tenants.blueprint_models import LackOut


class MemberOut(ResponseBody):
    """`band` is the size class by population that chooses flavors; `state` has been so `since` then. In
    a plan both are null."""

    code: str
    name: str
    kana: str
    prefecture: str
    population: int
    band: str
    state: (
        Literal[
            "applied",
            "approved",
            "connected",
            "hosted",
            "rejected",
            "withdrawn",
            "leave-asked",
            "leaving",
            "left",
        ]
        | None
    ) = None
    since: datetime | None = None


class PlannedServer(ResponseBody):
    name: str
    role: str
    blueprint: str
    flavor: str
    tier: int
    start_order: int
    host: str
    storage: str
    refuges: list[RefugeOut]


class JoinPlan(ChangePlan):
    """What joining would do; nothing of it is written. `servers` are in the order in which they come
    back after a failure. `lacks` warns of systems that others want and that were not chosen.
    `capacity` is what it takes of the region, and is guaranteed from then on."""

    member: MemberOut
    region: str
    servers: list[PlannedServer]
    lacks: list[LackOut]


class SystemOut(ResponseBody):
    """`running` of `servers` run. `state` is running, stopped, degraded (some run) or building."""

    id: str
    tenant: str
    region: str
    blueprint: str
    blueprint_version: int
    name_ja: str
    name_en: str
    tier: int
    zone: str
    servers: int
    running: int
    state: Literal["running", "stopped", "degraded", "building"]
    created_at: datetime


class UnconfirmedResizeOut(ResponseBody):
    """The server may have flavor `before` back until then; after that the new one stays without a word."""

    before: str
    until: datetime


class ServerOut(ResponseBody):
    """`host`, `moving_to` and `storage` are null for members, who never see hardware. `address` is
    IPv4 with prefix length; `power` is what is wanted, `status` what is. `restart_needed`: it was
    resized while it ran, and may have all of its size only once it is restarted. One that is
    `protected` is not deleted. `keypair` names the key pair that it was made with. Servers of the same
    `server_group` never share a host."""

    id: str
    name: str
    tenant: str
    system: str
    role: str
    status: Literal[
        "building",
        "active",
        "stopping",
        "stopped",
        "migrating",
        "stranded",
        "shelving",
        "shelved",
        "deleting",
        "unknown",
    ]
    power: Literal["running", "stopped", "shelved"]
    flavor: str
    size: Size
    disk_gib: int
    image: str
    zone: str
    tier: int
    start_order: int
    address: str
    mac: str
    host: str | None
    moving_to: str | None
    storage: str | None
    generation: int
    protected: bool
    restart_needed: bool
    keypair: str | None = None
    server_group: str | None = None
    unconfirmed_resize: UnconfirmedResizeOut | None = None


class ServerRefuges(ResponseBody):
    """Where the server restarts, by the failure domain whose death makes it necessary."""

    items: list[RefugeOut]


class MigrateIn(RequestBody):
    """Without `target`, placement chooses."""

    target: Name | None = None


class ConsoleOut(ResponseBody):
    """The last bytes of the serial console, as UTF-8 text."""

    server: str
    text: str
