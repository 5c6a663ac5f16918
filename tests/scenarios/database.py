"""How one control-plane process reaches the state that all of them share, and how it loses it."""

from __future__ import annotations

from typing import Any

from control_plane.model.errors import YuiError
from control_plane.store import Store
from control_plane.store.failures import state_unreachable


class Database:
    """The store as one process has it: every call refuses, as the store itself does, while the database
    does not answer. A transaction that has begun by then is still kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.up = True

    def __getattr__(self, name: str) -> Any:
        if not self.up:
            raise state_unreachable("of the story")
        return getattr(self._store, name)

    def explains(self, error: Exception) -> bool:
        """Whether all that is wrong is that it does not answer."""
        return not self.up and isinstance(error, YuiError) and error.type == "state-unreachable"
