#!/usr/bin/env python3
"""Keeps a host's lease on shared storage, and has the host reset when it no longer can.

One file that needs nothing but Python 3.10, because it is installed on every host and must come up
where little else does. Once per interval it overwrites the host's lease and then, only when the lease
is safely stored, pets a watchdog. A host that is cut off from the storage, or stuck, therefore stops
petting, and the watchdog resets it. Whoever has watched the lease stand still for long enough knows
that the host can no longer write; the inequality is told in the control plane's lease fence.

What that proof needs, and where it is done here:
* The watchdog is armed before the first lease that says so (`armed`), and petted at most once after
  each renewal, never before it.
* Starting again pets nothing until the storage has taken a lease, so a host whose watchdog is about
  to fire is not kept alive by an agent that starts over and over.
* The watchdog is put off only after a lease that says so is safely stored.
* A lease is overwritten only where the file still holds this agent's own last one. A file that was
  replaced, or an empty mount point, counts as a failed renewal.

The lease is overwritten in place, in one block, so that a full storage resets nobody.

  python3 yui_host_agent.py --config FILE [--watchdog DEVICE | --watchdog namespace:INODE]

FILE is JSON: host, lease_path (its directory must exist), and where the defaults don't fit, interval,
ttl, watchdog_timeout (seconds, interval < watchdog_timeout <= ttl), watchdog, boot_id_path.
`namespace:INODE` is for hosts that are namespaces of one machine; see namespace_watchdog.py.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import json
import os
import secrets
import signal
import socket
import struct
import sys
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

BLOCK = 4096
"""Bytes of a lease: one block of every common file system, so that it is written whole or not."""
_MAGIC = "yui-lease-1"
_SINGLE = "\0yui-host-agent"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# linux/watchdog.h
_SET_TIMEOUT = 0xC0045706
_MAGIC_CLOSE = b"V"
_STOP = {signal.SIGTERM, signal.SIGINT}


class Refused(Exception):
    """A sentence for whoever started the agent; nothing was armed."""


@dataclass(frozen=True)
class Config:
    """`interval`, `ttl` and `watchdog_timeout` are seconds. A renewal that took longer than `ttl` is
    not followed by a pet."""

    host: str
    lease_path: str
    interval: float = 5.0
    ttl: float = 30.0
    watchdog_timeout: float = 30.0
    watchdog: str = "/dev/watchdog"
    boot_id_path: str = _BOOT_ID

    @staticmethod
    def load(path: str, watchdog: str | None) -> Config:
        try:
            with open(path, encoding="utf-8") as file:
                fields = json.load(file)
            if watchdog is not None:
                fields["watchdog"] = watchdog
            config = Config(**fields)
            sound = 0 < config.interval < config.watchdog_timeout <= config.ttl <= 3600
        except OSError as error:
            raise Refused(f"The configuration {path} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError) as error:
            raise Refused(f"The configuration {path} is not as expected: {error}.") from None
        if not sound:
            raise Refused(
                f"{path} must have 0 < interval < watchdog_timeout <= ttl <= 3600, and has "
                f"{config.interval}, {config.watchdog_timeout}, {config.ttl}."
            )
        return config


def say(text: str) -> None:
    """To the journal. A full pipe must not stop the renewals."""
    with contextlib.suppress(OSError):
        os.write(2, f"yui-host-agent: {text}\n".encode())


def encode(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields, separators=(",", ":"), sort_keys=True)
    line = f"{_MAGIC} {zlib.crc32(text.encode()):08x} {text}\n"
    if len(line) > BLOCK:
        raise Refused("The host's name is too long for its lease.")
    return line.encode().ljust(BLOCK, b"\n")


def decode(block: bytes) -> dict[str, Any] | None:
    """The fields of a lease; None for anything that is not one."""
    try:
        magic, checksum, text = block.partition(b"\n")[0].decode().split(" ", 2)
        if magic != _MAGIC or int(checksum, 16) != zlib.crc32(text.encode()):
            return None
        fields = json.loads(text)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


class Lease:
    """The lease file of one host. Every method may raise OSError, or hang with its storage."""

    def __init__(self, config: Config, boot_id: str) -> None:
        self._path = config.lease_path
        self._fields: dict[str, Any] = {
            "host": config.host,
            "boot": boot_id,
            "agent": secrets.token_hex(8),
            "interval": config.interval,
            "ttl": config.ttl,
            "watchdog": config.watchdog_timeout,
        }
        self._attempted = 0
        self._stored = 0

    def watchdog_takes(self, timeout: float) -> None:
        """The device has its own idea of how long it waits."""
        self._fields["watchdog"] = timeout
        self._fields["ttl"] = max(self._fields["ttl"], timeout)

    def claim(self) -> None:
        """Store a first lease, not armed. Raises Refused where the file is another host's."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            held = decode(os.pread(descriptor, BLOCK, 0))
            if held is not None and held.get("host") != self._fields["host"]:
                raise Refused(
                    f"The lease {self._path} belongs to host {held.get('host')}: give each host its own."
                )
            self._store(descriptor, armed=False)
            os.ftruncate(descriptor, BLOCK)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folder = os.open(os.path.dirname(self._path) or ".", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def renew(self, *, armed: bool) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            held = decode(os.pread(descriptor, BLOCK, 0))
            mine = (
                held is not None
                and (held.get("host"), held.get("agent"))
                == (self._fields["host"], self._fields["agent"])
                and self._stored <= held.get("sequence", -1) <= self._attempted
            )
            if not mine:
                raise OSError(0, "it is not the lease that was stored last")
            self._store(descriptor, armed=armed)
        finally:
            os.close(descriptor)

    def _store(self, descriptor: int, *, armed: bool) -> None:
        self._attempted += 1
        block = encode({**self._fields, "sequence": self._attempted, "armed": armed})
        if os.pwrite(descriptor, block, 0) != BLOCK:
            raise OSError(0, "the storage took only a part of it")
        os.fdatasync(descriptor)
        self._stored = self._attempted


class DeviceWatchdog:
    """The machine's own watchdog (linux/watchdog.h)."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self.timeout = timeout
        self._descriptor = -1

    def arm(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        taken = bytearray(struct.pack("i", int(self.timeout)))
        try:
            fcntl.ioctl(self._descriptor, _SET_TIMEOUT, taken)
        except OSError:
            self.put_off()
            raise Refused(f"The time-out of the watchdog {self._path} can't be set.") from None
        self.timeout = float(struct.unpack("i", taken)[0])

    def pet(self) -> None:
        os.write(self._descriptor, b"\0")

    def put_off(self) -> None:
        os.write(self._descriptor, _MAGIC_CLOSE)
        os.close(self._descriptor)


class Watchdog(Protocol):
    """`timeout` is how many seconds after the last pet it resets the host. OSError from any method
    ends the agent, and so leaves the host to it."""

    timeout: float

    def arm(self) -> None: ...

    def pet(self) -> None: ...

    def put_off(self) -> None: ...


def make_watchdog(config: Config) -> Watchdog:
    kind, _, number = config.watchdog.partition(":")
    if kind == "namespace" and number.isdigit():
        # Only where it is asked for: machines have no use for a program that kills everything.
        beside = importlib.import_module("namespace_watchdog")
        try:
            made: Watchdog = beside.NamespaceWatchdog(int(number), config.watchdog_timeout)
        except ValueError as error:
            raise Refused(str(error)) from None
        return made
    if not config.watchdog.startswith("/"):
        raise Refused(
            f"The watchdog '{config.watchdog}' is neither a device's path nor namespace:INODE."
        )
    if not os.path.exists(config.watchdog):
        raise Refused(
            f"There is no watchdog {config.watchdog}: load the driver of this machine's watchdog."
        )
    return DeviceWatchdog(config.watchdog, config.watchdog_timeout)


def read_boot_id(path: str) -> str:
    """Differs after every boot. A path outside /proc must lie where nothing outlives the host, such as
    /run; the id is drawn where there is none yet."""
    if not path.startswith("/proc/"):
        with contextlib.suppress(FileExistsError), open(path, "x", encoding="ascii") as file:
            file.write(str(uuid.uuid4()))
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def tell_service_manager(word: str) -> None:
    """sd_notify(3): lets the unit order the hypervisor's daemons after the first renewal."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(address.replace("@", "\0", 1))
            out.send(word.encode())


class Agent:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._watchdog = make_watchdog(config)
        self._lease = Lease(config, read_boot_id(config.boot_id_path))
        self._stopping = False
        self._trouble = ""

    def run(self) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        while not self._stopping and not self._try("claimed", self._lease.claim):
            self._sleep(self._config.interval)
        if self._stopping:
            return 0
        self._watchdog.arm()
        if self._watchdog.timeout <= self._config.interval:
            self._watchdog.put_off()
            raise Refused(f"The watchdog waits only {self._watchdog.timeout} s: renew more often.")
        self._lease.watchdog_takes(self._watchdog.timeout)
        ready = False
        while not self._stopping:
            began = time.monotonic()
            renewed = self._try("renewed", lambda: self._lease.renew(armed=True))
            if renewed and time.monotonic() - began <= self._config.ttl:
                self._watchdog.pet()
                if not ready:
                    ready = True
                    tell_service_manager("READY=1")
            self._sleep(self._config.interval - (time.monotonic() - began))
        return self._release()

    def _release(self) -> int:
        """On an orderly stop, first let everybody know that no watchdog stands behind the lease."""
        if not self._try("released", lambda: self._lease.renew(armed=False)):
            say("the watchdog stays armed: start the agent again, or the host is reset")
            return 1
        self._watchdog.put_off()
        return 0

    def _try(self, what: str, work: Any) -> bool:
        try:
            work()
        except OSError as error:
            trouble = f"the lease {self._config.lease_path} was not {what}: {error.strerror}"
            if trouble != self._trouble:
                say(trouble)
            self._trouble = trouble
            return False
        if self._trouble:
            say(f"the lease is {what} again")
        self._trouble = ""
        return True

    def _sleep(self, seconds: float) -> None:
        if signal.sigtimedwait(_STOP, max(0.0, seconds)) is not None:
            self._stopping = True


def main() -> int:
    parser = argparse.ArgumentParser(description="Keeps this host's lease on shared storage.")
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.add_argument("--watchdog", metavar="DEVICE|namespace:INODE")
    options = parser.parse_args()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as guard:
        try:
            guard.bind(_SINGLE)
        except OSError:
            say("another agent runs on this host already")
            return 2
        try:
            return Agent(Config.load(options.config, options.watchdog)).run()
        except (Refused, OSError) as error:
            say(str(error))
            return 2


if __name__ == "__main__":
    sys.exit(main())
