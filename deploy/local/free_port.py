"""Finds a loopback port that nothing uses, below the range from which the kernel lends ports."""

from __future__ import annotations

import os
import socket

from control_plane.model.errors import YuiError

_FIRST, _LAST = 8470, 8999


def free_port() -> int:
    """Somebody else may take it before it is used; whoever binds it then says so. Two processes that
    look at the same time begin at different places, so they rarely meet."""
    count = _LAST - _FIRST + 1
    for step in range(count):
        port = _FIRST + (os.getpid() * 7 + step) % count
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise YuiError(
        "no-free-port",
        en=f"Every port from {_FIRST} to {_LAST} is in use on this machine: stop what holds one of them.",
        ja=f"ポート {_FIRST}〜{_LAST} がすべて使用中です。いずれかを使っているプログラムを停止してください。",
        status=409,
    )
