"""Runs the network agent on a host of a local pool, as the host's own service manager would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from deploy import host_agent
from deploy.local import network
from deploy.local.pool import LocalPool
from deploy.local.prerequisites import search_path

_PACKAGE = "yui_network_agent"
_FOLDER = Path(host_agent.__file__).parent


def start_network_agent(
    pool: LocalPool, host: HostId, source: str | None = None, token_file: Path | None = None
) -> None:
    """Start the agent on a host that is on; success where it runs already.

    `source` is `unix:PATH` or `file:PATH`, both reached by the host though its network is its own;
    None takes what it had last."""
    folder = pool.root / "hosts" / host
    config = folder / "network-agent.json"
    if source is not None:
        _write_config(pool, host, source, token_file, config)
    setsid = shutil.which("setsid", path=search_path()) or "setsid"
    with (folder / "log" / "network-agent.log").open("ab") as log:
        subprocess.run(  # noqa: S603
            [setsid, "--fork", *command(pool, host)],
            env={"PATH": search_path(), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=_FOLDER,
            check=True,
        )


def command(pool: LocalPool, host: HostId, *options: str) -> list[str]:
    """The argument vector that runs the agent inside the host."""
    config = str(pool.root / "hosts" / host / "network-agent.json")
    python = (sys.executable, "-E", "-s", "-m", _PACKAGE, "--config", config)
    return pool.command_on(host, "env", "-C", str(_FOLDER), *python, *options)


def kept_plan(pool: LocalPool, host: HostId) -> Path:
    """Where the host's agent keeps the last good plan."""
    return pool.root / "hosts" / host / "network-plan.json"


def has_network_agent(pool: LocalPool, host: HostId) -> bool:
    """Whether one was ever started on the host, so that it belongs to its boot."""
    return (pool.root / "hosts" / host / "network-agent.json").exists()


def wait_for_segment(
    pool: LocalPool, host: HostId, segment: int, patience: Seconds = Seconds(30.0)
) -> None:
    """Raises YuiError where the host has no such network in the end."""
    deadline = time.monotonic() + patience
    bridge = network.SEGMENT_BRIDGES.format(segment=segment)
    while bridge not in network.links(pool.host(host).namespace):
        if time.monotonic() > deadline:
            log = pool.root / "hosts" / host / "log" / "network-agent.log"
            said = log.read_text(errors="replace").strip()[-300:] if log.exists() else ""
            raise YuiError(
                "local-network-not-up",
                en=f"Host {host} has no network {segment} after {patience:.0f} s; its agent's last words: {said or 'none'}.",
                ja=f"ホスト {host} にネットワーク {segment} が {patience:.0f} 秒以内にできませんでした。エージェントの最後の出力: {said or 'なし'}",
                status=500,
            )
        time.sleep(0.05)


def _write_config(
    pool: LocalPool, host: HostId, source: str, token_file: Path | None, path: Path
) -> None:
    fields = {
        "host": host,
        "source": source,
        "kept": str(kept_plan(pool, host)),
        "bridge": network.SEGMENT_BRIDGES,
        # At its socket the control plane tells of news by itself.
        "interval": 10.0 if source.startswith("unix:") else 1.0,
    }
    if token_file is not None:
        fields["token_file"] = str(token_file)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(fields))
    os.replace(unfinished, path)
