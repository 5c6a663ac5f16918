"""What was found of copies is kept for a while, since finding it opens vaults and walks every tree.

Nothing hangs on it: another process, or this one later, finds the same for the same points."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass, field

from backup.member_copy.choice import Choice
from backup.member_copy.contents import Contents
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import Seconds

_OBJECTS = 1_000_000
"""As many are kept in all, of some 300 bytes each; the newest listing in any case."""


@dataclass(slots=True)
class _Kept:
    tenant: MunicipalityCode
    found: Future[Contents]
    since: float


@dataclass(slots=True)
class Listings:
    """`make` opens the vaults; a request waits for it no longer than `patience` and asks again. No more
    than `most` are made at once, and one for each member. Safe for several threads."""

    make: Callable[[Choice], Contents]
    monotonic: Callable[[], float]
    patience: Seconds = Seconds(20)
    lasts: Seconds = Seconds(900)
    most: int = 2
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def kept(self, name: str, tenant: MunicipalityCode) -> Contents | None:
        """What is known under that name already, of that member."""
        with self._mutex:
            self._let_go()
            one = self._kept.get(name)
        if one is None or one.tenant != tenant or not one.found.done() or one.found.exception():
            return None
        return one.found.result()

    def of(self, choice: Choice) -> Contents:
        """Raises `backup-copy-being-listed` (503: ask again), and whatever `make` raises."""
        name = choice.name
        with self._mutex:
            self._let_go()
            one = self._kept.get(name)
            if one is None:
                making = [each.tenant for each in self._kept.values() if not each.found.done()]
                if len(making) >= self.most or choice.tenant in making:
                    raise _being_listed()
                one = self._kept[name] = _Kept(choice.tenant, Future(), self.monotonic())
                threading.Thread(target=self._find, args=(choice, one.found), daemon=True).start()
        try:
            return one.found.result(self.patience)
        except NotYet:
            raise _being_listed() from None

    def _find(self, choice: Choice, found: Future[Contents]) -> None:
        try:
            contents = self.make(choice)
        except BaseException as error:
            with self._mutex:
                self._kept.pop(choice.name, None)
            found.set_exception(error)
        else:
            found.set_result(contents)

    def _let_go(self) -> None:
        now, held = self.monotonic(), 0
        for name, one in reversed(list(self._kept.items())):
            if one.found.done():
                size = len(one.found.result().objects) if one.found.exception() is None else 0
                if now - one.since > self.lasts or (held and held + size > _OBJECTS):
                    del self._kept[name]
                else:
                    held += size


@dataclass(slots=True)
class Slots:
    """Objects lie in memory while they are sent: so many at once in all, and for each token."""

    most: int = 16
    most_each: int = 4
    _taken: Counter[str] = field(default_factory=Counter)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def take(self, token: str) -> None:
        """Raises `too-many-at-once` (429)."""
        with self._mutex:
            if self._taken[token] >= self.most_each or self._taken.total() >= self.most:
                raise YuiError(
                    "too-many-at-once",
                    en=f"Too many objects are being fetched at once ({self.most_each} with one token, {self.most} in all): wait for one to end.",
                    ja=f"同時に取得しているオブジェクトが多すぎます(トークンごとに {self.most_each}、全体で {self.most} まで)。終わるのを待ってください。",
                    status=429,
                )
            self._taken[token] += 1

    def give_back(self, token: str) -> None:
        with self._mutex:
            self._taken[token] -= 1
            if not self._taken[token]:
                del self._taken[token]

    @contextmanager
    def unless_kept(self, token: str) -> Iterator[None]:
        """Takes one, which stays taken unless the block raises."""
        self.take(token)
        try:
            yield
        except BaseException:
            self.give_back(token)
            raise


def _being_listed() -> YuiError:
    return YuiError(
        "backup-copy-being-listed",
        en="What the copy consists of is still being found: ask again in a moment.",
        ja="コピーの内容を調べています。少し待ってからもう一度試してください。",
        status=503,
    )
