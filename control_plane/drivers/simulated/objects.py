"""Object stores in memory, one per place, and what befalls them."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectFacts,
    ObjectLocked,
    ObjectStoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    check_key,
)
from control_plane.drivers.simulated.clock import VirtualClock
from control_plane.drivers.simulated.gate import Gate
from control_plane.model.units import Seconds

_PAGE = 1000
"""Of a listing, as S3 has it."""


@dataclass(frozen=True, slots=True)
class _Stored:
    data: bytes
    modified: datetime
    locked_until: datetime | None


@dataclass(slots=True)
class _Arranged:
    """The next `times` calls named `call` fail; None stands for any."""

    call: str | None
    times: int
    error: ObjectStoreError | None
    """None: the call takes effect, and its answer is lost."""


class Bucket:
    """What truly lies at a place, whatever anybody can see of it. Its clock runs with the World's
    virtual time and does not jump when wall time does; `skew` sets it apart."""

    def __init__(
        self, place: str, clock: VirtualClock, tell: Callable[[str, str], None] | None = None
    ) -> None:
        self.place = place
        self.name = place.partition("?")[0]
        self._tell = tell or (lambda _what, _text: None)
        self.clock = clock
        self.skew = timedelta(0)
        self.puts = 0
        """How many puts took effect."""
        self.mutex = threading.RLock()
        self._stored: dict[str, _Stored] = {}
        self._keys: list[str] = []
        self._arranged: list[_Arranged] = []
        self._intruders: dict[str, bytes] = {}
        self._slow = Seconds(0)
        self._room: int | None = None
        self._revoked = False
        self._linked = True

    def now(self) -> datetime:
        return self.clock.steady() + self.skew

    # What is in it

    def keys(self, prefix: str = "") -> list[str]:
        return [key for key in self._keys if key.startswith(prefix)]

    def bytes_of(self, key: str) -> bytes:
        """Raises KeyError."""
        return self._stored[key].data

    @property
    def used(self) -> int:
        """In bytes, all objects together."""
        return sum(len(stored.data) for stored in self._stored.values())

    # Faults, which take effect at once

    def fail(
        self,
        *,
        call: str | None = None,
        times: int = 1,
        error: ObjectStoreError | None = None,
    ) -> None:
        """The next `times` calls, such as of `put`, answer 500 or 503 until patience ends."""
        failure = error or StoreUnavailable(f"{self.name} answers with errors of its own (503).")
        self._arranged.append(_Arranged(call, times, failure))
        self._told("has trouble of its own")

    def lose_answers(self, *, call: str | None = None, times: int = 1) -> None:
        """The next `times` calls take effect, and StoreUnavailable is all that comes back."""
        self._arranged.append(_Arranged(call, times, None))

    def slow_down(self, per_call: Seconds) -> None:
        """Every call takes that long; 0 heals it."""
        self._slow = per_call
        self._told(f"takes {per_call:.0f} s for each call" if per_call else "is quick again")

    def fill(self, room: int = 0) -> None:
        """Only `room` bytes more fit."""
        self._room = self.used + room
        self._told("is full" if not room else f"has room for {room} bytes")

    def empty(self) -> None:
        """There is room again."""
        self._room = None
        self._told("has room again")

    def revoke(self) -> None:
        """Its credentials are not accepted any more."""
        self._revoked = True
        self._told("accepts the credentials no longer")

    def grant(self) -> None:
        self._revoked = False
        self._told("accepts the credentials")

    def cut_link(self) -> None:
        """Nobody reaches it."""
        self._linked = False
        self._told("is cut off")

    def restore_link(self) -> None:
        self._linked = True
        self._told("is reached again")

    def let_another_put_first(self, key: str, data: bytes) -> None:
        """Right before the next put of `key` with only_new, somebody else puts `data` there (412)."""
        self._intruders[key] = data

    def flip(self, key: str, at: int) -> None:
        """One byte rots, whatever the retention says. Negative `at` counts from the end."""
        data = bytearray(self._stored[key].data)
        data[at] ^= 0xFF
        self._told(f"keeps {key} with a byte that rotted")
        self._stored[key] = replace(self._stored[key], data=bytes(data))

    def truncate(self, key: str, size: int) -> None:
        self._told(f"keeps {key} only to byte {size}")
        self._stored[key] = replace(self._stored[key], data=self._stored[key].data[:size])

    def lose(self, key: str) -> None:
        self._told(f"loses {key}")
        self._drop(key)

    def burn_down(self) -> None:
        """Nothing of it is left."""
        self._told("burns down")
        self._stored.clear()
        self._keys.clear()

    # What stores do

    @contextlib.contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Around each call, which `name`s it: raises what was arranged for it."""
        if self._slow:
            self.clock.sleep(self._slow)
        with self.mutex:
            if not self._linked:
                raise StoreUnavailable(f"{self.name} does not answer.")
            if self._revoked:
                raise StoreRefused(f"{self.name} does not accept the credentials (403).")
            arranged = next(
                (a for a in self._arranged if a.times > 0 and a.call in (None, name)), None
            )
            if arranged is not None:
                arranged.times -= 1
                if arranged.error is not None:
                    raise arranged.error
            yield
            if arranged is not None:
                raise StoreUnavailable(f"{self.name} did not answer in time.")

    def find(self, key: str) -> _Stored:
        found = self._stored.get(key)
        if found is None:
            raise NoSuchObject(f"There is no {key} in {self.name}.")
        return found

    def store(self, key: str, data: bytes, *, only_new: bool, until: datetime | None) -> None:
        if only_new and key in self._intruders:
            self._keep(key, _Stored(self._intruders.pop(key), self.now(), None))
        self._refuse_if_past(key, until)
        old = self._stored.get(key)
        if old is not None:
            if only_new:
                raise ObjectExists(f"{key} is in {self.name} already.")
            self._refuse_if_locked(key, old)
        freed = 0 if old is None else len(old.data)
        if self._room is not None and self.used - freed + len(data) > self._room:
            raise StoreFull(f"{self.name} is full: {key} does not fit.")
        self._keep(key, _Stored(bytes(data), self.now(), until))
        self.puts += 1

    def remove(self, key: str) -> None:
        old = self._stored.get(key)
        if old is not None:
            self._refuse_if_locked(key, old)
            self._drop(key)

    def extend(self, key: str, until: datetime) -> None:
        found = self.find(key)
        held = found.locked_until
        if held is None or held < until:
            self._refuse_if_past(key, until)
            self._stored[key] = replace(found, locked_until=until)

    def page(self, prefix: str, after: str) -> Sequence[ObjectFacts]:
        """The first objects after that key which begin with `prefix`; none: there are no more."""
        at = max(bisect.bisect_left(self._keys, prefix), bisect.bisect_right(self._keys, after))
        keys = self._keys[at : at + _PAGE]
        found = [(key, self._stored[key]) for key in keys if key.startswith(prefix)]
        return [ObjectFacts(key, len(stored.data), stored.modified) for key, stored in found]

    def _drop(self, key: str) -> None:
        del self._stored[key]
        del self._keys[bisect.bisect_left(self._keys, key)]

    def _told(self, text: str) -> None:
        self._tell(self.name, f"{self.name} {text}")

    def _keep(self, key: str, stored: _Stored) -> None:
        if key not in self._stored:
            bisect.insort(self._keys, key)
        self._stored[key] = stored

    def _refuse_if_past(self, key: str, until: datetime | None) -> None:
        if until is not None and until <= self.now():
            raise StoreRefused(f"{self.name} did not lock {key}: 400 InvalidArgument.")

    def _refuse_if_locked(self, key: str, stored: _Stored) -> None:
        if stored.locked_until is not None and stored.locked_until > self.now():
            raise ObjectLocked(
                f"{key} in {self.name} is under retention until {stored.locked_until:%Y-%m-%d %H:%M:%S} UTC."
            )


