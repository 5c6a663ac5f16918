"""Listens at one address for hypervisors, and serves each the disk whose name it knows.

Names are drawn at random and are what lets a host read where nothing else does: over a unix socket of one
machine, or on a network of which the operators have written down that nobody else is on it. Everywhere else it is TLS, where
both sides show certificates of the pool's own authority.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from control_plane.drivers.disk_exports import ServedDisk
from control_plane.drivers.nbd.protocol import PORT
from control_plane.drivers.nbd.session import Gone, Session
from control_plane.model.errors import YuiError

_WAITING = 64
_MOST_CLIENTS = 256


@dataclass(frozen=True, slots=True)
class Address:
    """Where hosts call: `nbds://host:port?certificates=/folder`, `nbd://host:port`, or `nbd+unix:///path`. The folder holds
    `ca-cert.pem`, `server-cert.pem`, `server-key.pem`, as QEMU names them."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    certificates: str | None = None

    @staticmethod
    def parse(text: str) -> Address:
        """Raises YuiError `disk-address-invalid`."""
        parts = urlsplit(text)
        folder = parse_qs(parts.query).get("certificates", [None])[0]
        with contextlib.suppress(ValueError):
            if parts.scheme == "nbd+unix" and parts.path.startswith("/") and not parts.netloc:
                return Address("nbd+unix", path=unquote(parts.path))
            if parts.scheme == "nbd" and parts.hostname and folder is None:
                return Address("nbd", parts.hostname, parts.port or PORT)
            if parts.scheme == "nbds" and parts.hostname and folder:
                return Address("nbds", parts.hostname, parts.port or PORT, certificates=folder)
        raise YuiError(
            "disk-address-invalid",
            en=f"'{text}' is no address to serve disks at: it is nbds://HOST:PORT?certificates=/FOLDER, nbd+unix:///PATH, or nbd://HOST:PORT where nobody else is on the network.",
            ja=f"「{text}」は、ディスクを提供するアドレスとして使えません。nbds://ホスト:ポート?certificates=/フォルダー、nbd+unix:///パス、またはほかに誰もいないネットワークでは nbd://ホスト:ポート を指定してください。",
        )

    def of(self, name: str) -> str:
        if self.scheme == "nbd+unix":
            return f"nbd+unix:///{name}?socket={self.path}"
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{bracketed}:{self.port}/{name}"


class NbdExports:
    """See DiskExports. Listens from the first disk on until it is closed."""

    def __init__(self, address: str) -> None:
        """Raises YuiError for what is no address."""
        self._address = Address.parse(address)
        self._disks: dict[str, ServedDisk] = {}
        self._clients: dict[_Client, None] = {}
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None

    def place(self, name: str) -> str:
        return self._address.of(name)

    @contextmanager
    def serve(self, backing: str, disk: ServedDisk) -> Iterator[None]:
        """Raises YuiError `disk-export-elsewhere`, `disk-address-unusable`."""
        name = self._name_of(backing)
        with self._lock:
            try:
                self._listen()
            except OSError as error:
                raise _unusable(error) from error
            self._disks[name] = disk
        try:
            yield
        finally:
            with self._lock:
                if self._disks.get(name) is disk:
                    del self._disks[name]
                left = [each for each in self._clients if each.name == name]
            for client in left:
                client.session.hang_up()

    def close(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
            clients = list(self._clients)
            self._disks.clear()
        if listener is not None:
            with contextlib.suppress(OSError):
                # It wakes whoever waits for the next one to call.
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for client in clients:
            client.session.hang_up()

    def _name_of(self, backing: str) -> str:
        name = urlsplit(backing).path.removeprefix("/")
        if not name or self._address.of(name) != backing:
            raise YuiError(
                "disk-export-elsewhere",
                en=f"A server reads its disk from {backing.split('?', maxsplit=1)[0].rpartition('/')[0]}/…, where this control plane does not serve disks: start it with the address that it had.",
                ja=f"サーバーがディスクを {backing.split('?', maxsplit=1)[0].rpartition('/')[0]}/… から読み取っていますが、このコントロールプレーンはそこでディスクを提供していません。以前と同じアドレスを指定して起動してください。",
                status=503,
            )
        return name

    def _listen(self) -> None:
        if self._listener is not None:
            return
        if self._address.certificates is not None:
            self._tls = _tls(Path(self._address.certificates))
        if self._address.scheme == "nbd+unix":
            self._listener = _on_socket(self._address.path)
        else:
            self._listener = _on_port(self._address.host, self._address.port)
        threading.Thread(
            target=self._accept, args=(self._listener,), name="nbd", daemon=True
        ).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                called, _ = listener.accept()
            except OSError:
                return
            client = _Client(self._disk)
            client.session = Session(called, client.find, self._tls)
            with self._lock:
                taken = self._listener is listener and len(self._clients) < _MOST_CLIENTS
                if taken:
                    self._clients[client] = None
            if taken:
                threading.Thread(
                    target=self._talk, args=(called, client), name="nbd-client", daemon=True
                ).start()
            else:
                client.session.close()

    def _disk(self, name: str) -> ServedDisk | None:
        with self._lock:
            return self._disks.get(name)

    def _talk(self, called: socket.socket, client: _Client) -> None:
        try:
            with contextlib.suppress(Gone, OSError):
                called.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                if called.family != socket.AF_UNIX:
                    called.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.session.run()
        finally:
            with self._lock:
                self._clients.pop(client, None)
            client.session.close()


class _Client:
    """`name`: what it reads, or has asked for last."""

    session: Session

    def __init__(self, disks: Callable[[str], ServedDisk | None]) -> None:
        self._disks = disks
        self.name: str | None = None

    def find(self, name: str) -> ServedDisk | None:
        self.name = name
        return self._disks(name)


def _unusable(error: OSError) -> YuiError:
    return YuiError(
        "disk-address-unusable",
        en=f"This control plane can't serve disks at its address: {error}",
        ja=f"このコントロールプレーンは、設定されたアドレスでディスクを提供できません({error})。",
        status=503,
    )


def _on_socket(path: str) -> socket.socket:
    """Open to whoever may enter its folder: QEMU runs as a user of its own."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o666)  # noqa: S103 — the names of the disks are what is secret
        listener.listen(_WAITING)
    except OSError:
        listener.close()
        raise
    return listener


def _on_port(host: str, port: int) -> socket.socket:
    """Comes up again at once where the last life of the control plane had it."""
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        backlog=_WAITING,
    )


def _tls(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "server-cert.pem", folder / "server-key.pem")
    context.load_verify_locations(folder / "ca-cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context
