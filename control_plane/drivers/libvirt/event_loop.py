"""libvirt's event loop, without which no connection notices that its host is gone.

libvirt keeps one event loop and one error handler for the whole process, so this is the one place
that is not per driver.
"""

from __future__ import annotations

import threading

import libvirt

_lock = threading.Lock()
_started = threading.Event()


def ensure_running() -> None:
    """Start the loop in a thread of its own, once; must come before the first connection."""
    with _lock:
        if _started.is_set():
            return
        # Errors are raised; without this libvirt prints them on the terminal as well.
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
        _started.set()


def _turn() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
