"""The card of an isolated server: it leads into the server's own QEMU and out of it only through the
connection to libvirt, so that nobody else can talk to the guest, and the guest to nobody.

In QEMU the card is plugged into a hub without any other port. What the guest sends is handed to one stream,
where it is gone if nobody listens, and while the driver talks to it, what comes from another stream is handed
to the guest (`filter-redirector`); both are unix sockets that libvirtd gives to whoever may manage the server,
as it does with consoles. No network of the host is touched: the
tap that libvirt insists on is on no bridge and has nobody at its other end, and a server is let go on only
once QEMU itself has said that its card is in that hub.
"""

from __future__ import annotations

import contextlib
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element, SubElement, register_namespace

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]

from control_plane.drivers.protocol import DriverError
from control_plane.model.units import Seconds

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
_CARD, _IN, _OUT = "ua-yui-card", "ua-yui-in", "ua-yui-out"
"""Names that a definition gives to devices begin so."""
_HUB = "yui-alone"
_CHANNELS = {_IN: "yui.neighbour.in", _OUT: "yui.neighbour.out"}
_FILTER_IN, _FILTER_OUT = "yui-in", "yui-out"
_OVERRIDES_SINCE, _FLAT_OBJECTS_SINCE = 8_002_000, 6_000_000
"""libvirt 8.2.0 lets a definition replace a device's property; QEMU 6.0.0 takes objects as written here."""
_MOST_FRAME = 65_536
_LOOK = Seconds(0.01)

register_namespace("qemu", _QEMU)


def possible(connection: libvirt.virConnect) -> bool:
    """Whether the host can do so; elsewhere an isolated server has a card without a link."""
    return (
        int(connection.getLibVersion()) >= _OVERRIDES_SINCE
        and int(connection.getVersion()) >= _FLAT_OBJECTS_SINCE
    )


def add(domain: Element, devices: Element, card: Element) -> None:
    """Into a definition: `card` with its MAC and model is there, and leads nowhere yet."""
    card.set("type", "ethernet")
    SubElement(card, "alias", name=_CARD)
    for alias, name in _CHANNELS.items():
        channel = SubElement(devices, "channel", type="unix")
        SubElement(channel, "source", mode="bind")
        SubElement(channel, "target", type="virtio", name=name)
        SubElement(channel, "alias", name=alias)
    commands = SubElement(domain, f"{{{_QEMU}}}commandline")
    for argument in (
        "-netdev",
        f"hubport,id={_HUB},hubid=1",
        "-object",
        # A hub without another port takes nothing, and a card that can't send stands still for good.
        f"filter-redirector,id={_FILTER_OUT},netdev={_HUB},queue=rx,outdev=char{_OUT}",
    ):
        SubElement(commands, f"{{{_QEMU}}}arg", value=argument)
    override = SubElement(domain, f"{{{_QEMU}}}override")
    _property(override, _CARD, name="netdev", type="string", value=_HUB)
    for alias in _CHANNELS:
        # The filters are given the streams; the guest sees ports that nobody is at.
        _property(override, alias, name="chardev", type="remove")


def _property(override: Element, alias: str, **attributes: str) -> None:
    device = SubElement(override, f"{{{_QEMU}}}device", alias=alias)
    SubElement(SubElement(device, f"{{{_QEMU}}}frontend"), f"{{{_QEMU}}}property", attributes)


def has_one(domain: libvirt.virDomain) -> bool:
    return f'"{_CARD}"' in domain.XMLDesc(0).replace("'", '"')


def create(domain: libvirt.virDomain) -> None:
    """Start it; one that is isolated so only once it is certain. Raises DriverError."""
    if not has_one(domain):
        domain.create()
        return
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    go_on(domain)


def go_on(domain: libvirt.virDomain) -> None:
    """Raises DriverError, and cuts the power of an isolated one whose card is not where it belongs."""
    if has_one(domain):
        found = _told(domain, "qom-get", path=f"/machine/peripheral/{_CARD}", property="netdev")
        if found != _HUB:
            domain.destroy()
            raise DriverError(
                f"Server {domain.name()} is to be isolated, and its card is plugged into {found}: it was not started"
            )
    domain.resume()


class _Streams:
    """Frames to and from the guest, each behind its length in four bytes."""

    def __init__(self, into: libvirt.virStream, out_of: libvirt.virStream) -> None:
        self._into = into
        self._out_of = out_of
        self._received = bytearray()

    def send(self, frame: bytes) -> None:
        left = struct.pack("!I", len(frame)) + frame
        while left:
            sent = self._into.send(left)
            if sent >= 0:
                left = left[sent:]
            else:
                time.sleep(_LOOK)

    def receive(self, patience: Seconds) -> bytes | None:
        end = time.monotonic() + patience
        while (frame := self._whole()) is None:
            some = self._out_of.recv(_MOST_FRAME)
            if isinstance(some, bytes) and some:
                self._received += some
            elif time.monotonic() >= end:
                return None
            else:
                time.sleep(_LOOK)
        return frame

    def _whole(self) -> bytes | None:
        if len(self._received) < 4:
            return None
        (length,) = struct.unpack("!I", self._received[:4])
        if length > _MOST_FRAME:
            raise DriverError("What its QEMU hands over are no frames")
        if len(self._received) < 4 + length:
            return None
        frame = bytes(self._received[4 : 4 + length])
        del self._received[: 4 + length]
        return frame


@contextmanager
def link(connection: libvirt.virConnect, domain: libvirt.virDomain) -> Iterator[_Streams]:
    """Whoever else has it loses it."""
    streams = {}
    # A filter is deaf once whoever spoke to it is gone.
    _told(domain, "object-del", id=_FILTER_IN)
    hearing = {
        "qom-type": "filter-redirector",
        "id": _FILTER_IN,
        "netdev": _HUB,
        "queue": "tx",
        "indev": f"char{_IN}",
    }
    try:
        _told(domain, "object-add", **hearing)
        for alias, name in _CHANNELS.items():
            stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
            domain.openChannel(name, stream, libvirt.VIR_DOMAIN_CHANNEL_FORCE)
            streams[alias] = stream
        yield _Streams(streams[_IN], streams[_OUT])
    finally:
        for stream in streams.values():
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()
        with contextlib.suppress(libvirt.libvirtError):
            _told(domain, "object-del", id=_FILTER_IN)


def _told(domain: libvirt.virDomain, command: str, **arguments: str) -> object:
    """What QEMU answers; None where it refuses."""
    text = json.dumps({"execute": command, "arguments": arguments})
    return json.loads(libvirt_qemu.qemuMonitorCommand(domain, text, 0)).get("return")
