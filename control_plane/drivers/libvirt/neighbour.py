"""A guest's only neighbour on a link of two: as much of ARP, IPv4 and TCP as one request over HTTP takes.

On such a link nothing gets lost but by a guest that is too busy, and nobody else speaks. So what comes out of
turn is asked for again by acknowledging what came before it (RFC 9293, section 3.10.7.4), one request is
never more than a segment, and there is no congestion to control. ARP is RFC 826's; checksums RFC 1071's.
"""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from ipaddress import IPv4Address, IPv4Interface
from socket import socket
from typing import Protocol, cast

from control_plane.drivers.guest import PROBE_BODY, HttpProbe, ProbeResult
from control_plane.model.health import Miss
from control_plane.model.units import Seconds

_MAC = bytes.fromhex("027975690001")
"""Locally administered."""
_EVERYBODY = b"\xff" * 6
_ARP, _IPV4 = 0x0806, 0x0800
_TCP = 6
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
_WINDOW = 65_535
_MOST_SEGMENT = 1_460
_AGAIN = Seconds(1.0)
_HEADERS = 16 * 1024


class Link(Protocol):
    def send(self, frame: bytes) -> None: ...

    def receive(self, patience: Seconds) -> bytes | None:
        """The next frame that the guest sends; None where it sent none for so long."""
        ...


class _NoAnswer(Exception):
    def __init__(self, miss: Miss) -> None:
        super().__init__(miss.en)
        self.miss = miss


@dataclass(frozen=True, slots=True)
class _Segment:
    number: int
    acknowledged: int
    flags: int
    data: bytes


