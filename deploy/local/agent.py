"""Runs the host agent on a host of a local pool, as the host's own service manager would.

The agent lives inside the host's namespaces, so it loses its storage, its power and its time with the
host. Its watchdog is the process kind: when the lease can't be renewed, the host's processes all die.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from control_plane.drivers.fencing.lease_record import (
    LeaseMalformed,
    LeaseRecord,
    decode,
    read_block,
)
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from deploy import host_agent
from deploy.local import processes
from deploy.local.network_agent import has_network_agent, start_network_agent
from deploy.local.pool import LocalPool
from deploy.local.prerequisites import search_path

_PROGRAM = Path(host_agent.__file__).with_name("yui_host_agent.py")
_BOOT_ID = "/run/yui-boot-id"
"""The hosts share one kernel and so its boot id; their /run is volatile and their own."""


@dataclass(frozen=True, slots=True)
class AgentTimings:
    """Shorter than a real host's, so that nobody waits a minute to see a fence, and long enough for a
    small machine on which all hosts boot their servers at once."""

    interval: Seconds = Seconds(1.0)
    ttl: Seconds = Seconds(15.0)
    watchdog: Seconds = Seconds(15.0)


def start_agent(
    pool: LocalPool,
    host: HostId,
    timings: AgentTimings | None = None,
    *,
    patience: Seconds = Seconds(30.0),
) -> LeaseRecord:
    """Start the agent on a host that is on, and return its first lease under an armed watchdog.

    `timings` None takes those it had last. Success where it runs already. Raises YuiError where the
    host is off or no lease comes within `patience`."""
    folder = pool.root / "hosts" / host
    config = folder / "agent.json"
    if timings is not None or not config.exists():
        _write_config(pool, host, timings or AgentTimings(), config)
    before = read_lease(pool, host)
    command = pool.command_on(
        host, sys.executable, "-E", "-s", "-S", str(_PROGRAM), "--config", str(config)
    )
    setsid = shutil.which("setsid", path=search_path()) or "setsid"
    with (folder / "log" / "agent.log").open("ab") as log:
        subprocess.run(  # noqa: S603
            [setsid, "--fork", *command],
            env={"PATH": search_path(), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            check=True,
        )
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        lease = read_lease(pool, host)
        if lease is not None and lease != before and lease.armed:
            return lease
        time.sleep(0.02)
    said = (folder / "log" / "agent.log").read_text(errors="replace").strip()[-300:]
    raise YuiError(
        "local-agent-not-up",
        en=f"The agent of host {host} kept no lease within {patience:.0f} s; its last words: {said or 'none'}.",
        ja=f"ホスト {host} のエージェントが {patience:.0f} 秒以内にリースを書き込みませんでした。最後の出力: {said or 'なし'}",
        status=500,
    )


def has_agent(pool: LocalPool, host: HostId) -> bool:
    """Whether an agent was ever started on the host, so that it belongs to its boot."""
    return (pool.root / "hosts" / host / "agent.json").exists()


def boot(pool: LocalPool, host: HostId) -> None:
    """Switch the host on with everything that belongs to it; success where it is on."""
    was_on = pool.is_on(host)
    pool.power_on(host)
    if was_on:
        return
    if has_network_agent(pool, host):
        start_network_agent(pool, host)
    if has_agent(pool, host):
        start_agent(pool, host)


def read_lease(pool: LocalPool, host: HostId) -> LeaseRecord | None:
    """The host's lease as it is on the storage now; None where there is none."""
    path = pool.endpoint(host).lease_path
    if path is None:
        return None
    try:
        return decode(read_block(path))
    except (OSError, LeaseMalformed):
        return None


def _write_config(pool: LocalPool, host: HostId, timings: AgentTimings, path: Path) -> None:
    namespace = processes.identity(pool.host(host).namespace)
    fields = {
        "host": host,
        "lease_path": pool.endpoint(host).lease_path,
        "interval": timings.interval,
        "ttl": timings.ttl,
        "watchdog_timeout": timings.watchdog,
        "watchdog": f"namespace:{namespace}",
        "boot_id_path": _BOOT_ID,
    }
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(fields))
    os.replace(unfinished, path)
