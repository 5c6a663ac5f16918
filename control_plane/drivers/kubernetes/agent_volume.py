"""Asks the agent beside a volume: walks it, reads it, writes it."""

from __future__ import annotations

import errno
import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from control_plane.drivers.backup_source import PIECE
from control_plane.drivers.container_volumes import (
    ClaimBusy,
    FileEntry,
    FileKind,
    FilePiece,
    VolumeClaim,
)
from control_plane.drivers.kubernetes.volume_agent import frame, packed, unpacked
from control_plane.drivers.protocol import DriverError, ReadingBroken, StorageFull

_AHEAD = 4
_WRITES_AHEAD = 16
_EXTENT = struct.Struct(">QQ")
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)


class Channel(Protocol):
    """To the agent and back. Raises HostUnreachable, ReadingBroken."""

    def send(self, data: bytes) -> None: ...

    def receive(self, length: int) -> bytes:
        """Exactly so many bytes; fewer where no more come."""
        ...


class AgentVolume:
    """One claim over a channel: a VolumeReading, and a VolumeWriting (drivers/container_volumes.py)."""

    def __init__(self, claim: VolumeClaim, channel: Channel) -> None:
        self._claim = claim
        self._channel = channel
        self._unanswered = 0

    @property
    def claim(self) -> VolumeClaim:
        return self._claim

    def walk(self) -> Iterator[FileEntry]:
        while batch := self._asked(b"N"):
            try:
                found = [_entry(unpacked(each)) for each in batch]
            except (ValueError, struct.error):
                raise self._broken() from None
            yield from found

    def read(self, pieces: Iterable[tuple[FileEntry, int, int]]) -> Iterator[FilePiece]:
        asked: deque[tuple[FileEntry, int]] = deque()
        for entry, offset, length in pieces:
            if not 0 < length <= PIECE:
                raise ValueError("a piece of no length that can be asked for")
            self._send(b"R", [entry.path, b"%d" % offset, b"%d" % length])
            asked.append((entry, length))
            if len(asked) >= _AHEAD:
                yield self._piece(*asked.popleft())
        while asked:
            yield self._piece(*asked.popleft())

    def clear(self, *, replace: bool) -> None:
        """Raises ClaimBusy where something is in it that may not go."""
        if left := self._asked(b"C", [b"1" if replace else b"0"]):
            raise ClaimBusy(
                f"Volume {self._claim.name} is not empty ({len(left)} names or more), so nothing was written."
            )

    def put(self, entry: FileEntry) -> None:
        self._told(b"P", _fields(entry))

    def write(self, offset: int, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            self._told(b"B", [b"%d" % (offset + at), data[at : at + PIECE]])

    def finish(self) -> Sequence[bytes]:
        while self._unanswered:
            self._heard()
        return self._asked(b"F")

    def _told(self, letter: bytes, fields: Sequence[bytes]) -> None:
        """What goes wrong with it is heard of a little later, before the end in any case."""
        self._send(letter, fields)
        self._unanswered += 1
        while self._unanswered >= _WRITES_AHEAD:
            self._heard()

    def _heard(self) -> None:
        self._unanswered -= 1
        letter, fields = self._answer()
        if letter == b"X":
            raise self._failed(fields)

    def _piece(self, entry: FileEntry, length: int) -> FilePiece:
        letter, fields = self._answer()
        if letter == b"X":
            if int(fields[0]) in _GONE:
                return FilePiece(b"", same=False)
            raise self._failed(fields)
        if len(fields) != 2 or len(fields[0]) > length:
            raise self._broken()
        then = b"%d %d %d" % (entry.size, entry.modified_ns, entry.changed_ns)
        return FilePiece(fields[0], same=fields[1] == then)

    def _asked(self, letter: bytes, fields: Sequence[bytes] = ()) -> list[bytes]:
        self._send(letter, fields)
        answer, got = self._answer()
        if answer == b"X":
            raise self._failed(got)
        return got

    def _send(self, letter: bytes, fields: Sequence[bytes]) -> None:
        self._channel.send(packed(letter, list(fields)))

    def _answer(self) -> tuple[bytes, list[bytes]]:
        try:
            answer = frame(self._channel.receive)
        except (ValueError, struct.error):
            raise self._broken() from None
        if answer is None or answer[0] not in (b"K", b"X") or (answer[0] == b"X" and not answer[1]):
            raise self._broken()
        return answer

    def _failed(self, fields: Sequence[bytes]) -> DriverError:
        """Without names: they are the member's."""
        number = int(fields[0])
        if number in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull(f"Volume {self._claim.name} has no room for what is to be in it.")
        return DriverError(f"Volume {self._claim.name}: {os.strerror(number)}.")

    def _broken(self) -> ReadingBroken:
        return ReadingBroken(f"The pod beside volume {self._claim.name} ended before its time.")


def _entry(fields: list[bytes]) -> FileEntry:
    """Raises ValueError, struct.error."""
    path, kind, numbers, target, extents, *attributes = fields
    mode, uid, gid, modified, changed, size, major, minor = map(int, numbers.split())
    if len(attributes) % 2:
        raise ValueError("an attribute without its value")
    return FileEntry(
        path,
        FileKind(kind.decode("ascii")),
        mode,
        uid,
        gid,
        modified,
        changed,
        size,
        target,
        (major, minor),
        tuple(zip(attributes[::2], attributes[1::2], strict=True)),
        tuple(_EXTENT.iter_unpack(extents)),
    )


def _fields(entry: FileEntry) -> list[bytes]:
    numbers = (
        *(entry.mode, entry.uid, entry.gid, entry.modified_ns),
        *(entry.changed_ns, entry.size, *entry.device),
    )
    return [
        entry.path,
        entry.kind.value.encode(),
        b" ".join(b"%d" % number for number in numbers),
        entry.target,
        b"",
        *(each for pair in entry.attributes for each in pair),
    ]
