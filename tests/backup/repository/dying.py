"""An object store whose user can be interrupted, or die, at any change that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from control_plane.drivers.objects import ObjectFacts, ObjectStore


class Died(BaseException):
    """The process is gone: nothing of its own runs any more."""


@dataclass
class DyingStore:
    """Passes everything on. The `fatal`th change from now on (put, delete, lock) is its user's last, made
    or, with `before`, not made any more. `interrupt` is called before each put with its key."""

    real: ObjectStore
    fatal: int | None = None
    before: bool = False
    interrupt: Callable[[str], None] = lambda _: None
    dead: bool = False

    @property
    def name(self) -> str:
        return self.real.name

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        self._live()
        self.interrupt(key)
        self._change(lambda: self.real.put(key, data, only_new=only_new, locked_until=locked_until))

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        self._live()
        return self.real.get(key, start=start, length=length)

    def stat(self, key: str) -> ObjectFacts:
        self._live()
        return self.real.stat(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        self._live()
        return self.real.list(prefix, after=after)

    def delete(self, key: str) -> None:
        self._live()
        self._change(lambda: self.real.delete(key))

    def lock(self, key: str, until: datetime) -> None:
        self._live()
        self._change(lambda: self.real.lock(key, until))

    def now(self) -> datetime:
        self._live()
        return self.real.now()

    def _live(self) -> None:
        if self.dead:
            raise Died

    def _change(self, change: Callable[[], None]) -> None:
        if self.fatal is not None:
            self.fatal -= 1
            if self.fatal <= 0:
                self.dead = True
                if not self.before:
                    change()
                raise Died
        change()
