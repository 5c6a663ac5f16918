"""Boots the tiny guest with plain QEMU: no libvirt, no rights, and no network but a port on loopback."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

PATIENCE_S = 120
"""Long enough for a slow machine that does several things at once."""


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}, which 'make test' installs where it may")


def seed(directory: Path, files: dict[str, str]) -> Path:
    """A NoCloud seed disk: an ISO 9660 volume labelled cidata."""
    content = directory / "seed"
    content.mkdir()
    for name, text in files.items():
        (content / name).write_text(text)
    iso = directory / "seed.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-V", "cidata", "-J", "-r", "-o", iso, content],
        check=True,
        capture_output=True,
    )
    return iso


def overlay(directory: Path, image: Path) -> Path:
    disk = directory / "disk.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, disk], check=True
    )
    return disk


@dataclass(frozen=True)
class Hardware:
    memory_mib: int = 96
    vcpus: int = 1
    mac: str = "52:54:00:77:16:05"


class Guest:
    """One power-on of a guest."""

    def __init__(
        self, disk: Path, seed_args: list[str], console: Path, hardware: Hardware | None = None
    ) -> None:
        hardware = hardware or Hardware()
        self._console = console
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *("qemu-system-x86_64", "-accel", "tcg,tb-size=32"),
                    *("-m", str(hardware.memory_mib), "-smp", str(hardware.vcpus)),
                    *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
                    *("-serial", f"file:{console}"),
                    *(
                        "-chardev",
                        f"socket,id=qmp,fd={theirs.fileno()}",
                        "-mon",
                        "qmp,mode=control",
                    ),
                    *("-drive", f"file={disk},if=none,id=disk,discard=unmap"),
                    *("-device", "virtio-blk-pci,drive=disk,bootindex=1"),
                    *seed_args,
                    *("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:80"),
                    *("-device", f"virtio-net-pci,netdev=net,mac={hardware.mac},romfile="),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._monitor = ours
        self._monitor.settimeout(PATIENCE_S)
        self._replies = ours.makefile("r")
        self._replies.readline()
        self.tell("qmp_capabilities")
        told = self.tell("human-monitor-command", **{"command-line": "info usernet"})
        port = re.search(r"HOST_FORWARD\S*\s+\d+\s+127\.0\.0\.1\s+(\d+)", told)
        assert port, told
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port[1]}", timeout=PATIENCE_S, trust_env=False
        )

    def tell(self, command: str, **arguments: Any) -> Any:
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            reply = json.loads(self._replies.readline())
            if "return" in reply:
                return reply["return"]
            assert "error" not in reply, reply

    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.console():
            assert time.monotonic() < deadline, f"no '{words}' on the console:\n{self.console()}"
            assert self.process.poll() is None, f"QEMU ended:\n{self.console()}"
            time.sleep(0.05)

    def cut_power(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.http.close()
        self._replies.close()
        self._monitor.close()


@contextmanager
def powered_on(
    disk: Path, seed_disk: Path, *, cdrom: bool = False, hardware: Hardware | None = None
) -> Iterator[Guest]:
    """The guest, its HTTP answering."""
    drive = ["-drive", f"file={seed_disk},if=none,id=seed,format=raw,readonly=on"]
    device = "ide-cd,drive=seed" if cdrom else "virtio-blk-pci,drive=seed"
    guest = Guest(disk, [*drive, "-device", device], disk.with_suffix(".console"), hardware)
    try:
        guest.wait_for("HTTP answers")
        yield guest
    finally:
        guest.close()
