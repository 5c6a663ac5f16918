"""A host made of a network and a mount namespace: a writer that stands for its servers, and its agent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from control_plane.drivers.fencing.lease_record import (
    LeaseMalformed,
    LeaseRecord,
    decode,
    read_block,
)
from control_plane.model.pool import Host
from deploy import host_agent
from deploy.local import processes
from tests.drivers.fencing.samples import a_host

AGENT = Path(host_agent.__file__).with_name("yui_host_agent.py")
TTL = WATCHDOG = 3.0
_PATIENCE = 60.0
_WRITER = """
import sys, time
with open(sys.argv[1], "a", buffering=1) as disk:
    while True:
        disk.write(f"{time.monotonic()!r}\\n")
        time.sleep(0.01)
"""


def eventually(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"this never happened: {what}"
        time.sleep(0.01)


@dataclass
class NamespaceHost:
    name: str
    folder: Path
    lease_path: Path
    inode: int = 0
    holder: subprocess.Popen[bytes] | None = None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return a_host(self.name, lease_path=str(self.lease_path))

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def boot(self) -> None:
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "sleep", "infinity"])
        own = Path("/proc/self/ns/net").stat().st_ino
        place = Path(f"/proc/{self.holder.pid}/ns/net")
        eventually(lambda: place.stat().st_ino != own, f"{self.name} has a network namespace")
        self.inode = place.stat().st_ino
        eventually(
            lambda: Path(f"/proc/{self.holder.pid}/comm").read_text() == "sleep\n", "it is up"
        )

    def run(self, *command: str, log: str = "agent.log") -> subprocess.Popen[bytes]:
        assert self.holder is not None
        with (self.folder / log).open("ab") as out:
            process = subprocess.Popen(
                ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self.started.append(process)
        return process

    def start_writer(self) -> None:
        self.run(sys.executable, "-c", _WRITER, str(self.folder / "disk"), log="writer.log")
        eventually(lambda: self.last_write() > 0, f"the server on {self.name} writes")

    def start_agent(self, notify_socket: str = "", **changes: object) -> subprocess.Popen[bytes]:
        config = self.folder / "agent.json"
        fields = {
            "host": self.name,
            "lease_path": str(self.lease_path),
            "interval": 0.2,
            "ttl": TTL,
            "watchdog_timeout": WATCHDOG,
            "watchdog": f"namespace:{self.inode}",
            "boot_id_path": str(self.folder / "boot-id"),
        }
        config.write_text(json.dumps({**fields, **changes}))
        python = (sys.executable, "-E", "-s", "-S")
        told = f"NOTIFY_SOCKET={notify_socket}"
        return self.run("env", told, *python, str(AGENT), "--config", str(config))

    def wait_for_lease(self, agent: str | None = None) -> LeaseRecord:
        """The first armed lease, of another agent than `agent`."""
        found: list[LeaseRecord] = []

        def look() -> bool:
            record = self.lease()
            if record is not None and record.armed and record.agent != agent:
                found.append(record)
            return bool(found)

        eventually(look, f"{self.name} keeps a lease")
        return found[0]

    def lease(self) -> LeaseRecord | None:
        try:
            return decode(read_block(str(self.lease_path)))
        except (OSError, LeaseMalformed):
            return None

    def make_storage_read_only(self) -> None:
        """For this host alone; everybody else reads and writes it as before."""
        place = str(self.lease_path.parent)
        for options in (["--bind", place, place], ["-o", "remount,bind,ro", place]):
            assert self.run("mount", *options).wait() == 0

    def alive(self) -> list[int]:
        """Processes of the host that can still do anything."""
        return [pid for pid in processes.members(self.inode) if _state(pid) not in "ZX"]

    def last_write(self) -> float:
        """When the server last wrote, by the machine's monotonic clock; 0 before it ever did."""
        with contextlib.suppress(OSError):
            lines = (self.folder / "disk").read_text().splitlines()
            # The last line may be cut short by the death of its writer.
            for line in reversed(lines[:-1]):
                return float(line)
        return 0.0

    def destroy(self) -> None:
        for pid in self.alive() if self.inode else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in (*self.started, *([self.holder] if self.holder else [])):
            process.kill()
            process.wait()


@contextlib.contextmanager
def namespace_host(name: str, folder: Path, storage: Path) -> Iterator[NamespaceHost]:
    own = folder / name
    own.mkdir()
    host = NamespaceHost(name, own, storage / name)
    try:
        host.boot()
        yield host
    finally:
        host.destroy()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
