"""One client's conversation: haggling, then requests, each answered in its turn."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable

from control_plane.drivers.disk_exports import ServedDisk, Unreadable
from control_plane.drivers.nbd import protocol as nbd

_LONGEST_OPTION = 8192
_MOST_EXTENTS = 4096
_HAGGLING = 30.0
"""Seconds in which a client says each thing until it has its disk."""


class Gone(Exception):
    """The client has left, or says what no client says."""


class Session:
    """`find` gives the disk of a name, None where there is none of it. With `tls` nothing is said of disks
    before the client has proved who it is."""

    def __init__(
        self,
        client: socket.socket,
        find: Callable[[str], ServedDisk | None],
        tls: ssl.SSLContext | None,
    ) -> None:
        self._client = client
        self._find = find
        self._tls = tls
        self._structured = False
        self._context_of: str | None = None
        self._no_zeroes = False

    def run(self) -> None:
        """Comes back when the client has gone. Raises Gone, OSError."""
        self._client.settimeout(_HAGGLING)
        found = self._haggle()
        self._client.settimeout(None)
        if found is not None:
            name, disk = found
            self._serve(name, disk)

    def hang_up(self) -> None:
        """From another thread: wakes the one that reads."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Also what became of the socket under TLS."""
        self._client.close()

    # Haggling

    def _haggle(self) -> tuple[str, ServedDisk] | None:
        self._send(nbd.GREETING + struct.pack(">H", nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES))
        (flags,) = struct.unpack(">I", self._take(4))
        if not flags & nbd.FIXED_NEWSTYLE:
            raise Gone("an old client")
        self._no_zeroes = bool(flags & nbd.NO_ZEROES)
        while True:
            magic, option, length = nbd.OPTION.unpack(self._take(nbd.OPTION.size))
            if magic != nbd.OPTION_MAGIC or length > _LONGEST_OPTION:
                raise Gone("no NBD client")
            data = self._take(length)
            if option == nbd.OPT_ABORT:
                self._answer(option, nbd.ACK)
                return None
            if self._tls is not None:
                self._protect(option, self._tls)
                continue
            match option:
                case nbd.OPT_STRUCTURED:
                    self._structured = True
                    self._answer(option, nbd.ACK)
                case nbd.OPT_SET_CONTEXT:
                    self._set_context(data)
                case nbd.OPT_GO | nbd.OPT_INFO:
                    found = self._describe(option, data)
                    if found is not None and option == nbd.OPT_GO:
                        return found
                case nbd.OPT_EXPORT_NAME:
                    return self._by_old_name(data)
                case _:
                    self._answer(option, nbd.ERR_UNSUPPORTED)

    def _protect(self, option: int, tls: ssl.SSLContext) -> None:
        """Nothing else is answered before that."""
        if option == nbd.OPT_EXPORT_NAME:
            raise Gone("a client without TLS")
        if option != nbd.OPT_STARTTLS:
            self._answer(option, nbd.ERR_TLS_REQUIRED)
            return
        self._answer(option, nbd.ACK)
        self._client = tls.wrap_socket(self._client, server_side=True)
        self._tls = None

    def _describe(self, option: int, data: bytes) -> tuple[str, ServedDisk] | None:
        name = _name_in(data)
        disk = None if name is None else self._find(name)
        if name is None or disk is None:
            self._answer(option, nbd.ERR_INVALID if name is None else nbd.ERR_UNKNOWN)
            return None
        facts = struct.pack(">HQH", nbd.INFO_EXPORT, disk.size, nbd.READ_ONLY_DISK)
        self._answer(option, nbd.INFO, facts)
        sizes = struct.pack(">HIII", nbd.INFO_BLOCK_SIZE, 1, nbd.PREFERRED, nbd.LARGEST)
        self._answer(option, nbd.INFO, sizes)
        self._answer(option, nbd.ACK)
        return name, disk

    def _by_old_name(self, data: bytes) -> tuple[str, ServedDisk]:
        name = data.decode("utf-8", errors="replace")
        disk = self._find(name)
        if disk is None:
            raise Gone("no such disk")
        zeroes = b"" if self._no_zeroes else bytes(124)
        self._send(struct.pack(">QH", disk.size, nbd.READ_ONLY_DISK) + zeroes)
        return name, disk

    def _set_context(self, data: bytes) -> None:
        name = _name_in(data)
        if name is None or not self._structured:
            self._answer(nbd.OPT_SET_CONTEXT, nbd.ERR_INVALID)
            return
        self._context_of = None
        allocation = nbd.ALLOCATION.encode()
        if allocation in data:
            self._context_of = name
            told = struct.pack(">I", nbd.ALLOCATION_ID) + allocation
            self._answer(nbd.OPT_SET_CONTEXT, nbd.CONTEXT, told)
        self._answer(nbd.OPT_SET_CONTEXT, nbd.ACK)

    def _answer(self, option: int, kind: int, data: bytes = b"") -> None:
        head = nbd.OPTION_REPLY.pack(nbd.OPTION_REPLY_MAGIC, option, kind, len(data))
        self._send(head + data)

    # Requests

    def _serve(self, name: str, disk: ServedDisk) -> None:
        while True:
            head = self._take(nbd.REQUEST.size)
            magic, flags, kind, cookie, offset, length = nbd.REQUEST.unpack(head)
            if magic != nbd.REQUEST_MAGIC:
                raise Gone("no NBD client")
            if kind == nbd.DISCONNECT:
                return
            if self._find(name) is not disk:
                raise Gone("the disk is served no more")
            inside = length > 0 and offset + length <= disk.size
            if kind == nbd.FLUSH:
                self._done(cookie)
            elif kind == nbd.READ and inside and length <= nbd.LARGEST:
                self._read(disk, cookie, offset, length)
            elif kind == nbd.BLOCK_STATUS and inside and self._context_of == name:
                self._status(disk, cookie, offset, length, flags)
            elif kind in (nbd.READ, nbd.BLOCK_STATUS):
                self._fail(cookie, nbd.EINVAL)
            else:
                # A client that is told the disk is read-only and writes all the same may send data behind it.
                raise Gone("a client that writes")

    def _read(self, disk: ServedDisk, cookie: int, offset: int, length: int) -> None:
        try:
            parts = [
                (part, disk.read(part.offset, part.length) if part.data else None)
                for part in disk.within(offset, length)
            ]
        except Unreadable:
            self._fail(cookie, nbd.EIO)
            return
        if any(data is not None and len(data) != part.length for part, data in parts):
            self._fail(cookie, nbd.EIO)
            return
        if not self._structured:
            whole = b"".join(bytes(p.length) if data is None else data for p, data in parts)
            self._send(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, 0, cookie) + whole)
            return
        for number, (part, data) in enumerate(parts, 1):
            done = nbd.DONE if number == len(parts) else 0
            at = struct.pack(">Q", part.offset)
            if data is None:
                self._chunk(done, nbd.CHUNK_HOLE, cookie, at + struct.pack(">I", part.length))
            else:
                self._chunk(done, nbd.CHUNK_DATA, cookie, at + data)

    def _status(self, disk: ServedDisk, cookie: int, offset: int, length: int, flags: int) -> None:
        most = 1 if flags & nbd.JUST_ONE else _MOST_EXTENTS
        told = bytearray(struct.pack(">I", nbd.ALLOCATION_ID))
        for number, part in enumerate(disk.within(offset, length)):
            if number == most:
                break
            told += struct.pack(">II", part.length, 0 if part.data else nbd.HOLE | nbd.ZERO)
        self._chunk(nbd.DONE, nbd.CHUNK_STATUS, cookie, bytes(told))

    def _done(self, cookie: int) -> None:
        if self._structured:
            self._chunk(nbd.DONE, nbd.CHUNK_NONE, cookie, b"")
        else:
            self._send(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, 0, cookie))

    def _fail(self, cookie: int, error: int) -> None:
        if self._structured:
            said = struct.pack(">IH", error, 0)
            self._chunk(nbd.DONE, nbd.CHUNK_ERROR, cookie, said)
        else:
            self._send(nbd.SIMPLE.pack(nbd.SIMPLE_MAGIC, error, cookie))

    def _chunk(self, flags: int, kind: int, cookie: int, data: bytes) -> None:
        self._send(nbd.CHUNK.pack(nbd.CHUNK_MAGIC, flags, kind, cookie, len(data)) + data)

    def _send(self, data: bytes) -> None:
        self._client.sendall(data)

    def _take(self, length: int) -> bytes:
        taken = bytearray()
        while len(taken) < length:
            piece = self._client.recv(length - len(taken))
            if not piece:
                raise Gone("the client has hung up")
            taken += piece
        return bytes(taken)


def _name_in(data: bytes) -> str | None:
    """The export's name where an option's data begins with one; None where it does not."""
    if len(data) < 4:
        return None
    (length,) = struct.unpack_from(">I", data)
    if len(data) < 4 + length:
        return None
    return data[4 : 4 + length].decode("utf-8", errors="replace")
