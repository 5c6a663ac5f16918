"""Where the story plays: real hypervisor hosts on this machine, or the simulated World.

A stage tells the truth about its hosts and guests by itself, without asking the control plane: what
the story claims at its end must not rest on the word of the one it tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from control_plane.cli.client import Api
from tenants.models import ServerOut


class NotAnswering(Exception):
    """The guest gave no answer, as its users would see it."""


class Stage(Protocol):
    @property
    def hypervisor(self) -> str:
        """What runs the servers, such as `QEMU 7.2 by emulation`."""
        ...

    @property
    def hosts(self) -> Sequence[str]: ...

    @property
    def api(self) -> Api:
        """The control plane's API, as an operator."""
        ...

    @property
    def approver(self) -> Api:
        """The same, as the second person."""
        ...

    def now(self) -> datetime:
        """The time by which the control plane dates its events."""
        ...

    def pause(self) -> None:
        """Wait a moment before looking again."""
        ...

    def write(self, server: ServerOut, text: str) -> None:
        """Have the guest put a record on its disk. Raises NotAnswering."""
        ...

    def records(self, server: ServerOut) -> tuple[str, ...]:
        """The records that the guest reads from its disk. Raises NotAnswering."""
        ...

    def copies(self) -> dict[str, int]:
        """How many running machines each server's name has, on all hosts together."""
        ...

    def kill(self, host: str) -> None:
        """Cut a host off the network, then cut its power."""
        ...

    def close(self) -> None:
        """Remove every trace."""
        ...
