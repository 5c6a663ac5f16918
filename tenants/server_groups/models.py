"""Server groups as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from control_plane.http.bounds import RequestBody, ResponseBody, ShortText
from control_plane.pool.plan import Rehearsal

Policy = Literal["anti-affinity"]


class NewServerGroupIn(RequestBody):
    name: ShortText
    policy: Policy = "anti-affinity"


class ServerGroupOut(ResponseBody):
    """`servers` never share a host, nor meet at a refuge. `made_by` is the service account, the user or the
    token that made it."""

    id: str
    tenant: str
    name: str
    policy: Policy = "anti-affinity"
    servers: list[str]
    made_by: str
    created_at: datetime


class ServerGroupPlan(Rehearsal):
    """What a request would do; nothing of it is written, and no room of the pool changes."""
