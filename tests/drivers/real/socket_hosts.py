"""Hosts that are sockets on loopback: one that listens answers, one that is closed does not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from control_plane.drivers.disks import VolumeSpec
from control_plane.drivers.protocol import (
    DriverError,
    HostDriver,
    HostFacts,
    HostUnreachable,
    ObservedServer,
    ServerSpec,
)
from control_plane.model.ids import Generation, ServerId
from control_plane.model.image import Image
from control_plane.model.pool import Endpoint, Host
from control_plane.model.units import Resources, Seconds
from tests.drivers.fencing.samples import a_host

_TIMEOUT = 10.0


class SocketDriver:
    """A host that carries nothing. It speaks one line: `grumpy` hosts refuse whatever is asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.uri)
        self._address = (parts.hostname or "", parts.port or 0)
        self._grumpy = parts.path == "/grumpy"
        self.closed = False

    def list_servers(self) -> Sequence[ObservedServer]:
        try:
            with socket.create_connection(self._address, timeout=_TIMEOUT):
                pass
        except OSError as error:
            raise HostUnreachable(f"{self._address} does not answer: {error}") from error
        if self._grumpy:
            raise DriverError("not in the mood")
        return ()

    def close(self) -> None:
        self.closed = True

    def facts(self) -> HostFacts:
        raise DriverError("a socket has no facts")

    def ensure_image(self, image: Image) -> None:
        raise DriverError(image.id)

    def ensure_volume(self, spec: ServerSpec) -> None:
        raise DriverError(spec.id)

    def remove_volume(self, server: ServerId, volume: VolumeSpec) -> None:
        raise DriverError(f"{server} {volume.pool}")

    def define(self, spec: ServerSpec) -> None:
        raise DriverError(spec.id)

    def start(self, server: ServerId) -> None:
        raise DriverError(server)

    def shut_down(self, server: ServerId, grace: Seconds, listed: Generation) -> bool:
        raise DriverError(f"{server} {grace} {listed}")

    def destroy(self, server: ServerId, listed: Generation) -> None:
        raise DriverError(f"{server} {listed}")

    def undefine(self, server: ServerId, listed: Generation) -> None:
        raise DriverError(f"{server} {listed}")

    def resize(self, server: ServerId, size: Resources) -> None:
        raise DriverError(f"{server} {size}")

    def migrate(self, server: ServerId, target: Endpoint) -> None:
        raise DriverError(f"{server} {target.uri}")

    def console(self, server: ServerId, tail_bytes: int) -> str:
        raise DriverError(f"{server} {tail_bytes}")


def socket_driver(endpoint: Endpoint) -> HostDriver:
    return SocketDriver(endpoint)


class SocketHost:
    """Its address stays its own while it is off."""

    def __init__(self, name: str, *, grumpy: bool = False) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.port = self._holder.getsockname()[1]
        self._server: socket.socket | None = None
        path = "/grumpy" if grumpy else ""
        self.host: Host = a_host(name, driver="socket", uri=f"socket://127.0.0.1:{self.port}{path}")
        self.switch_on()

    def switch_on(self) -> None:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", self.port))
        server.listen(256)
        self._server = server

    def switch_off(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def close(self) -> None:
        self.switch_off()
        self._holder.close()


@contextlib.contextmanager
def socket_hosts(count: int) -> Iterator[list[SocketHost]]:
    hosts = [SocketHost(f"kyoto-{number}") for number in range(1, count + 1)]
    try:
        yield hosts
    finally:
        for host in hosts:
            host.close()
