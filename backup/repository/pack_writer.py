"""Makes packs of what comes in, and puts them while more comes in.

Whoever adds also hashes and seals, which is quick; compressing, which is not, is done by two threads,
and two more only wait for the store. Every queue is bounded, so that memory is: two unfinished packs,
two that are on their way, and a few segments.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import zstandard

from backup.repository.keys import Keyring
from backup.repository.pack import PACK_ROOM, PackBuilder, PackFacts, pack_object, parse_footer
from backup.repository.segment import (
    MOST_ITEMS,
    PLAIN_LIMIT,
    ZSTD_LEVEL,
    Compression,
    Kind,
    compress,
)
from control_plane.drivers.objects import ObjectStore

_Result = TypeVar("_Result")
_WORKERS = 2
_SEGMENTS_AHEAD = 4
_UPLOADS = 2


@dataclass(slots=True)
class _OpenSegment:
    plain: bytearray = field(default_factory=bytearray)
    items: list[tuple[bytes, int]] = field(default_factory=list)


@dataclass(slots=True)
class _Compressing:
    kind: Kind
    plain_length: int
    items: Sequence[tuple[bytes, int]]
    done: Future[tuple[Compression, bytes | bytearray]]


class PackWriter:
    """For one thread. After an error nothing more can be added; what was put stays, unreferenced."""

    def __init__(
        self, objects: ObjectStore, keyring: Keyring, *, locked_until: datetime | None = None
    ) -> None:
        self._objects = objects
        self._keyring = keyring
        self._locked_until = locked_until
        self._open: dict[Kind, _OpenSegment] = {kind: _OpenSegment() for kind in Kind}
        self._packs: dict[Kind, PackBuilder] = {}
        self._buffers: dict[Kind, bytearray] = {}
        self._compressing: deque[_Compressing] = deque()
        self._uploading: deque[tuple[Future[None], PackFacts]] = deque()
        self._put: list[PackFacts] = []
        self._compressors = threading.local()
        self._workers = ThreadPoolExecutor(_WORKERS, "backup-compress")
        self._uploaders = ThreadPoolExecutor(_UPLOADS, "backup-upload")
        self._failed: BaseException | None = None
        self.fresh: set[bytes] = set()
        """Ids that were added and are in no index yet."""

    def add(self, kind: Kind, id: bytes, data: bytes | memoryview) -> None:
        """Store an item; `data` is copied. Raises ObjectStoreError, also for what was added earlier."""
        self._go_on()
        segment = self._open[kind]
        if len(segment.plain) + len(data) > PLAIN_LIMIT or len(segment.items) == MOST_ITEMS:
            self._compress(kind)
            segment = self._open[kind]
        segment.plain += data
        segment.items.append((id, len(data)))
        self.fresh.add(id)

    def put_packs(self) -> list[PackFacts]:
        """Packs that have been put since the last call."""
        while self._uploading and self._uploading[0][0].done():
            self._settle_upload()
        put, self._put = self._put, []
        return put

    def forget(self, packs: Sequence[PackFacts]) -> None:
        """An index knows them now: their items are fresh no longer."""
        for pack in packs:
            for segment in parse_footer(pack.footer, pack.length):
                self.fresh.difference_update(id for id, _, _ in segment.each())

    def flush(self) -> None:
        """Put all that was added. Raises ObjectStoreError."""
        self._go_on()
        for kind in Kind:
            if self._open[kind].items:
                self._compress(kind)
        while self._compressing:
            self._seal_next()
        for kind in list(self._packs):
            self._finish_pack(kind)
        while self._uploading:
            self._settle_upload()

    def rest(self) -> None:
        """After `flush`: hold no buffers until something is added."""
        self._buffers.clear()

    def close(self) -> None:
        """End the threads; what is not put yet may never be."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._uploaders.shutdown(wait=True, cancel_futures=True)
        self._packs.clear()
        self._buffers.clear()
        self._compressing.clear()
        self.fresh.clear()

    def _compress(self, kind: Kind) -> None:
        segment, self._open[kind] = self._open[kind], _OpenSegment()
        done = self._workers.submit(self._compressed, segment.plain)
        self._compressing.append(_Compressing(kind, len(segment.plain), segment.items, done))
        while self._compressing and (
            len(self._compressing) > _SEGMENTS_AHEAD or self._compressing[0].done.done()
        ):
            self._seal_next()

    def _compressed(self, plain: bytearray) -> tuple[Compression, bytes | bytearray]:
        compressor: zstandard.ZstdCompressor | None = getattr(self._compressors, "own", None)
        if compressor is None:
            compressor = self._compressors.own = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        return compress(plain, compressor)

    def _seal_next(self) -> None:
        segment = self._compressing.popleft()
        compression, body = self._result(segment.done)
        pack = self._packs.get(segment.kind)
        if pack is None:
            # Used again and again, because memory that is given back is not always given back to
            # the system.
            buffer = self._buffers.get(segment.kind) or bytearray(PACK_ROOM)
            self._buffers[segment.kind] = buffer
            pack = self._packs[segment.kind] = PackBuilder(self._keyring, buffer)
        pack.add(segment.kind, compression, body, segment.plain_length, segment.items)
        if pack.full:
            self._finish_pack(segment.kind)

    def _finish_pack(self, kind: Kind) -> None:
        while len(self._uploading) >= _UPLOADS:
            self._settle_upload()
        data, facts = self._packs.pop(kind).finish()
        key = pack_object(self._keyring.tenant, facts.id)
        done = self._uploaders.submit(self._objects.put, key, data, locked_until=self._locked_until)
        self._uploading.append((done, facts))

    def _settle_upload(self) -> None:
        done, facts = self._uploading.popleft()
        self._result(done)
        self._put.append(facts)

    def _result(self, done: Future[_Result]) -> _Result:
        try:
            return done.result()
        except BaseException as error:
            self._failed = error
            raise

    def _go_on(self) -> None:
        """What failed once is not stored, and no later success may hide it."""
        if self._failed is not None:
            raise self._failed
