"""The lines between regions, one of each for all that goes over it: copies, and what restores read."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from backup.replication import Line, LineStream
from control_plane.drivers.world import Clock
from control_plane.model.backup.ids import LinkId
from control_plane.model.backup.sharing import Link, link_between
from control_plane.model.ids import RegionId
from control_plane.store import Store

FIRST_OF_ALL = -1
"""The tier of who has lost something and waits for it."""
LAST_OF_ALL = 10
"""Of what nobody waits for."""


@dataclass(slots=True)
class Lines:
    """Safe for several threads."""

    store: Store
    clock: Clock
    _lines: dict[LinkId, Line] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def stream(
        self,
        id: str,
        ends: tuple[RegionId | None, RegionId | None],
        *,
        member: str,
        tier: int,
    ) -> AbstractContextManager[LineStream]:
        """Between two regions; of one and the same, or of two without a budget, it waits for nothing."""
        link = self._link(*ends)
        if link is None:
            # Somebody may set a budget meanwhile, which then holds for what is under way.
            line = Line(self.clock, partial(self._link, *ends))
        else:
            with self._mutex:
                line = self._lines.setdefault(link.id, Line(self.clock, partial(self._link, *ends)))
        return line.stream(id, member, tier)

    def _link(self, one: RegionId | None, other: RegionId | None) -> Link | None:
        if one == other:
            return None
        with self.store.read() as tx:
            return link_between(tx.links(), one, other)
