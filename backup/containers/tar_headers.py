"""What stands before a file's data in a volume's tar: POSIX pax headers (IEEE Std 1003.1, pax, "pax Interchange
Format" and "ustar Interchange Format") that say all of a file and the same each time, stretched by a
comment where the data is to begin at a given place.

Pure.
"""

from __future__ import annotations

from control_plane.drivers.container_volumes import FileEntry, FileKind

BLOCK = 512
END = bytes(2 * BLOCK)
_TYPES = {
    FileKind.FILE: b"0",
    FileKind.HARD_LINK: b"1",
    FileKind.SYMLINK: b"2",
    FileKind.CHARACTER_DEVICE: b"3",
    FileKind.BLOCK_DEVICE: b"4",
    FileKind.DIRECTORY: b"5",
    FileKind.FIFO: b"6",
}
KINDS = {letter: kind for kind, letter in _TYPES.items()}
ATTRIBUTE = b"SCHILY.xattr."
"""Before an extended attribute's name; access lists are such too."""
_NAME, _LINK = 100, 100
_LARGEST_ID, _LARGEST_SIZE = 0o7777777, 0o77777777777
_LATEST = 0o77777777777
_EXTENDED = b"./PaxHeaders/"
_LEAST_COMMENT = 13
TOP = b"."
"""The volume's own directory."""


def headers(entry: FileEntry, at: int, align: int | None = None) -> bytes:
    """All that stands from `at` on before the data, which then begins at a multiple of `align`, where one is
    given. Raises ValueError for a path that leads out of the volume."""
    name, link = _name_of(entry.path), entry.target
    if entry.kind is FileKind.HARD_LINK:
        link = _name_of(entry.target)
    if entry.kind is FileKind.DIRECTORY:
        name += b"/"
    records = _records(entry, name, link)
    plain = _header(
        name[:_NAME],
        _TYPES[entry.kind],
        mode=entry.mode,
        uid=entry.uid if entry.uid <= _LARGEST_ID else 0,
        gid=entry.gid if entry.gid <= _LARGEST_ID else 0,
        size=entry.size if entry.size <= _LARGEST_SIZE else 0,
        seconds=min(max(entry.modified_ns // 10**9, 0), _LATEST),
        link=link[:_LINK],
        device=entry.device,
    )
    body = b"".join(_record(key, value) for key, value in records)
    if align is not None:
        body = _stretched(body, at, align)
    if not body:
        return plain
    extended = _header(_EXTENDED + b"%08d" % 0, b"x", mode=0o644, size=len(body))
    return extended + body + bytes(-len(body) % BLOCK) + plain


def checksum(header: bytes) -> int:
    return sum(header[:148]) + 8 * 32 + sum(header[156:BLOCK])


def _records(entry: FileEntry, name: bytes, link: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    texts = [
        (key, value)
        for key, value, most in ((b"path", name, _NAME), (b"linkpath", link, _LINK))
        if len(value) > most or not value.isascii()
    ]
    if not all(_is_utf8(value) for _, value in texts):
        # What is no UTF-8 is as it is on the disk.
        found.append((b"hdrcharset", b"BINARY"))
    found += texts
    seconds, fraction = divmod(entry.modified_ns, 10**9)
    if fraction or not 0 <= seconds <= _LATEST:
        found.append((b"mtime", _time(entry.modified_ns)))
    for key, number, most in (
        (b"uid", entry.uid, _LARGEST_ID),
        (b"gid", entry.gid, _LARGEST_ID),
        (b"size", entry.size, _LARGEST_SIZE),
    ):
        if number > most:
            found.append((key, b"%d" % number))
    found += [(ATTRIBUTE + key, value) for key, value in sorted(entry.attributes)]
    return found


def _time(nanoseconds: int) -> bytes:
    """Decimal seconds; before 1970 with a sign before all of it."""
    sign = b"-" if nanoseconds < 0 else b""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    return sign + b"%d" % seconds + (b".%09d" % fraction if fraction else b"")


def _record(key: bytes, value: bytes) -> bytes:
    """Its own length stands before it, and counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _comment(length: int) -> bytes:
    """A record of exactly so many bytes that says nothing."""
    head = b"%d comment=" % length
    return head + b" " * (length - len(head) - 1) + b"\n"


def _stretched(body: bytes, at: int, align: int) -> bytes:
    """With a comment, so that after it and the two headers a multiple of `align` comes."""
    plain = at + BLOCK if not body else at + 2 * BLOCK + len(body) + -len(body) % BLOCK
    if plain % align == 0:
        return body
    begins = at + 2 * BLOCK
    length = -begins % align
    while length < len(body) + _LEAST_COMMENT:
        length += align
    return body + _comment(length - len(body))


def _header(
    name: bytes,
    letter: bytes,
    *,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    seconds: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """Nobody's names stand in it: numbers are what counts on a disk."""
    header = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % (mode & 0o7777),
            b"%07o\0" % uid,
            b"%07o\0" % gid,
            b"%011o\0" % size,
            b"%011o\0" % seconds,
            b" " * 8,
            letter,
            link.ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),
            b"%07o\0" % (device[0] & _LARGEST_ID),
            b"%07o\0" % (device[1] & _LARGEST_ID),
            bytes(155 + 12),
        )
    )
    return header[:148] + b"%06o\0 " % checksum(header) + header[156:]


def _name_of(path: bytes) -> bytes:
    if not path:
        return TOP
    parts = path.split(b"/")
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise ValueError("a path that leads out of the volume")
    return TOP + b"/" + path


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
