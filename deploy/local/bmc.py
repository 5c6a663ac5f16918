"""A Redfish BMC for every host of a local pool, all of them served by one process on loopback.

`python -m deploy.local.bmc --pool-root DIR --folder DIR --port N` is that process; `LocalBmcs` starts
and stops it and lets single BMCs die or fall silent, as they do when a site loses its power.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from control_plane.cli.private_file import write_private
from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from deploy.local import agent, daemon
from deploy.local.bmc_moods import DEAD, MOODS, MUTE
from deploy.local.description import Bmc
from deploy.local.free_port import free_port
from deploy.local.pool import LocalPool
from deploy.local.prerequisites import search_path

_USER = "yui"
_NAME = "bmc"


def start(pool: LocalPool, folder: Path, port: int | None = None) -> Mapping[HostId, Bmc]:
    """Serve the pool's BMCs and say how to reach each; see LocalBmcs.start."""
    bmcs = LocalBmcs.start(pool, folder, port)
    return {host.id: bmcs.of(host.id) for host in pool.hosts}


class LocalBmcs:
    """The BMCs of one pool; they outlive the process that started them. `folder` holds the process's
    identity and log (`bmc.pid`, `bmc.log`, see `daemon`) and its own folder `bmc`."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder.resolve()
        self._port = port

    @staticmethod
    def start(
        pool: LocalPool,
        folder: Path,
        port: int | None = None,
        *,
        patience: Seconds = Seconds(30.0),
    ) -> LocalBmcs:
        """Serve the pool's BMCs on 127.0.0.1:`port` (None: a free one) and wait until they answer.

        Raises YuiError where the port is in use or they don't come up."""
        port = free_port() if port is None else port
        if _answers(port):
            raise YuiError(
                "port-in-use",
                en=f"Port {port} on 127.0.0.1 is in use: choose another one for the hosts' BMCs.",
                ja=f"127.0.0.1 のポート {port} は使用中です。BMC 用に別のポートを指定してください。",
                status=409,
            )
        bmcs = LocalBmcs(folder, port)
        for name in (MOODS, "state"):
            (bmcs._own / name).mkdir(parents=True, exist_ok=True)
        password = bmcs._own / "password"
        password.unlink(missing_ok=True)
        write_private(password, lambda: secrets.token_urlsafe(24))
        (bmcs._own / "port").write_text(str(port))
        command = [
            sys.executable, "-m", "deploy.local.bmc",
            "--pool-root", str(pool.root), "--folder", str(bmcs._folder), "--port", str(port),
        ]  # fmt: skip
        checkout = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PATH": search_path(), "PYTHONPATH": checkout}
        daemon.start(_NAME, command, bmcs._folder, environment)
        deadline = time.monotonic() + patience
        while not _answers(port):
            if time.monotonic() > deadline or not daemon.is_running(_NAME, bmcs._folder):
                said = daemon.last_words(_NAME, bmcs._folder)[-300:]
                bmcs.stop()
                raise YuiError(
                    "local-bmcs-not-up",
                    en=f"The hosts' BMCs did not come up on port {port}; their last words: {said or 'none'}.",
                    ja=f"ホストの BMC がポート {port} で起動しませんでした。最後の出力: {said or 'なし'}",
                    status=500,
                )
            time.sleep(0.05)
        return bmcs

    @staticmethod
    def open(folder: Path) -> LocalBmcs | None:
        """Those that another process started with this `folder`; None where there are none."""
        try:
            return LocalBmcs(folder, int((folder.resolve() / _NAME / "port").read_text()))
        except (OSError, ValueError):
            return None

    @property
    def _own(self) -> Path:
        return self._folder / _NAME

    def of(self, host: HostId) -> Bmc:
        return Bmc(
            url=f"http://127.0.0.1:{self._port}",
            system=host,
            user=_USER,
            password_ref=f"file:{self._own / 'password'}",
        )

    def kill(self, host: HostId) -> None:
        """Let the host's BMC die: it breaks every connection off."""
        (self._own / MOODS / host).write_text(DEAD)

    def mute(self, host: HostId) -> None:
        """Let it take requests and never answer."""
        (self._own / MOODS / host).write_text(MUTE)

    def revive(self, host: HostId) -> None:
        (self._own / MOODS / host).unlink(missing_ok=True)

    def stop(self) -> None:
        """End the process and remove its files. Hosts go on as they are."""
        daemon.stop(_NAME, self._folder)
        shutil.rmtree(self._own, ignore_errors=True)
        (self._folder / f"{_NAME}.log").unlink(missing_ok=True)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves the BMCs of a local pool's hosts.")
    parser.add_argument("--pool-root", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    pool = LocalPool.open(options.pool_root)
    if pool is None:
        print(f"There is no pool in {options.pool_root}: make one first.", file=sys.stderr)
        return 1
    # The emulator is an extra that only this process needs.
    from deploy.local.bmc_server import Machines, serve  # noqa: PLC0415

    folder = options.folder / _NAME
    machines = Machines(
        hosts=[host.id for host in pool.hosts],
        is_on=pool.is_on,
        power_off=pool.power_off,
        power_on=lambda host: agent.boot(pool, host),
    )
    serve(
        machines,
        folder,
        port=options.port,
        user=_USER,
        password=(folder / "password").read_text(),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
