"""A watchdog for hosts that are namespaces of one machine, for trying Yui out and for tests.

A process that outlives the agent takes the part of the machine's watchdog: it is petted by datagrams
and, when that stops, ends every process of the host's network namespace, itself last. Like hardware
it cannot be moved to anything by a new agent that has nothing to show, and unlike hardware it cannot
end a process that the kernel holds inside a hung file system.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import time
from typing import NoReturn

_NAME = "\0yui-host-watchdog"
# linux/reboot.h: inside a PID namespace, the kernel ends that namespace instead (reboot(2)).
_RESTART = 0x01234567


class NamespaceWatchdog:
    """The agent's end. Raises ValueError where this is not the network namespace with the inode
    number `namespace`, so that a wrong number can never reset anything else."""

    def __init__(self, namespace: int, timeout: float) -> None:
        if os.stat("/proc/self/ns/net").st_ino != namespace:
            raise ValueError(
                f"This is not network namespace {namespace}, which the watchdog is told to reset."
            )
        self._namespace = namespace
        self.timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def arm(self) -> None:
        try:
            self._socket.connect(_NAME)
        except ConnectionRefusedError:
            self._start()
            self._socket.connect(_NAME)
        self._send("arm")

    def pet(self) -> None:
        self._send("pet")

    def put_off(self) -> None:
        self._send("off")

    def _send(self, word: str) -> None:
        self._socket.send(f"{word} {time.monotonic()!r} {self.timeout!r}".encode())

    def _start(self) -> None:
        # Bound here, so that it can be spoken to at once; abstract names belong to the network
        # namespace, so every host has its own.
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(_NAME)
        libc = ctypes.CDLL(None, use_errno=True)
        if os.fork() == 0:
            try:
                _detach(server)
                _supervise(server, self._namespace, self.timeout, libc)
            finally:
                os._exit(1)
        server.close()


def _detach(server: socket.socket) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) not in (2, server.fileno()):
            with contextlib.suppress(OSError):
                os.close(int(entry))
    with open("/proc/self/comm", "w", encoding="ascii") as name:
        name.write("yui-watchdog")


def _supervise(
    server: socket.socket, namespace: int, timeout: float, libc: ctypes.CDLL
) -> NoReturn:
    """A pet counts from when it was sent, however late it is read."""
    deadline = time.monotonic() + timeout
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            _reset(namespace, libc)
        server.settimeout(remaining)
        try:
            word, sent_text, value = server.recv(128).decode().split()
            sent = float(sent_text)
            timeout = float(value)
        except (TimeoutError, ValueError):
            continue
        if sent > deadline:
            _reset(namespace, libc)
        if word == "off":
            os._exit(0)
        deadline = sent + timeout


def _reset(namespace: int, libc: ctypes.CDLL) -> NoReturn:
    """End every process of the host, like the reset button of a machine."""
    with contextlib.suppress(OSError):
        os.write(2, b"yui-watchdog: not petted in time, this host is reset now\n")
    if _is_member(1, namespace):
        # The host has a process 1 of its own, which only the kernel can end from in here.
        libc.reboot(_RESTART)
    me = os.getpid()
    while True:
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        others = [pid for pid in pids if pid not in (1, me) and _is_member(pid, namespace)]
        if not others:
            os.kill(me, signal.SIGKILL)
        for pid in others:
            _kill(pid, namespace)
        time.sleep(0.005)


def _is_member(pid: int, namespace: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino == namespace
    except OSError:
        return False


def _kill(pid: int, namespace: int) -> None:
    """Unless its number has a new owner by now."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    with contextlib.suppress(OSError):
        if _is_member(pid, namespace):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