class SimulatedObjects:
    """An ObjectStore (drivers/objects.py) as one control-plane process sees it."""

    def __init__(self, bucket: Bucket, gate: Gate) -> None:
        self._bucket = bucket
        self._gate = gate

    @property
    def name(self) -> str:
        return self._bucket.name

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool = False,
        locked_until: datetime | None = None,
    ) -> None:
        check_key(key)
        with self._call("put"):
            self._bucket.store(key, data, only_new=only_new, until=locked_until)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        check_key(key)
        with self._call("get"):
            data = self._bucket.find(key).data
            return data[start : None if length is None else start + length]

    def stat(self, key: str) -> ObjectFacts:
        check_key(key)
        with self._call("stat"):
            found = self._bucket.find(key)
            return ObjectFacts(key, len(found.data), found.modified, found.locked_until)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectFacts]:
        while True:
            with self._call("list"):
                page = self._bucket.page(prefix, after)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].key

    def delete(self, key: str) -> None:
        check_key(key)
        with self._call("delete"):
            self._bucket.remove(key)

    def lock(self, key: str, until: datetime) -> None:
        check_key(key)
        with self._call("lock"):
            self._bucket.extend(key, until)

    def now(self) -> datetime:
        with self._call("now"):
            return self._bucket.now()

    @contextlib.contextmanager
    def _call(self, name: str) -> Iterator[None]:
        self._gate.leave(f"objects.{name}")
        if not self._gate.uplink:
            raise StoreUnavailable(f"{self._bucket.name} does not answer.")
        with self._bucket.call(name):
            yield
        self._gate.check()
