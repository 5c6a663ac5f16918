"""Finds the files in a volume's tar again, as they were laid out (see tar_headers).

Pure: `read` gives bytes of the disk, fewer only at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backup.containers.tar_headers import ATTRIBUTE, BLOCK, KINDS, TOP, checksum
from control_plane.drivers.container_volumes import FileEntry, FileKind

Read = Callable[[int, int], bytes]
_LONGEST = 64 << 20


class NoVolume(ValueError):
    """It is not what a volume's tar is."""


@dataclass(frozen=True, slots=True)
class Found:
    entry: FileEntry
    data_at: int


def files(read: Read) -> Iterator[Found]:
    """Raises NoVolume."""
    at = 0
    while True:
        header, at = _header(read, at)
        if header is None:
            return
        records: list[tuple[bytes, bytes]] = []
        if header[156:157] == b"x":
            length = _number(header, 124, 12)
            if length > _LONGEST:
                raise NoVolume("a header of no length that there can be")
            body = read(at, length)
            if len(body) != length:
                raise NoVolume("it ends too early")
            records = list(_records(body))
            header, at = _header(read, at + -(-length // BLOCK) * BLOCK)
            if header is None:
                raise NoVolume("it ends too early")
        entry = _entry(header, records)
        yield Found(entry, at)
        at += -(-entry.size // BLOCK) * BLOCK


def _header(read: Read, at: int) -> tuple[bytes | None, int]:
    header = read(at, BLOCK)
    if header == bytes(BLOCK):
        return None, at
    if len(header) != BLOCK or _number(header, 148, 8) != checksum(header):
        raise NoVolume("no header where one should be")
    return header, at + BLOCK


def _entry(header: bytes, records: list[tuple[bytes, bytes]]) -> FileEntry:
    told = dict(records)
    kind = KINDS.get(header[156:157])
    if kind is None:
        raise NoVolume("a file of a kind that is not known")
    link = told.get(b"linkpath", _text(header, 157, 100))
    return FileEntry(
        path=_path(told.get(b"path", _text(header, 0, 100))),
        kind=kind,
        mode=_number(header, 100, 8),
        uid=_told(told, b"uid", _number(header, 108, 8)),
        gid=_told(told, b"gid", _number(header, 116, 8)),
        modified_ns=_time(told.get(b"mtime", b"%d" % _number(header, 136, 12))),
        size=_told(told, b"size", _number(header, 124, 12)) if kind is FileKind.FILE else 0,
        target=_path(link) if kind is FileKind.HARD_LINK else link,
        device=(_number(header, 329, 8), _number(header, 337, 8)),
        attributes=tuple(
            (key[len(ATTRIBUTE) :], value) for key, value in records if key.startswith(ATTRIBUTE)
        ),
    )


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(body):
        blank = body.find(b" ", at, at + 12)
        digits = body[at:blank]
        if blank < 0 or not digits.isdigit():
            raise NoVolume("a record without its length")
        end = at + int(digits)
        key, equals, value = body[blank + 1 : end - 1].partition(b"=")
        if not equals or end > len(body) or body[end - 1 : end] != b"\n" or end <= blank + 1:
            raise NoVolume("a record that ends too early")
        if key not in (b"comment", b"hdrcharset"):
            yield key, value
        at = end


def _path(name: bytes) -> bytes:
    name = name.removesuffix(b"/")
    if name == TOP:
        return b""
    path = name.removeprefix(TOP + b"/")
    if any(part in (b"", b".", b"..") for part in path.split(b"/")):
        raise NoVolume("a path that leads out of the volume")
    return path


def _told(told: dict[bytes, bytes], key: bytes, otherwise: int) -> int:
    value = told.get(key)
    if value is None:
        return otherwise
    if not value.isdigit():
        raise NoVolume("a number that is none")
    return int(value)


def _time(text: bytes) -> int:
    sign = -1 if text.startswith(b"-") else 1
    seconds, _, fraction = text.lstrip(b"-").partition(b".")
    if not seconds.isdigit() or (fraction and not fraction.isdigit()):
        raise NoVolume("a time that is none")
    return sign * (int(seconds) * 10**9 + int(fraction[:9].ljust(9, b"0") or b"0"))


def _number(header: bytes, at: int, length: int) -> int:
    text = header[at : at + length].strip(b"\0 ")
    try:
        return int(text or b"0", 8)
    except ValueError:
        raise NoVolume("a number that is none") from None


def _text(header: bytes, at: int, length: int) -> bytes:
    return header[at : at + length].partition(b"\0")[0]
