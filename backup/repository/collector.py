"""Giving back the room of what no recovery point needs any more, beside writers that never wait.

In two steps with time between. A pack that no tree leads to is condemned by a mark beside the repository.
Writers rely on no condemned pack, and look at the marks once more right before their manifest; so what is
in no tree either when the mark is older than the grace can be in none later. Only then it is deleted.
Everything the collector knows stands in the store: it may die anywhere, and the next one goes on.

Where it cannot know, it keeps: a manifest or a node that can't be read may lead to anything, so that
until it is healed or forgotten nothing of that tenant is condemned or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backup.repository.canonical import canonical_json, read_json, read_time, time_text
from backup.repository.errors import Damaged, Stray
from backup.repository.ids import read_id
from backup.repository.index import Index
from backup.repository.index_merging import IndexMerging
from backup.repository.index_object import index_object
from backup.repository.items import ItemReader
from backup.repository.keys import keyrings_prefix
from backup.repository.pack import pack_in, pack_object, packs_prefix
from backup.repository.point import (
    PointFacts,
    RecoveryPoint,
    facts_of,
    points_prefix,
    read_manifest,
)
from backup.repository.reach import Reach, Trunk
from backup.repository.reliance import acted_on, condemned_prefix
from backup.repository.sizes import LARGEST_MANIFEST, LARGEST_SMALL, read_whole
from backup.repository.tree import chunks_in
from control_plane.drivers.objects import NoSuchObject, ObjectLocked, ObjectStore, StoreRefused

GRACE = timedelta(hours=24)
YOUNG = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class CollectorTimes:
    """By the store's clock. `grace` is longer than any writer takes from its last look at the marks to its
    manifest. What was put less than `young` ago is not condemned: a first copy over a narrow line takes
    days, and none of its packs is in a tree before its end."""

    grace: timedelta = GRACE
    young: timedelta = YOUNG


@dataclass(slots=True)
class Collected:
    """What one run did. `kept` are points that should have been forgotten and are under retention. `lacking` is what could not be read or is not there, with the points that need
    it; unless it is empty, nothing was condemned or deleted. `locked` packs are garbage that retention
    still keeps. `refused` is how many objects the store did not put under retention, `refusal` what it said of the
    first. `stopped`: the run ended early, because it was told to or its lease was lost."""

    points: int = 0
    packs: int = 0
    forgotten: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    condemned: int = 0
    reprieved: int = 0
    deleted: int = 0
    freed_bytes: int = 0
    locked: int = 0
    extended: int = 0
    refused: int = 0
    refusal: str = ""
    indexes_merged: int = 0
    indexes_deleted: int = 0
    lacking: tuple[Damaged, ...] = ()
    stopped: bool = False


class _Stopped(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Need:
    """Of the tree that needs a pack the longest: whether even its point is to be forgotten now, and until
    when it is to be under retention."""

    expired: bool
    until: datetime | None

    @property
    def rank(self) -> tuple[bool, float]:
        return self.expired, 0.0 if self.until is None else -self.until.timestamp()


@dataclass(frozen=True, slots=True)
class _Stored:
    size: int
    modified: datetime


@dataclass(slots=True)
class _Seen:
    """What was there when the run began, looked at in this order."""

    at: datetime
    marks: dict[bytes, datetime]
    packs: dict[bytes, _Stored] = field(default_factory=dict)
    others: dict[bytes, bool] = field(default_factory=dict)
    """Whether packs that were not listed are there all the same."""


def mark_object(tenant: str, id: bytes) -> str:
    return condemned_prefix(tenant) + id.hex()


class Collector:
    """For one tenant in one repository. At most one at a time, under a lease: `still_mine` tells whether
    it still holds, and is asked before everything that can't be taken back."""

    def __init__(
        self,
        objects: ObjectStore,
        index: Index,
        *,
        still_mine: Callable[[], bool],
        times: CollectorTimes | None = None,
        retention: Callable[[RecoveryPoint], datetime | None] = lambda _: None,
    ) -> None:
        """`retention` tells until when a point is to be under retention, None: it is not."""
        self._objects = objects
        self._index = index
        self._tenant = index.keyring.tenant
        self._still_mine = still_mine
        self._times = times or CollectorTimes()
        self._retention = retention

    def run(self, expired: Iterable[str] = ()) -> Collected:
        """Forget the points with these ids, and give back what no other needs. Raises ObjectStoreError; the
        next run does what this one left.

        Points are forgotten here and nowhere else: a writer takes over whole branches of the point that
        it is based on, and never looks whether what lies in them is condemned. So nothing may be while
        that point stands, and marks are taken away before the point is."""
        told = Collected()
        try:
            self._run(frozenset(expired), told)
        except _Stopped:
            told.stopped = True
        return told

    def _run(self, expired: frozenset[str], told: Collected) -> None:
        seen = _Seen(now := self._objects.now(), self._marks(now))
        seen.packs = self._packs()
        told.packs = len(seen.packs)
        reach = self._reach(expired, seen, told)
        told.lacking = tuple(reach.lacking)
        self._extend(reach.live, seen, told)
        self._reprieve(seen, reach, told)
        if not reach.lacking:
            self._sweep(seen, reach.live, told)
        self._forget(expired, told)
        if reach.lacking:
            return
        live = {id for id, need in reach.live.items() if told.kept or not need.expired}
        self._condemn(seen, live, told)
        self._tidy_indexes(seen, told)

    def _tidy_indexes(self, seen: _Seen, told: Collected) -> None:
        # An index that names a pack of before may name no other.
        stale = any(id not in seen.packs for id, _ in self._index.packs())
        merging = IndexMerging(
            self._objects,
            self._index.keyring,
            self._check,
            before=seen.at,
            condemned=seen.marks,
        )
        dropped = merging.run(seen.packs, look_at_all=stale)
        told.indexes_merged = merging.merged
        for id in dropped:
            self._mark(id)
        told.indexes_deleted += self._sweep_indexes(seen)
        if told.indexes_merged or told.indexes_deleted:
            self._index.refresh()

    # What is there

    def _marks(self, now: datetime) -> dict[bytes, datetime]:
        """When each mark was made: by what it says or when it was put, whichever is later."""
        found: dict[bytes, datetime] = {}
        prefix = condemned_prefix(self._tenant)
        for facts in self._objects.list(prefix):
            try:
                id = read_id(facts.key[len(prefix) :])
            except ValueError:
                continue
            try:
                data = read_whole(self._objects, facts.key, LARGEST_SMALL, facts.size)
                since = read_time(read_json(data, most=LARGEST_SMALL).get("since"))
                if since > now:
                    raise ValueError("not yet")
            except NoSuchObject:
                continue
            except (ValueError, Damaged):
                # No collector wrote it so: it condemns from the moment on at which it was put.
                since = facts.modified
            found[id] = max(since, facts.modified)
        return found

    def _packs(self) -> dict[bytes, _Stored]:
        found: dict[bytes, _Stored] = {}
        for facts in self._objects.list(packs_prefix(self._tenant)):
            id = pack_in(facts.key, self._tenant)
            if id is not None:
                found[id] = _Stored(facts.size, facts.modified)
        return found

    def _manifests(self) -> Iterator[PointFacts]:
        for facts in self._objects.list(points_prefix(self._tenant)):
            point = facts_of(facts.key, facts.size, facts.modified)
            if point is not None:
                yield point

    def _reach(self, expired: frozenset[str], seen: _Seen, told: Collected) -> Reach[_Need]:
        # Manifests are listed first: whatever they lead to was there before them.
        manifests = list(self._manifests())
        self._index.refresh()
        self._index.recover()
        reach = Reach[_Need](
            ItemReader(self._objects, self._index),
            self._index.packs_of,
            lambda pack: self._exists(pack, seen),
            self._check,
        )
        points: list[tuple[_Need, RecoveryPoint]] = []
        for facts in manifests:
            self._check()
            try:
                data = read_whole(self._objects, facts.key, LARGEST_MANIFEST, facts.size)
                point = read_manifest(facts.key, data, self._index.keyring)
            except (NoSuchObject, Stray):
                # What is whole and no manifest by its form leads to nothing.
                continue
            except Damaged as damage:
                reach.lacking.append(damage)
                continue
            gone = facts.id in expired
            points.append((_Need(gone, None if gone else self._retention(point)), point))
        told.points = len(points)
        # What is kept the longest first: a pack is under retention as long as any tree needs it.
        points.sort(key=lambda each: (each[0].rank, each[1].key))
        for need, point in points:
            for disk in point.disks:
                name = f"{point.server}/{disk.name}/{disk.chunk_bytes}"
                chunks = chunks_in(disk.size, disk.chunk_bytes)
                reach.go_through(Trunk(point.id, name, disk.root, chunks), need)
            if need.until is not None and need.until > seen.at:
                self._lock(point.key, need.until, told)
        return reach

    def _exists(self, pack: bytes, seen: _Seen) -> bool:
        """Of a pack that was put since they were listed, or that only an index still names."""
        if pack in seen.packs:
            return True
        found = seen.others.get(pack)
        if found is None:
            try:
                self._objects.stat(pack_object(self._tenant, pack))
                found = True
            except NoSuchObject:
                found = False
            seen.others[pack] = found
        return found

    # What is done

    def _extend(self, live: dict[bytes, _Need], seen: _Seen, told: Collected) -> None:
        longest: datetime | None = None
        for id, need in live.items():
            until = need.until
            if until is not None and until > seen.at:
                told.extended += self._lock(pack_object(self._tenant, id), until, told)
                longest = until if longest is None else max(longest, until)
        if longest is not None:
            # Without its keys a pack that nobody can delete is no backup.
            for facts in list(self._objects.list(keyrings_prefix(self._tenant))):
                self._lock(facts.key, longest, told)

    def _reprieve(self, seen: _Seen, reach: Reach[_Need], told: Collected) -> None:
        """Where anything is lacking, all of them: what it leads to is not known."""
        for id in list(seen.marks):
            stored = seen.packs.get(id)
            put_again = stored is not None and stored.modified > seen.marks[id]
            if id in reach.live or put_again or reach.lacking:
                if self._unmark(id):
                    told.reprieved += 1
                elif acted_on(self._objects, self._tenant, (id,)):
                    # As young as can be: it is not to be acted on once the pack is needed no more.
                    self._mark(id)
                del seen.marks[id]

    def _sweep(self, seen: _Seen, live: dict[bytes, _Need], told: Collected) -> None:
        for id, since in seen.marks.items():
            if id in live or id not in seen.packs or not self._is_over(id, since, seen):
                continue
            self._check()
            try:
                self._objects.delete(pack_object(self._tenant, id))
            except ObjectLocked:
                told.locked += 1
                continue
            told.deleted += 1
            told.freed_bytes += seen.packs.pop(id).size
            # Dying between the two leaves a mark without a pack, which a later run takes away.
            self._unmark(id)

    def _forget(self, expired: frozenset[str], told: Collected) -> None:
        for facts in list(self._manifests()) if expired else ():
            if facts.id not in expired:
                continue
            self._check()
            try:
                self._objects.delete(facts.key)
                told.forgotten += (facts.id,)
            except ObjectLocked:
                told.kept += (facts.id,)

    def _condemn(self, seen: _Seen, live: set[bytes], told: Collected) -> None:
        for id, stored in seen.packs.items():
            if id in live or id in seen.marks or stored.modified + self._times.young > seen.at:
                continue
            self._mark(id)
            told.condemned += 1

    def _sweep_indexes(self, seen: _Seen) -> int:
        """Index objects whose packs other index objects name; and marks of what is gone already."""
        deleted = 0
        for id, since in seen.marks.items():
            if id in seen.packs or not self._is_over(id, since, seen):
                continue
            self._check()
            key = index_object(self._tenant, id)
            try:
                self._objects.stat(key)
                self._objects.delete(key)
                deleted += 1
            except NoSuchObject:
                pass
            except ObjectLocked:
                continue
            self._unmark(id)
        return deleted

    def _is_over(self, id: bytes, since: datetime, seen: _Seen) -> bool:
        """A mark's grace. One that somebody put under retention can't be taken away by a reprieve, so that
        it is as if it were made when that ends."""
        if seen.at - since < self._times.grace:
            return False
        try:
            held = self._objects.stat(mark_object(self._tenant, id)).locked_until
        except NoSuchObject:
            return False
        return held is None or seen.at - held >= self._times.grace

    def _mark(self, id: bytes) -> None:
        self._check()
        since = canonical_json({"since": time_text(self._objects.now())})
        # One that is under retention stays as it is.
        with suppress(ObjectLocked):
            self._objects.put(mark_object(self._tenant, id), since)

    def _unmark(self, id: bytes) -> bool:
        """Whether it is gone: one that is under retention stays."""
        self._check()
        try:
            self._objects.delete(mark_object(self._tenant, id))
        except ObjectLocked:
            return False
        return True

    def _lock(self, key: str, until: datetime, told: Collected) -> bool:
        """Whether it holds. Where it is refused, what else there is to do is done all the same."""
        self._check()
        try:
            self._objects.lock(key, until)
        except NoSuchObject:
            return False
        except StoreRefused as error:
            if until > self._objects.now():  # The end of what ended meanwhile is past.
                told.refused += 1
                told.refusal = told.refusal or str(error)
            return False
        return True

    def _check(self) -> None:
        if not self._still_mine():
            raise _Stopped
