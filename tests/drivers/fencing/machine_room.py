"""BMCs of machines that exist only as files, some of which misbehave, behind the real emulator.

`python -m tests.drivers.fencing.machine_room FOLDER PORT`; the password is `FOLDER/password`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from deploy.local.bmc_moods import MOODS
from deploy.local.bmc_server import Machines, serve
from deploy.local.free_port import free_port
from tests.drivers.fencing.samples import a_host

OBEDIENT, SLOW, LIAR, RESTLESS = "obedient", "slow", "liar", "restless"
"""The slow one takes a few looks to go off, the liar accepts every order and stays on, and the restless
one goes off and is on again at the second look."""
USER, PASSWORD = "yui", "correct horse"


class Room:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def is_on(self, name: HostId) -> bool:
        looks = self._count(name)
        state = self.state(name)
        if name == RESTLESS and state == "off":
            return looks > 1
        if name == SLOW and state == "off":
            return looks <= 3
        return state == "on"

    def power_off(self, name: HostId) -> None:
        if name != LIAR:
            self._set(name, "off")

    def power_on(self, name: HostId) -> None:
        if name != LIAR:
            self._set(name, "on")

    def state(self, name: str) -> str:
        place = self._folder / f"{name}.state"
        return place.read_text() if place.exists() else "on"

    def _set(self, name: HostId, state: str) -> None:
        (self._folder / f"{name}.looks").write_text("0")
        (self._folder / f"{name}.state").write_text(state)

    def _count(self, name: HostId) -> int:
        place = self._folder / f"{name}.looks"
        looks = int(place.read_text()) + 1 if place.exists() else 1
        place.write_text(str(looks))
        return looks


class RunningRoom:
    """What a test sees of it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.password = folder / "password"

    def host(self, name: str, **changes: str | None) -> Host:
        endpoint = {
            "bmc_url": self.url,
            "bmc_system": name,
            "bmc_user": USER,
            "bmc_password_ref": f"file:{self.password}",
        }
        return a_host(name, **{**endpoint, **changes})

    def is_on(self, name: str) -> bool:
        """What is true of the machine, whatever its BMC says."""
        return Room(self.folder).state(name) == "on"

    def in_mood(self, name: str, mood: str) -> None:
        (self.folder / MOODS / name).write_text(mood)


@contextlib.contextmanager
def machine_room(folder: Path) -> Iterator[RunningRoom]:
    (folder / MOODS).mkdir(parents=True)
    (folder / "state").mkdir()
    (folder / "password").write_text(PASSWORD + "\n")
    port = free_port()
    room = RunningRoom(folder, port)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(folder), str(port)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        )
    try:
        wait_for_redfish(room.url, process, folder / "log")
        yield room
    finally:
        process.terminate()
        process.wait(30)


def wait_for_redfish(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/redfish/v1/", trust_env=False).is_success:
                return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    room = Room(folder)
    machines = Machines(
        hosts=[HostId(name) for name in (OBEDIENT, SLOW, LIAR, RESTLESS)],
        is_on=room.is_on,
        power_off=room.power_off,
        power_on=room.power_on,
    )
    serve(machines, folder, port=port, user=USER, password=PASSWORD)


if __name__ == "__main__":
    main()
