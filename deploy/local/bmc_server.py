"""The process behind the BMCs of a local pool: sushy-tools' Redfish emulator with our own machines.

To a Redfish client each host is a computer system whose power state is whether anything runs on it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import bcrypt
from sushy_tools import error
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver
from werkzeug.serving import WSGIRequestHandler, make_server

from control_plane.cli.private_file import write_private
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from deploy.local.bmc_moods import MOODS, MUTE

_LONGEST_SILENCE = Seconds(600.0)


@dataclass(frozen=True, slots=True)
class Machines:
    """The switches of a machine room; each call is about one host and may be repeated."""

    hosts: Sequence[HostId]
    is_on: Callable[[HostId], bool]
    power_off: Callable[[HostId], None]
    power_on: Callable[[HostId], None]


class PoolSystems(AbstractSystemsDriver):  # type: ignore[misc]
    """The emulator's view of the machines: a system's id, name and UUID are its host's id."""

    def __init__(self, machines: Machines) -> None:
        super().__init__()
        self._machines = machines

    @property
    def driver(self) -> str:
        return "<local pool>"

    @property
    def systems(self) -> list[str]:
        return list(self._machines.hosts)

    def uuid(self, identity: str) -> str:
        if identity not in self._machines.hosts:
            raise error.NotFound(f"There is no host {identity}")
        return identity

    def name(self, identity: str) -> str:
        return self.uuid(identity)

    def get_power_state(self, identity: str) -> str:
        return "On" if self._machines.is_on(HostId(self.uuid(identity))) else "Off"

    def set_power_state(self, identity: str, state: str) -> None:
        host = HostId(self.uuid(identity))
        if state not in ("On", "ForceOn", "ForceOff", "ForceRestart"):
            raise error.NotSupportedError(f"{state} is not offered")
        if state.startswith("Force") and state != "ForceOn":
            self._machines.power_off(host)
        if state != "ForceOff":
            # A BMC answers at once; the machine takes its time to boot.
            threading.Thread(target=self._machines.power_on, args=(host,), daemon=True).start()

    def get_boot_device(self, identity: str) -> str:
        self.uuid(identity)
        return "Hdd"

    def set_boot_device(self, identity: str, boot_source: str) -> None:
        raise error.NotSupportedError(f"{identity} always boots from its disk, not {boot_source}")

    def get_total_memory(self, identity: str) -> int:
        raise error.NotSupportedError(identity)


class _PoolEmulator(emulator.Application):  # type: ignore[misc]
    """The emulator knows its own hypervisors alone; this one is handed its systems."""

    our_systems: PoolSystems

    @property
    def systems(self) -> PoolSystems:
        return self.our_systems


class _Moods:
    """WSGI middleware in front of the emulator: a BMC that is dead breaks every connection off, one
    that is mute takes requests and says nothing. Moods are files, named like the hosts."""

    def __init__(self, app: Callable[..., Iterable[bytes]], folder: Path) -> None:
        self._app = app
        self._folder = folder

    def __call__(self, environ: dict[str, Any], respond: Callable[..., Any]) -> Iterable[bytes]:
        for part in environ.get("PATH_INFO", "").split("/"):
            if part and self._mood(part) is not None:
                self._sulk(part)
                raise ConnectionAbortedError
        return self._app(environ, respond)

    def _mood(self, part: str) -> str | None:
        try:
            return (self._folder / part).read_text()
        except OSError:
            return None

    def _sulk(self, part: str) -> None:
        until = time.monotonic() + _LONGEST_SILENCE
        while self._mood(part) == MUTE and time.monotonic() < until:
            time.sleep(0.1)


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def serve(machines: Machines, folder: Path, *, port: int, user: str, password: str) -> None:
    """Serve http://127.0.0.1:`port` until SIGTERM. `folder` holds what the emulator keeps, and the
    folder `moods`."""
    accounts = folder / "accounts"
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    accounts.unlink(missing_ok=True)
    write_private(accounts, lambda: f"{user}:{digest}\n")
    app = emulator.app
    app.__class__ = _PoolEmulator
    app.our_systems = PoolSystems(machines)
    app.configure(
        extra_config={
            "SUSHY_EMULATOR_AUTH_FILE": str(accounts),
            "SUSHY_EMULATOR_STATE_DIR": str(folder / "state"),
            "SUSHY_EMULATOR_FEATURE_SET": "minimum",
        }
    )
    app.wsgi_app = _Moods(app.wsgi_app, folder / MOODS)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_QuietHandler)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with server:
        server.serve_forever()
