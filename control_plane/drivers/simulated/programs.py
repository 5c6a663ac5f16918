"""What is installed in simulated guests: programs that a backup has run, and pages that they serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from control_plane.model.units import Seconds


@dataclass(frozen=True, slots=True)
class Program:
    """A hook in a guest: how long it runs, what it prints and how it ends; `does` happens at its end."""

    seconds: Seconds = Seconds(1.0)
    prints: bytes = b""
    exit_status: int = 0
    does: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Website:
    """What a guest answers at a port, by path."""

    port: int = 80
    pages: tuple[tuple[str, bytes], ...] = (("/health", b'{"server":"simulated"}'),)
