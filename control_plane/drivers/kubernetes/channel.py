"""Bytes to and from a command that runs in a pod.

The client's own buffer takes in whatever has arrived, without bound, so whoever speaks through this asks
for little at a time.
"""

from __future__ import annotations

import time

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from websocket import WebSocketException

from control_plane.drivers.protocol import DriverError, HostUnreachable, ReadingBroken
from control_plane.model.units import Seconds

_STDOUT, _STDERR, _ERROR = 1, 2, 3
_AT_ONCE = 1 << 18


class PodChannel:
    """A Channel, and a context manager. `patience` is how long one answer may take."""

    def __init__(
        self,
        api: client.CoreV1Api,
        namespace: str,
        pod: str,
        container: str,
        *,
        command: list[str],
        patience: Seconds,
    ) -> None:
        self._patience = patience
        self._held = bytearray()
        try:
            self._socket = stream(
                api.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=command,
                stdin=True,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                binary=True,
            )
        except ApiException as error:
            raise DriverError(f"No command can be run in pod {pod}: {error.reason}"[:300]) from None
        except (OSError, WebSocketException) as error:
            raise HostUnreachable(f"Kubernetes does not answer: {error}"[:300]) from None

    def __enter__(self) -> PodChannel:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close(timeout=2)

    def send(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), _AT_ONCE):
                self._socket.write_stdin(data[at : at + _AT_ONCE])
        except (OSError, WebSocketException) as error:
            raise ReadingBroken(f"The connection to the pod broke: {error}"[:300]) from None

    def receive(self, length: int) -> bytes:
        deadline = time.monotonic() + self._patience
        try:
            while len(self._held) < length:
                # Frames may be empty, so that nothing may come before the time is over.
                got = self._socket.read_channel(_STDOUT, timeout=1)
                if got:
                    self._held += got
                    deadline = time.monotonic() + self._patience
                elif not self._socket.is_open():
                    break
                elif time.monotonic() > deadline:
                    raise HostUnreachable("The pod beside the volume did not answer in time.")
        except (OSError, WebSocketException) as error:
            raise ReadingBroken(f"The connection to the pod broke: {error}"[:300]) from None
        taken = bytes(self._held[:length])
        del self._held[:length]
        return taken

    def ended(self) -> str | None:
        """Waits for the command to end; None where it went well, else what it said."""
        try:
            self._socket.run_forever(timeout=self._patience)
            if self._socket.is_open():
                return "it did not end in time"
            said = bytes(self._socket.read_channel(_STDERR) or b"")
            if self._socket.returncode == 0:
                return None
        except (OSError, WebSocketException, KeyError, TypeError, ValueError) as error:
            return str(error)[:200]
        return said.decode(errors="replace").strip()[-200:] or "it ended with an error"
