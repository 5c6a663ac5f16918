"""A folder of this machine as a volume: the agent that runs beside volumes, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane.drivers.container_volumes import VolumeClaim
from control_plane.drivers.kubernetes import volume_agent
from control_plane.drivers.kubernetes.agent_volume import AgentVolume


class _Pipes:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def send(self, data: bytes) -> None:
        self._in.write(data)
        self._in.flush()

    def receive(self, length: int) -> bytes:
        return self._out.read(length)


@contextmanager
def beside(folder: Path, name: str = "data") -> Iterator[AgentVolume]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", volume_agent.__file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            yield AgentVolume(VolumeClaim(name, 1 << 30), _Pipes(process))
        finally:
            process.kill()
