"""How the bytes of a disk come from its host's QEMU: over NBD, as well protected as libvirt itself.

Whoever reaches a host by `qemu+tcp` has written down that nothing needs to be encrypted, and only then
is anything readable by others on the wire. On one and the same machine a unix socket is used, and
everything else is TLS: QEMU shows the host's certificate (`backup_tls_x509_cert_dir` in its qemu.conf,
with `backup_tls_x509_verify` so that it asks for the client's too), and the control plane shows the one
that it shows to libvirt.
"""

from __future__ import annotations

import os
import posixpath
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

from control_plane.drivers.nbd.protocol import PORT
from control_plane.drivers.protocol import DriverError
from control_plane.model.ids import ServerId

FIRST_PORT = PORT
PORTS = 64
"""As many servers may be read at once on one host."""
_SOCKETS = "/var/lib/libvirt/qemu"
"""QEMU may make files there whatever user it runs as."""
_SYSTEM_WIDE = {
    "ca-cert.pem": "/etc/pki/CA/cacert.pem",
    "client-cert.pem": "/etc/pki/libvirt/clientcert.pem",
    "client-key.pem": "/etc/pki/libvirt/private/clientkey.pem",
}
"""Where libvirt's client looks for what libnbd wants under these names."""
_IN_ONE_FOLDER = {
    "ca-cert.pem": "cacert.pem",
    "client-cert.pem": "clientcert.pem",
    "client-key.pem": "clientkey.pem",
}


class Protection(StrEnum):
    TLS = "tls"
    SAME_MACHINE = "same-machine"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Transport:
    """`host` is the name or address at which QEMU listens and is called; `folder` the one of the sockets
    (SAME_MACHINE) or of the client's certificates under libvirt's names (TLS; None: where libvirt looks
    for its own)."""

    protection: Protection
    host: str = ""
    folder: str | None = None

    @staticmethod
    def of(uri: str) -> Transport:
        """As the libvirt connection `uri` is protected."""
        parts = urlsplit(uri)
        if not parts.hostname:
            return Transport(Protection.SAME_MACHINE, folder=_SOCKETS)
        if parts.scheme.endswith("+tcp"):
            return Transport(Protection.NONE, parts.hostname)
        certificates = parse_qs(parts.query).get("pkipath", [None])[0]
        return Transport(Protection.TLS, parts.hostname, certificates)

    def place(self, server: ServerId, attempt: int) -> Place:
        """Where the server's disks are served; others on the host may have the place of one attempt."""
        number = zlib.crc32(server.encode())
        if self.protection is Protection.SAME_MACHINE:
            name = f"yui-{number:08x}-{attempt}.nbd"
            return Place(self, socket=posixpath.join(self.folder or _SOCKETS, name))
        return Place(self, port=FIRST_PORT + (number + attempt) % PORTS)

    def certificates(self) -> dict[str, Path]:
        """libnbd's names of the client's certificates, and where they are. Raises DriverError."""
        if self.folder is not None:
            found = {name: Path(self.folder, file) for name, file in _IN_ONE_FOLDER.items()}
        else:
            own = Path.home() / ".pki" / "libvirt"
            found = {name: own / file for name, file in _IN_ONE_FOLDER.items()}
            if not all(path.is_file() for path in found.values()):
                found = {name: Path(file) for name, file in _SYSTEM_WIDE.items()}
        for path in found.values():
            if not os.access(path, os.R_OK):
                raise DriverError(
                    f"The disks of host {self.host} are read over TLS, and {path} is not there or not readable: put the control plane's libvirt client certificate there"
                )
        return found


@dataclass(frozen=True, slots=True)
class Place:
    transport: Transport
    port: int = 0
    socket: str = ""

    def server_element(self) -> Element:
        """As libvirt wants to be told."""
        if self.socket:
            return Element("server", transport="unix", socket=self.socket)
        server = Element("server", transport="tcp", name=self.transport.host, port=str(self.port))
        if self.transport.protection is Protection.TLS:
            server.set("tls", "yes")
        return server