def ask(link: Link, probe: HttpProbe) -> ProbeResult:
    """The answer of whichever of the addresses the guest has."""
    deadline = time.monotonic() + probe.timeout
    request = (
        f"GET {probe.path} HTTP/1.1\r\nHost: {{host}}\r\nUser-Agent: yui-restore-test\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    try:
        here, there, mac = _find(link, probe, deadline)
        line = _Line(link, here, there, mac, probe.port, deadline)
        received = line.exchange(request.format(host=there).encode("ascii"))
    except _NoAnswer as seen:
        return ProbeResult(None, miss=seen.miss)
    return _parsed(received)


def _parsed(received: bytes) -> ProbeResult:
    answer = HTTPResponse(cast(socket, _Received(received)), method="GET")
    try:
        answer.begin()
        body = answer.read(PROBE_BODY)
    except HTTPException as error:
        partial = getattr(error, "partial", None)
        if answer.status and isinstance(partial, bytes):
            return ProbeResult(answer.status, partial[:PROBE_BODY])
        return ProbeResult(None, miss=Miss.NO_HTTP)
    except (OSError, ValueError):
        return ProbeResult(None, miss=Miss.NO_HTTP)
    return ProbeResult(answer.status, body)


class _Received:
    """What http.client needs of a socket."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, mode: str) -> BytesIO:  # noqa: ARG002
        return BytesIO(self._received)


def _find(link: Link, probe: HttpProbe, deadline: float) -> tuple[IPv4Address, IPv4Address, bytes]:
    """Our address beside it, the guest's, and its MAC."""
    known = [IPv4Interface(address) for address in probe.addresses]
    beside = {each.ip: _beside(each) for each in known}
    ask_at = 0.0
    while (now := time.monotonic()) < deadline:
        if now >= ask_at:
            for there, here in beside.items():
                link.send(_arp(1, here, _EVERYBODY, there))
            ask_at = now + _AGAIN
        frame = link.receive(Seconds(min(ask_at, deadline) - now))
        told = None if frame is None else _told(frame)
        if told is not None and told[1] in beside:
            return beside[told[1]], told[1], told[2]
    raise _NoAnswer(Miss.NOBODY)


def _beside(guest: IPv4Interface) -> IPv4Address:
    for host in guest.network.hosts():
        if host != guest.ip:
            return host
    return IPv4Address(int(guest.ip) ^ 1)


def _arp(operation: int, here: IPv4Address, mac: bytes, there: IPv4Address) -> bytes:
    asked = b"\0" * 6 if operation == 1 else mac
    head = mac + _MAC + struct.pack("!H", _ARP)
    told = struct.pack("!HHBBH", 1, _IPV4, 6, 4, operation)
    return (head + told + _MAC + here.packed + asked + there.packed).ljust(60, b"\0")


def _told(frame: bytes) -> tuple[int, IPv4Address, bytes, IPv4Address] | None:
    """Of an ARP packet: its operation, who says so with its MAC, and whom it asks for."""
    if len(frame) < 42 or frame[12:20] != struct.pack("!HHHBB", _ARP, 1, _IPV4, 6, 4):
        return None
    (operation,) = struct.unpack("!H", frame[20:22])
    return operation, IPv4Address(frame[28:32]), frame[22:28], IPv4Address(frame[38:42])


@dataclass(slots=True)
class _Line:
    """One TCP connection, from here to there. `_next` is the number of the next byte that is sent, `_wanted`
    of the next that is received."""

    link: Link
    here: IPv4Address
    there: IPv4Address
    mac: bytes
    port: int
    deadline: float
    _own_port: int = field(default_factory=lambda: 49_152 + secrets.randbelow(16_384))
    _next: int = field(default_factory=lambda: secrets.randbits(32))
    _wanted: int = 0
    _received: bytearray = field(default_factory=bytearray)

    def exchange(self, request: bytes) -> bytes:
        """What comes back, until the answer is complete or the other side says no more."""
        self._connect()
        first, acknowledged, send_at = self._next, False, 0.0
        self._next = _wrapped(first + len(request))
        while (now := time.monotonic()) < self.deadline:
            if not acknowledged and now >= send_at:
                self._send(first, _ACK | _PSH, request)
                send_at = now + _AGAIN
            segment = self._receive(Seconds(min(self.deadline - now, _AGAIN)))
            if segment is None:
                continue
            if segment.flags & _RST:
                break
            acknowledged |= bool(segment.flags & _ACK) and segment.acknowledged == self._next
            if self._take(segment) or _is_complete(self._received):
                self._send(self._next, _RST | _ACK)
                return bytes(self._received)
        if self._received:
            return bytes(self._received)
        self._send(self._next, _RST | _ACK)
        raise _NoAnswer(Miss.SILENT)

    def _connect(self) -> None:
        first, send_at = self._next, 0.0
        self._next = _wrapped(first + 1)
        while (now := time.monotonic()) < self.deadline:
            if now >= send_at:
                self._send(first, _SYN)
                send_at = now + _AGAIN
            segment = self._receive(Seconds(min(self.deadline - now, _AGAIN)))
            if segment is None or segment.acknowledged != self._next:
                continue
            if segment.flags & _RST:
                raise _NoAnswer(Miss.CLOSED)
            if segment.flags & _SYN:
                self._wanted = _wrapped(segment.number + 1)
                self._send(self._next, _ACK)
                return
        raise _NoAnswer(Miss.UNANSWERED)

    def _take(self, segment: _Segment) -> bool:
        """Whether the other side says that this was all."""
        if not segment.data and not segment.flags & _FIN:
            return False
        ended = False
        if segment.number == self._wanted:
            self._received += segment.data
            ended = bool(segment.flags & _FIN) or len(self._received) > PROBE_BODY + _HEADERS
            self._wanted = _wrapped(self._wanted + len(segment.data) + bool(segment.flags & _FIN))
        self._send(self._next, _ACK)
        return ended

    def _send(self, number: int, flags: int, data: bytes = b"") -> None:
        options = struct.pack("!BBH", 2, 4, _MOST_SEGMENT) if flags & _SYN else b""
        length = 20 + len(options)
        head = struct.pack(
            "!HHIIBBHHH",
            self._own_port,
            self.port,
            number,
            self._wanted if flags & _ACK else 0,
            length // 4 << 4,
            flags,
            _WINDOW,
            0,
            0,
        )
        segment = head + options + data
        ends = self.here.packed + self.there.packed + struct.pack("!BBH", 0, _TCP, len(segment))
        segment = segment[:16] + _checksum(ends + segment) + segment[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, _TCP, 0)
        ip += self.here.packed + self.there.packed
        ip = ip[:10] + _checksum(ip) + ip[12:]
        frame = self.mac + _MAC + struct.pack("!H", _IPV4) + ip + segment
        self.link.send(frame.ljust(60, b"\0"))

    def _receive(self, patience: Seconds) -> _Segment | None:
        """The next of this connection; who asks for our MAC is answered meanwhile."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            frame = self.link.receive(Seconds(left))
            if frame is None:
                return None
            told = _told(frame)
            if told is not None and told[0] == 1 and told[3] == self.here:
                self.link.send(_arp(2, self.here, told[2], told[1]))
            elif (segment := self._segment(frame)) is not None:
                return segment
        return None

    def _segment(self, frame: bytes) -> _Segment | None:
        packet = frame[14:]
        if frame[12:14] != struct.pack("!H", _IPV4) or len(packet) < 20 or packet[9] != _TCP:
            return None
        if packet[12:20] != self.there.packed + self.here.packed:
            return None
        (length,) = struct.unpack("!H", packet[2:4])
        tcp = packet[(packet[0] & 15) * 4 : length]
        if len(tcp) < 20:
            return None
        source, target, number, acknowledged, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
        if (source, target) != (self.port, self._own_port):
            return None
        return _Segment(number, acknowledged, flags, tcp[(offset >> 4) * 4 :])


def _is_complete(received: bytearray) -> bool:
    """Of a server that leaves the connection open all the same."""
    head, ends, body = bytes(received).partition(b"\r\n\r\n")
    if not ends:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return value.strip().isdigit() and len(body) >= int(value)
        if name == b"transfer-encoding":
            return body.endswith(b"0\r\n\r\n")
    return False


def _wrapped(number: int) -> int:
    return number & 0xFFFF_FFFF


def _checksum(content: bytes) -> bytes:
    if len(content) % 2:
        content += b"\0"
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
