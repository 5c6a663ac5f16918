"""Where backups lie: a store of objects that are written whole, in a data centre of somebody's.

This Protocol stands here, and not beside what speaks S3, because a World hands it out: code above
cannot tell a bucket from a folder or from the simulated World.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class ObjectStoreError(Exception):
    """One sentence that names the store and the object, without secrets."""


class StoreUnavailable(ObjectStoreError):
    """It did not answer, or only with errors of its own, until patience ended. What was asked for may
    have happened all the same. Worth trying later."""


class StoreFull(ObjectStoreError):
    """Nothing more fits, and nothing of the object was kept."""


class StoreRefused(ObjectStoreError):
    """It does not accept the credentials, or they do not suffice. Trying again helps nobody."""


class ObjectExists(ObjectStoreError):
    """A put with `only_new` found an object under its key. It was left as it is."""


class NoSuchObject(ObjectStoreError):
    """Nothing lies under that key."""


class ObjectLocked(ObjectStoreError):
    """Its retention has not ended, and nobody can end it early."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """`size` in bytes; `modified` by the store's own clock. `locked_until` None: no retention, or,
    in a listing, not looked up."""

    key: str
    size: int
    modified: datetime
    locked_until: datetime | None = None


class ObjectStore(Protocol):
    """Keys are relative to the store's place (see `check_key`). None of them is another's folder: beside
    `a/b` there is no `a`. Objects are whole or absent: a reader sees the old or the new bytes, never half
    of either, and what was put is there for everybody from then on, also after a crash.

    Every method raises StoreUnavailable and StoreRefused. Safe for several threads at once."""

    @property
    def name(self) -> str:
        """For people, without secrets."""
        ...

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        """`only_new` raises ObjectExists where an object is, of two that put at once for one of them;
        never because an earlier try of this same put landed and its answer was lost. Without it, what is
        there is replaced: what is under retention is hidden by that where the store keeps versions, and
        elsewhere ObjectLocked is raised. Raises StoreFull. `locked_until` (aware) puts the object under
        retention from its first moment on; where it is past StoreRefused is raised, and nothing is kept."""
        ...

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """From byte `start` on, at most `length` bytes; fewer where the object ends earlier, none where
        it ends before `start`. Raises NoSuchObject."""
        ...

    def stat(self, key: str) -> ObjectFacts:
        """Raises NoSuchObject."""
        ...

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        """Every object whose key begins with `prefix` and sorts after `after`, by key in the order of
        its bytes. Read bit by bit: what is put or deleted meanwhile may or may not be told."""
        ...

    def delete(self, key: str) -> None:
        """Gone already is success. Raises ObjectLocked under retention."""
        ...

    def lock(self, key: str, until: datetime) -> None:
        """Put under retention until then; an earlier end than that which holds changes nothing. Raises
        NoSuchObject, and StoreRefused for an end that is past."""
        ...

    def now(self) -> datetime:
        """The store's clock, aware UTC, which no jump of ours moves."""
        ...


LONGEST_KEY = 512
LONGEST_PART = 200
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/")


def is_key(key: str) -> bool:
    """Whether it is fit for every store: 1 to 512 characters of `A-Z a-z 0-9 . _ - /`, in parts between
    slashes of 1 to 200 that do not begin with a dot."""
    return (
        len(key) <= LONGEST_KEY
        and _ALLOWED.issuperset(key)
        and all(0 < len(part) <= LONGEST_PART and part[0] != "." for part in key.split("/"))
    )


def check_key(key: str) -> str:
    """`key`, if it is one. Raises ValueError: keys are made by Yui, so that another is a defect, or
    somebody's attempt to leave the store's place."""
    if not is_key(key):
        raise ValueError(f"{key[:80]!r} cannot be an object's key.")
    return key
