"""Runs inside a pod beside a volume, and reads or writes it as it is asked to on standard input.

One file of the standard library alone (Python 3.9 and later): its text is handed to the pod, so that any
image with a Python serves. Each request is one frame and has one answer; whoever asks may ask ahead. A
frame is u32 length, u8 letter, and fields, each u32 length and bytes.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

LARGEST_FRAME = 8 << 20
BATCH = 256 << 10
MOST_EXTENTS = 2048
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: b"file",
    stat.S_IFDIR: b"directory",
    stat.S_IFLNK: b"symlink",
    stat.S_IFIFO: b"fifo",
    stat.S_IFCHR: b"character-device",
    stat.S_IFBLK: b"block-device",
}


def packed(letter: bytes, fields: list[bytes]) -> bytes:
    body = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return struct.pack(">I", len(body) + 1) + letter + body


def unpacked(body: bytes) -> list[bytes]:
    """Raises ValueError."""
    fields, at = [], 0
    while at < len(body):
        if at + 4 > len(body):
            raise ValueError("a frame that ends too early")
        (length,) = struct.unpack_from(">I", body, at)
        at += 4
        if at + length > len(body):
            raise ValueError("a frame that ends too early")
        fields.append(body[at : at + length])
        at += length
    return fields


def frame(read: Callable[[int], bytes]) -> tuple[bytes, list[bytes]] | None:
    """The next one; None at the end. `read` gives exactly so many bytes, or fewer at the end."""
    head = read(4)
    if not head:
        return None
    (length,) = struct.unpack(">I", head)
    if not 1 <= length <= LARGEST_FRAME:
        raise ValueError("a frame of no length that there can be")
    body = read(length)
    if len(body) != length:
        raise ValueError("a frame that ends too early")
    return body[:1], unpacked(body[1:])


class Volume:
    """`top` is where it is mounted. No name in it is ever followed out of it."""

    def __init__(self, top: str) -> None:
        self._top = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._device = os.fstat(self._top).st_dev
        self._known: tuple[bytes, int] | None = None
        self._walking: Iterator[list[bytes]] | None = None
        self._file: int | None = None
        self._open: tuple[bytes, int] | None = None
        self._directories: list[list[bytes]] = []
        self._waiting: list[bytes] = []
        self._left: list[bytes] = []

    def answer(self, letter: bytes, fields: list[bytes]) -> tuple[bytes, list[bytes]]:
        try:
            return b"K", _REQUESTS[letter](self, fields)
        except OSError as error:
            return b"X", [str(error.errno or 0).encode(), (error.strerror or "").encode()]

    # Reading

    def next_entries(self, _: list[bytes]) -> list[bytes]:
        """Packed entries, about BATCH bytes of them; none at the end."""
        if self._walking is None:
            self._walking = self._walk()
        batch: list[bytes] = []
        size = 0
        for entry in self._walking:
            batch.append(packed(b"E", entry)[5:])
            size += len(batch[-1])
            if size >= BATCH:
                break
        return batch

    def _walk(self) -> Iterator[list[bytes]]:
        seen: dict[tuple[int, int], bytes] = {}
        ahead = [b""]
        while ahead:
            path = ahead.pop()
            try:
                parent, name = self._at(path)
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                continue  # It has gone since its directory was read.
            kind = _KINDS.get(stat.S_IFMT(found.st_mode))
            if kind is None or found.st_dev != self._device:
                continue
            target = b""
            if found.st_nlink > 1 and kind != b"directory":
                same = seen.setdefault((found.st_dev, found.st_ino), path)
                if same != path:
                    kind, target = b"hard-link", same
            try:
                entry = self._entry(path, found, kind, target)
                if kind == b"directory":
                    within = self._names(path)
                    ahead += [path + b"/" + each if path else each for each in reversed(within)]
            except FileNotFoundError:
                continue
            yield entry

    def _names(self, path: bytes) -> list[bytes]:
        opened = self._directory(path)
        try:
            return sorted(os.fsencode(each) for each in os.listdir(opened))
        finally:
            os.close(opened)

    def _entry(self, path: bytes, found: os.stat_result, kind: bytes, target: bytes) -> list[bytes]:
        parent, name = self._at(path)
        extents: list[tuple[int, int]] = []
        size = 0
        if kind == b"symlink":
            target = os.readlink(name, dir_fd=parent)
        if kind == b"file":
            size = found.st_size
            opened = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=parent)
            try:
                extents = _extents(opened, size)
            finally:
                os.close(opened)
        return [
            path,
            kind,
            b"%d %d %d %d %d %d %d %d"
            % (
                stat.S_IMODE(found.st_mode),
                found.st_uid,
                found.st_gid,
                found.st_mtime_ns,
                found.st_ctime_ns,
                size,
                os.major(found.st_rdev),
                os.minor(found.st_rdev),
            ),
            target,
            b"".join(struct.pack(">QQ", *extent) for extent in extents),
            *([] if kind == b"hard-link" else _attributes(parent, name)),
        ]

    def read(self, fields: list[bytes]) -> list[bytes]:
        """path, offset, length -> data, "size modified changed" of the file as it is now."""
        path, offset, length = fields[0], int(fields[1]), int(fields[2])
        if self._open is None or self._open[0] != path:
            if self._open is not None:
                os.close(self._open[1])
                self._open = None
            parent, name = self._at(path)
            flags = os.O_RDONLY | os.O_NONBLOCK | _FLAGS
            self._open = (path, os.open(name, flags, dir_fd=parent))
        opened = self._open[1]
        parts = []
        while length:
            data = os.pread(opened, length, offset)
            if not data:
                break
            parts.append(data)
            offset, length = offset + len(data), length - len(data)
        found = os.fstat(opened)
        now = b"%d %d %d" % (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        return [b"".join(parts), now]

    # Writing

    def clear(self, fields: list[bytes]) -> list[bytes]:
        """All that is in it goes, where `1` is asked for; answers what is left, of which there may be
        lost+found, which is the file system's own."""
        if fields[0] == b"1":
            for path in reversed([entry[0] for entry in self._walk_all()]):
                parent, name = self._at(path)
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    os.rmdir(name, dir_fd=parent)
                else:
                    os.unlink(name, dir_fd=parent)
            self._known = None
        return [name for name in self._names(b"") if name != b"lost+found"][:10]

    def _walk_all(self) -> Iterator[list[bytes]]:
        """Also what a backup leaves out, so that nothing is left."""
        ahead = [n for n in reversed(self._names(b"")) if n != b"lost+found"]
        while ahead:
            path = ahead.pop()
            parent, name = self._at(path)
            yield [path]
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                ahead += [path + b"/" + each for each in reversed(self._names(path))]

    def put(self, fields: list[bytes]) -> list[bytes]:
        """An entry, as `_entry` packs it."""
        self._settle()
        path, kind, numbers, target = fields[:4]
        size, major, minor = map(int, numbers.split()[5:])
        parent, name = self._at(path)
        if kind == b"hard-link":
            source, source_name = self._at(target, kept=False)
            try:
                os.link(
                    source_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False
                )
            finally:
                os.close(source)
            return []
        if kind == b"directory":
            if path and not (path == b"lost+found" and b"lost+found" in self._names(b"")):
                os.mkdir(name, 0o700, dir_fd=parent)
            self._directories.append(fields)
            return []
        if kind == b"symlink":
            os.symlink(target, name, dir_fd=parent)
        elif kind == b"fifo":
            os.mkfifo(name, 0o600, dir_fd=parent)
        elif kind in (b"character-device", b"block-device"):
            what = stat.S_IFCHR if kind == b"character-device" else stat.S_IFBLK
            try:
                os.mknod(name, what | 0o600, os.makedev(major, minor), dir_fd=parent)
            except PermissionError:
                self._left.append(path)
                return []
        else:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS
            self._file = os.open(name, flags, 0o600, dir_fd=parent)
            os.ftruncate(self._file, size)
            self._waiting = fields
            return []
        self._dress(fields)
        return []

    def write(self, fields: list[bytes]) -> list[bytes]:
        if self._file is None:
            raise OSError(errno.EBADF, "no file was put")
        offset, data = int(fields[0]), fields[1]
        while data:
            written = os.pwrite(self._file, data, offset)
            offset, data = offset + written, data[written:]
        return []

    def finish(self, _: list[bytes]) -> list[bytes]:
        """What lies in a directory changes its times, so that they come last."""
        self._settle()
        for fields in reversed(self._directories):
            self._dress(fields)
        self._directories = []
        os.sync()
        return self._left

    def _settle(self) -> None:
        """The file that was put last has all its data."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._dress(self._waiting)

    def _dress(self, fields: list[bytes]) -> None:
        """Owner, mode, attributes, times: in this order, since each takes some of the earlier along."""
        path, kind, numbers = fields[:3]
        mode, uid, gid, modified = map(int, numbers.split()[:4])
        parent, name = self._at(path)
        os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
        where = b"/proc/self/fd/%d/%s" % (parent, name)
        if kind != b"symlink":
            os.chmod(where, mode)
        for key, value in zip(fields[5::2], fields[6::2]):  # noqa: B905 — Python 3.9 knows no strict.
            try:
                os.setxattr(where, key, value, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EINVAL):
                    raise
                self._left.append(path)
        os.utime(name, ns=(modified, modified), dir_fd=parent, follow_symlinks=False)

    # Names

    def _at(self, path: bytes, *, kept: bool = True) -> tuple[int, bytes]:
        """(its directory, its name). The directory stays open until another is asked for; the caller
        closes it where it is not `kept`."""
        above, _, name = path.rpartition(b"/")
        if not kept:
            return self._directory(above), name
        if self._known is None or self._known[0] != above:
            opened = self._directory(above)
            if self._known is not None:
                os.close(self._known[1])
            self._known = (above, opened)
        return self._known[1], name or b"."

    def _directory(self, path: bytes) -> int:
        opened = os.dup(self._top)
        try:
            for name in path.split(b"/") if path else ():
                if name in (b"", b".", b".."):
                    raise OSError(errno.EINVAL, "no path within the volume")
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=opened)
                os.close(opened)
                opened = below
        except OSError:
            os.close(opened)
            raise
        return opened


def _extents(opened: int, size: int) -> list[tuple[int, int]]:
    """What is not a hole. Of very many, neighbours are taken together."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < size:
        try:
            begin = os.lseek(opened, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            if error.errno == errno.EINVAL:
                return [(0, size)]
            raise
        at = min(os.lseek(opened, begin, os.SEEK_HOLE), size)
        if begin >= size:
            break
        found.append((begin, at - begin))
    while len(found) > MOST_EXTENTS:
        pairs = zip(found[::2], found[1::2])  # noqa: B905
        merged = [(one[0], two[0] + two[1] - one[0]) for one, two in pairs]
        found = merged + (found[-1:] if len(found) % 2 else [])
    return found


def _attributes(parent: int, name: bytes) -> list[bytes]:
    where = b"/proc/self/fd/%d/%s" % (parent, name)
    fields: list[bytes] = []
    try:
        names = sorted(os.fsencode(each) for each in os.listxattr(where, follow_symlinks=False))
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
    for key in names:
        try:
            fields += [key, os.getxattr(where, key, follow_symlinks=False)]
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.EPERM, errno.ENOTSUP):
                raise
    return fields


_REQUESTS: dict[bytes, Callable[[Volume, list[bytes]], list[bytes]]] = {
    b"N": Volume.next_entries,
    b"R": Volume.read,
    b"C": Volume.clear,
    b"P": Volume.put,
    b"B": Volume.write,
    b"F": Volume.finish,
}


def serve(top: str, asked: BinaryIO, answers: BinaryIO, alive: str | None = None) -> None:
    """Until nothing more is asked. The file `alive` is touched as long as something is."""
    volume = Volume(top)
    touched = 0.0
    while True:
        request = frame(asked.read)
        if request is None:
            return
        if alive is not None and time.monotonic() - touched > 10:
            touched = time.monotonic()
            os.utime(alive)
        answers.write(packed(*volume.answer(*request)))
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer, *sys.argv[2:3])
