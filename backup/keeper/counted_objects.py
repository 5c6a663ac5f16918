"""Counts what goes into a store of objects, for whoever has to keep to a pace."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

from control_plane.drivers.objects import ObjectFacts, ObjectStore


class CountedObjects:
    """An ObjectStore like the one that it is made of. `sent` is how many bytes it was given; `read` is told
    each time how many were read."""

    def __init__(self, objects: ObjectStore, read: Callable[[int], None] = lambda _: None) -> None:
        self._objects = objects
        self._read = read
        self._mutex = threading.Lock()
        self._sent = 0

    @property
    def name(self) -> str:
        return self._objects.name

    def sent(self) -> int:
        return self._sent

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        self._objects.put(key, data, only_new=only_new, locked_until=locked_until)
        with self._mutex:
            self._sent += len(data)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        found = self._objects.get(key, start=start, length=length)
        self._read(len(found))
        return found

    def stat(self, key: str) -> ObjectFacts:
        return self._objects.stat(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        return self._objects.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self._objects.delete(key)

    def lock(self, key: str, until: datetime) -> None:
        self._objects.lock(key, until)

    def now(self) -> datetime:
        return self._objects.now()
