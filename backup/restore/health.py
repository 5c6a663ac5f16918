"""Whether a server that was restored is well, as far as it can be told of one that no network reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from control_plane.model.workload import Seen, Server


class HealthCheck(Protocol):
    def is_well(self, server: Server, console: str) -> bool:
        """`console` is the end of what it printed since it was restored. False: not yet."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSays:
    """A guest prints one of these once it has come up: `login:` is what getty prints, the other what the
    tiny guest prints when it answers requests."""

    markers: tuple[str, ...] = ("login:", "HTTP answers on")

    def is_well(self, server: Server, console: str) -> bool:
        return server.seen is Seen.RUNNING and any(marker in console for marker in self.markers)
