"""What a place cannot do that backups count on, found out by trying it.

Stores that speak S3 leave things out, and some say yes to what they then do not do.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from backup.objects.directory import DirectoryStore
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectLocked,
    ObjectStore,
    StoreRefused,
)
from control_plane.drivers.world import Clock

_PROBES = "probes/"
_APART = timedelta(minutes=5)
_BRIEFLY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Shortcoming:
    """`code` is a stable slug. `grave`: backups must not lie there."""

    code: str
    en: str
    ja: str
    grave: bool = False


@runtime_checkable
class TellsOfItself(Protocol):
    """A store that can be asked more closely than every other, as S3Store can."""

    def heeds_conditions(self) -> bool: ...

    def keeps_retention(self, key: str) -> bool: ...


def check(store: ObjectStore, clock: Clock) -> Sequence[Shortcoming]:
    """Writes a few small objects below `probes/` and deletes them again, now or, those under retention,
    at the next check. Raises ObjectStoreError where the place cannot be reached, or not written to."""
    for left in store.list(_PROBES):
        with contextlib.suppress(ObjectLocked):
            store.delete(left.key)
    return (*_reading(store), *_clocks(store, clock), *_retention(store))


def _reading(store: ObjectStore) -> Iterator[Shortcoming]:
    key, data = _PROBES + secrets.token_hex(16), secrets.token_bytes(1000)
    store.put(key, data, only_new=True)
    read = (store.get(key), store.get(key, start=10, length=20), [o.key for o in store.list(key)])
    if read != (data, data[10:30], [key]):
        yield Shortcoming(
            "not-what-was-written",
            en=f"{store.name} does not give back or list what was just put there.",
            ja=f"{store.name} は、書き込んだ直後のオブジェクトをそのまま返さないか、一覧に表示しません。",
            grave=True,
        )
    if not _raises(ObjectExists, lambda: store.put(key, b"", only_new=True)):
        yield Shortcoming(
            "replaces-what-exists",
            en=f"{store.name} replaces an object although only a new one was to be put.",
            ja=f"{store.name} は、新規のみの書き込みでも既存のオブジェクトを置き換えます。",
            grave=True,
        )
    store.delete(key)
    if not _raises(NoSuchObject, lambda: store.get(key)):
        yield Shortcoming(
            "gives-what-was-deleted",
            en=f"{store.name} still gives what was deleted.",
            ja=f"{store.name} は、削除したオブジェクトをまだ返します。",
            grave=True,
        )
    if isinstance(store, TellsOfItself) and not store.heeds_conditions():
        yield Shortcoming(
            "no-conditional-writes",
            en=f"{store.name} ignores the condition 'If-None-Match', so that each put of something new takes several requests.",
            ja=f"{store.name} は条件「If-None-Match」を無視するため、新規の書き込みごとに複数のリクエストが必要になります。",
        )


def _clocks(store: ObjectStore, clock: Clock) -> Iterator[Shortcoming]:
    apart = store.now() - clock.now()
    if abs(apart) > _APART:
        minutes = round(abs(apart).total_seconds() / 60)
        yield Shortcoming(
            "clocks-apart",
            en=f"The clock of {store.name} and this machine's are {minutes} minutes apart: set the wrong one.",
            ja=f"{store.name} とこのマシンの時計が {minutes} 分ずれています。誤っている方を合わせてください。",
        )


def _retention(store: ObjectStore) -> Iterator[Shortcoming]:
    if isinstance(store, DirectoryStore):
        yield Shortcoming(
            "retention-by-yui-alone",
            en=f"{store.name} keeps retention only against Yui itself: whoever may write there can delete everything.",
            ja=f"{store.name} の保持期間は Yui だけが守るものです。ここに書き込める人は、すべてを削除できます。",
        )
        return
    key = _PROBES + secrets.token_hex(16)
    try:
        store.put(key, b"", locked_until=store.now() + _BRIEFLY)
    except StoreRefused as refused:
        yield Shortcoming(
            "no-object-lock",
            en=f"{store.name} knows no retention that ransomware could not end: {refused}",
            ja=f"{store.name} には、ランサムウェアでも解除できない保持期間の機能（オブジェクトロック）がありません。",
        )
        return
    if not _raises(ObjectLocked, lambda: store.delete(key)) or (
        isinstance(store, TellsOfItself) and not store.keeps_retention(key)
    ):
        yield Shortcoming(
            "retention-can-be-ended",
            en=f"{store.name} lets retention be shortened, or what is under it be deleted.",
            ja=f"{store.name} では、保持期間を短縮したり、保持期間中のオブジェクトを削除したりできてしまいます。",
            grave=True,
        )


def _raises(error: type[Exception], do: Callable[[], object]) -> bool:
    try:
        do()
    except error:
        return True
    return False
