"""Admits the whole membership of the 2009–2011 trial into its three simulated data centres."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from control_plane.cli.language import Language
from control_plane.pool.models import CertificateOut
from control_plane.pool_file import PoolDescription
from deploy.demo.simulated_cloud import SimulatedCloud
from tenants.register import load_register

_PACE = 20.0
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Membership:
    """`hosts_worth` is the room that the regions keep free for their worst failures, in hosts;
    `certified` says that every region's certificate is complete and checked."""

    members: int
    servers: int
    hosts: int
    hosts_worth: float
    certified: bool
    took_s: float


def admit_all(
    description: PoolDescription,
    members: Path,
    blueprints: tuple[str, ...],
    language: Language,
    progress: Callable[[int], None],
) -> Membership:
    """Let every municipality of the register join. Raises YuiError where one can't."""
    codes = [code.text for code in load_register(members).members]
    cloud = SimulatedCloud(description, members, language, _PACE)
    try:
        give_up = time.monotonic() + _PATIENCE_S
        while any(host["health"] != "up" for host in cloud.api.every("/v1/hosts")):
            _wait_until(give_up, "all hosts being in use")
        began = time.monotonic()
        for count, code in enumerate(codes, start=1):
            cloud.api.post("/v1/members", {"code": code, "blueprints": list(blueprints)})
            cloud.approver.post(f"/v1/members/{code}/approve")
            progress(count)
        regions = [str(region.id) for region in description.regions]
        certificates = [
            CertificateOut.model_validate(cloud.api.get(f"/v1/regions/{region}/certificate"))
            for region in regions
        ]
        took = time.monotonic() - began
        return Membership(
            members=len(cloud.api.every("/v1/members")),
            servers=len(cloud.api.every("/v1/servers")),
            hosts=len(description.hosts),
            hosts_worth=sum(c.reserve.hosts_worth for c in certificates),
            certified=all(c.valid and not c.uncovered for c in certificates),
            took_s=took,
        )
    finally:
        cloud.close()


def _wait_until(give_up: float, what: str) -> None:
    if time.monotonic() > give_up:
        raise TimeoutError(f"{what} did not happen within {_PATIENCE_S:.0f} s")
    time.sleep(0.2)
