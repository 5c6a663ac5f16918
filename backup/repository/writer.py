"""Writes one recovery point: its disks' new chunks and changed branches, an index of them, and last of
all the manifest. A writer that dies before leaves only packs that nothing refers to; another attempt
finds again what an index object named by then, and writes the rest anew.

Writers of one tenant don't know of each other and hold no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import TracebackType

from backup.repository.disk_writer import DiskWriter
from backup.repository.errors import Damaged, overtaken, point_too_large, vault_destroyed
from backup.repository.index import Index
from backup.repository.index_object import ITEMS_PER_INDEX, index_object, seal_index
from backup.repository.items_of_base import ItemsOfBase
from backup.repository.keyrings import generations, lock_keys
from backup.repository.pack import PackFacts
from backup.repository.pack_writer import PackWriter
from backup.repository.point import (
    Consistency,
    How,
    PointDisk,
    RecoveryPoint,
    manifest,
    new_point_id,
    seal_details,
)
from backup.repository.reader import DiskReader
from backup.repository.reliance import Reliance, in_tree, look_holds
from backup.repository.segment import Kind
from backup.repository.sizes import MOST_PACKS
from backup.repository.tree import chunks_in
from control_plane.drivers.objects import ObjectStore, ObjectStoreError

CHUNK_BYTES = 65536
SMALLEST_CHUNK, LARGEST_CHUNK = 4096, 1 << 20
_LOOKS = 4


class PointWriter:
    """For one thread; a context manager that abandons what was not committed. Its disks may be written
    one after another or by turns. Raises ObjectStoreError from any method; then only abandon it."""

    def __init__(
        self,
        objects: ObjectStore,
        index: Index,
        *,
        system: str,
        server: str,
        base: RecoveryPoint | None,
        taken_at: datetime | None,
        locked_until: datetime | None,
    ) -> None:
        self._objects = objects
        self._index = index
        self._keyring = index.keyring
        self._system = system
        self._server = server
        self._base = base
        self._locked_until = locked_until
        self._taken_at = (taken_at or objects.now()).replace(microsecond=0)
        self.id = new_point_id(self._taken_at)
        self._reliance = Reliance(objects, index, base.key if base else None)
        self._items = ItemsOfBase(objects, index, self._reliance, self.id)
        if base is not None and not self._reliance.base_stood:
            raise overtaken(self.id)
        self._packs = PackWriter(objects, self._keyring, locked_until=locked_until)
        self._unpublished: list[PackFacts] = []
        self._unpublished_items = 0
        self._written: list[bytes] = []
        self._stored_bytes = 0
        self._open_disks: set[str] = set()
        self._disks: list[PointDisk] = []
        self._over = False

    def __enter__(self) -> PointWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abandon()

    def disk(
        self,
        name: str,
        size: int,
        *,
        base_disk: str | None = None,
        chunk_bytes: int | None = None,
        how: How = "full",
        why: str | None = None,
    ) -> DiskWriter:
        """`size` in bytes. `base_disk` names the disk in the base that this one is compared with, and as
        which it is where it is not told; its chunks' size is kept. `how`, `why`: see PointDisk. Raises
        YuiError for a disk that the base does not hold."""
        if self._over or name in self._open_disks or any(d.name == name for d in self._disks):
            raise ValueError(f"Disk {name} is in the point already, or the point is over.")
        before: PointDisk | None = None
        if base_disk is not None:
            if self._base is None:
                raise ValueError("A disk can have a base only where the point has one.")
            before = self._base.disk(base_disk)
        chunk_bytes = before.chunk_bytes if before else (chunk_bytes or CHUNK_BYTES)
        if not SMALLEST_CHUNK <= chunk_bytes <= LARGEST_CHUNK or chunk_bytes & (chunk_bytes - 1):
            raise ValueError("Chunks are of a power of two between 4 KiB and 1 MiB.")
        self._open_disks.add(name)
        return DiskWriter(
            name,
            size,
            chunk_bytes=chunk_bytes,
            keyring=self._keyring,
            sink=self,
            base=DiskReader(self._items, before, self._base.id) if before and self._base else None,
            how=how,
            why=why,
            closed=self._close_disk,
        )

    def distrust(self, packs: Iterable[bytes]) -> None:
        """Rely on nothing that lies in these, such as packs that are known to be damaged: what is told of it
        is stored anew. What is taken over from the base is not looked at."""
        self._reliance.distrust(frozenset(packs))

    def put_chunk(self, id: bytes, data: bytes | memoryview) -> None:
        """Store it unless it is stored; for DiskWriter."""
        self._store(Kind.CHUNKS, id, data)

    def put_node(self, id: bytes, plain: bytes) -> None:
        """As put_chunk, for a tree's node."""
        self._store(Kind.NODES, id, plain)

    def rest(self) -> None:
        """Its disks are written, and it may wait long for others of its set before it commits: put all that
        was taken in, which others find from now on, and hold hardly any memory."""
        if self._over or self._open_disks:
            raise ValueError("The point is over already, or a disk of it is still open.")
        self._publish_all()
        self._packs.rest()

    def commit(
        self,
        *,
        consistency: Consistency,
        details: Mapping[str, object],
        set: str | None = None,
    ) -> RecoveryPoint:
        """Make the point exist. `details` is the server's description, sealed. Raises
        YuiError("backup-overtaken") when the collector took what the point needs."""
        if self._over or self._open_disks:
            raise ValueError("The point is over already, or a disk of it is still open.")
        self._over = True
        self._publish_all()
        looked_at = self._look()
        sealed = seal_details(details, self.id, self._keyring)
        key, data, point = self._manifest(consistency, sealed, set)
        if not look_holds(looked_at, self._objects.now()):
            raise overtaken(self.id)
        if not generations(self._objects, self._keyring.tenant):
            raise vault_destroyed(self._keyring.tenant)
        if self._locked_until is not None:
            lock_keys(self._objects, self._keyring, self._locked_until)
        self._objects.put(key, data, only_new=True, locked_until=self._locked_until)
        if not look_holds(looked_at, self._objects.now()):
            # It may have come too late to hold the collector back. What can't be deleted now, as it is
            # under retention already, is on no record either.
            with suppress(ObjectStoreError):
                self._objects.delete(key)
            raise overtaken(self.id)
        self.abandon()
        return point

    def abandon(self) -> None:
        """End without a point; what was put stays unreferenced. After commit: nothing."""
        self._over = True
        self._packs.close()

    def _store(self, kind: Kind, id: bytes, data: bytes | memoryview) -> None:
        if id in self._packs.fresh or self._reliance.stored(id):
            return
        self._packs.add(kind, id, data)
        self._note_put()
        if self._unpublished_items >= ITEMS_PER_INDEX:
            self._publish()

    def _close_disk(self, disk: PointDisk) -> None:
        self._open_disks.remove(disk.name)
        self._disks.append(disk)

    def _note_put(self) -> None:
        for pack in self._packs.put_packs():
            self._unpublished.append(pack)
            self._unpublished_items += len(pack.footer) // 40
            self._written.append(pack.id)
            if len(self._written) > MOST_PACKS:
                raise point_too_large(self.id)
            self._stored_bytes += pack.length
            self._reliance.wrote(pack.id)

    def _publish_all(self) -> None:
        self._packs.flush()
        self._note_put()
        self._publish()

    def _publish(self) -> None:
        """One index object for the packs that were put, which need no memory any more then."""
        packs = self._unpublished
        if not packs:
            return
        id, data = seal_index(packs, self._keyring)
        self._objects.put(
            index_object(self._keyring.tenant, id), data, locked_until=self._locked_until
        )
        self._index.adopt(id, packs)
        self._packs.forget(packs)
        self._unpublished, self._unpublished_items = [], 0

    def _look(self) -> datetime:
        """The last look; what will not stay is written anew first. Returns when it began."""
        for _ in range(_LOOKS):
            looked_at = self._objects.now()
            lost = self._reliance.lost()
            if not lost or not self._write_anew(lost):
                return looked_at
        raise overtaken(self.id)

    def _write_anew(self, lost: frozenset[bytes]) -> int:
        """How many items of the point's trees lay only in those packs; they lie elsewhere too, now."""
        self._reliance.distrust(lost)
        written = 0
        try:
            for disk in self._disks:
                chunks = chunks_in(disk.size, disk.chunk_bytes)
                for level, id in in_tree(disk.root, chunks, self._items):
                    if id in self._packs.fresh or self._reliance.stored(id):
                        continue
                    if level:
                        self.put_node(id, self._items.node(level, id))
                    else:
                        self.put_chunk(id, self._items.chunk(id))
                    written += 1
        except Damaged:
            raise overtaken(self.id) from None
        self._publish_all()
        return written

    def _manifest(
        self, consistency: Consistency, sealed: bytes, set: str | None
    ) -> tuple[str, bytes, RecoveryPoint]:
        point = RecoveryPoint(
            id=self.id,
            tenant=self._keyring.tenant,
            system=self._system,
            server=self._server,
            taken_at=self._taken_at,
            finished_at=self._objects.now().replace(microsecond=0),
            consistency=consistency,
            set=set,
            disks=tuple(self._disks),
            stored_bytes=self._stored_bytes,
            packs=tuple(self._written),
            sealed=sealed,
            seal_key=self._keyring.sealing.id,
        )
        key, data = manifest(point, self._keyring)
        return key, data, replace(point, key=key)
