"""Resizes that wait for their member's word."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, delete, insert, select

from control_plane.model.ids import FlavorId, ServerId
from control_plane.model.unconfirmed_resize import UnconfirmedResize
from control_plane.store.rows import Rows
from control_plane.store.server_group_tables import unconfirmed_resizes

_AT_ONCE = 500
_of = unconfirmed_resizes.c
_AMONG = select(unconfirmed_resizes).where(_of.server_id.in_(bindparam("among", expanding=True)))


class UnconfirmedResizeReads(Rows):
    def unconfirmed_resizes(
        self, servers: Collection[ServerId]
    ) -> dict[ServerId, UnconfirmedResize]:
        """On record, whether they still wait or not."""
        found: dict[ServerId, UnconfirmedResize] = {}
        wanted = sorted(servers)
        for at in range(0, len(wanted), _AT_ONCE):
            some = {"among": wanted[at : at + _AT_ONCE]}
            for row in self._connection.execute(_AMONG, some):
                resize = UnconfirmedResize(FlavorId(row.flavor_id), row.until)
                found[ServerId(row.server_id)] = resize
        return found


class UnconfirmedResizeWrites(UnconfirmedResizeReads):
    def set_unconfirmed_resize(self, server: ServerId, resize: UnconfirmedResize | None) -> None:
        """In place of what was on record; None: nothing waits."""
        self._connection.execute(delete(unconfirmed_resizes).where(_of.server_id == server))
        if resize is not None:
            self._connection.execute(
                insert(unconfirmed_resizes).values(
                    server_id=server, flavor_id=resize.flavor, until=resize.until
                )
            )
