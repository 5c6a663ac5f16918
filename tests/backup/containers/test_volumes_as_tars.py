"""A volume of files becomes a tar that any tar reads, of which what did not change is the same chunks."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.containers.layout import ALIGN, data_bytes, placed, tar_bytes
from backup.containers.putting_back import put_back
from backup.containers.tar_headers import END
from backup.containers.tar_reading import NoVolume, files
from backup.containers.volume_disk import VolumeDisk
from control_plane.drivers.container_volumes import (
    FileEntry,
    FileKind,
    FilePiece,
    VolumeClaim,
)
from tests.backup.containers.local_agent import beside
from tests.backup.containers.trees import tree_of

_names = st.binary(min_size=1, max_size=150).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
_attributes = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=8)
        .filter(lambda key: b"=" not in key and b"\0" not in key)
        .map(lambda key: b"user." + key),
        st.binary(max_size=40),
    ),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: tuple(sorted(pairs)))


@st.composite
def volumes(draw: st.DrawFn) -> list[FileEntry]:
    """Entries as a walk tells them; paths are unique, the top comes first."""
    paths = sorted(
        draw(st.lists(st.lists(_names, min_size=1, max_size=3), max_size=12, unique_by=tuple))
    )
    entries = [FileEntry(b"", FileKind.DIRECTORY, 0o755, 0, 0, 0)]
    for parts in paths:
        kind = draw(st.sampled_from(FileKind))
        size = draw(st.integers(0, 3 * ALIGN)) if kind is FileKind.FILE else 0
        linked = kind in (FileKind.SYMLINK, FileKind.HARD_LINK)
        entries.append(
            FileEntry(
                b"/".join(parts),
                kind,
                draw(st.integers(0, 0o7777)),
                draw(st.integers(0, 2**32 - 2)),
                draw(st.integers(0, 2**32 - 2)),
                draw(st.integers(-(10**18), 4 * 10**18)),
                size=size,
                target=draw(_names) if linked else b"",
                attributes=draw(_attributes),
            )
        )
    return entries


def laid_out(entries: Sequence[FileEntry]) -> bytes:
    """With each file full of one letter."""
    tar = io.BytesIO()
    end = 0
    for one in placed(entries):
        assert one.at == end
        tar.seek(one.at)
        tar.write(one.headers + b"a" * data_bytes(one.entry))
        end = one.end
    tar.seek(end)
    tar.write(END)
    assert len(tar.getvalue()) == tar_bytes(end)
    return tar.getvalue()


@settings(max_examples=60, deadline=None)
@given(volumes())
def test_whatever_a_volume_holds_is_found_again_in_its_tar(entries: list[FileEntry]) -> None:
    tar = laid_out(entries)
    found = list(files(lambda offset, length: tar[offset : offset + length]))
    assert [each.entry for each in found] == entries
    for each in found:
        size = data_bytes(each.entry)
        assert tar[each.data_at : each.data_at + size] == b"a" * size
        assert size < ALIGN or each.data_at % ALIGN == 0
    # Another program's eyes.
    with tarfile.open(fileobj=io.BytesIO(tar), encoding="utf-8") as other:
        told = [(m.name.encode("utf-8", "surrogateescape"), m.uid, m.size) for m in other]
    wanted = [(b"./" + e.path if e.path else b".", e.uid, data_bytes(e)) for e in entries]
    assert told == wanted


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 1023), st.integers(0, 255))
def test_what_is_no_volume_is_told_and_never_read_as_one(noise: bytes, at: int, value: int) -> None:
    tar = bytearray(laid_out([FileEntry(b"", FileKind.DIRECTORY, 0o755, 0, 0, 0)]))
    if at < len(tar):
        tar[at] = value
    for bytes_ in (noise, bytes(tar)):
        try:
            found = list(files(lambda offset, length, b=bytes_: b[offset : offset + length]))  # type: ignore[misc]
        except NoVolume:
            continue
        assert all(b".." not in each.entry.path.split(b"/") for each in found)


def test_what_a_change_adds_is_about_what_changed() -> None:
    draw = random.Random(3)  # noqa: S311
    sizes = [draw.choice((0, 300, 4000, 20_000, 300_000)) for _ in range(400)]
    entries = [
        FileEntry(b"%04d" % n, FileKind.FILE, 0o644, 0, 0, n, size=size)
        for n, size in enumerate(sizes)
    ]
    grown = list(entries)
    grown[20] = replace(grown[20], size=grown[20].size + 5000)
    gone = [*grown[:100], *grown[101:]]
    more = [*gone[:200], FileEntry(b"0200new", FileKind.FILE, 0o644, 0, 0, 9, size=70_000)]
    more += gone[200:]
    before, after = chunks(entries), chunks(more)
    added = len(after - before) * ALIGN
    # Three changes: each costs the run that it is in, and its own bytes.
    assert added < 3 * 32 * 20_000 < len(before) * ALIGN / 4


def chunks(entries: Iterable[FileEntry]) -> set[bytes]:
    """The tar's, as a file's name fills its file."""
    tar = bytearray()
    for one in placed(entries):
        tar += one.headers
        text = one.entry.path * (data_bytes(one.entry) // len(one.entry.path) + 1)
        tar += text[: data_bytes(one.entry)]
        tar += bytes(one.end - len(tar))
    return {bytes(tar[at : at + ALIGN]) for at in range(0, len(tar), ALIGN)}


def test_a_folder_of_everything_comes_back_by_our_hand_and_by_tars(tmp_path: Path) -> None:
    top, ours, plain = (tmp_path / name for name in ("top", "ours", "plain"))
    for each in (top, ours, plain):
        each.mkdir()
    fill(top)
    image = tmp_path / "image"
    with beside(top) as volume, VolumeDisk(volume) as disk, image.open("wb") as out:
        out.truncate(disk.size)
        told = 0
        for offset, data in disk.stream(disk.extents(ALIGN)):
            out.seek(offset)
            out.write(data)
            told += len(data)
        assert disk.changing.files == 0
        # Holes are not read.
        assert told < 3_000_000 < disk.size
    with image.open("rb") as kept, beside(ours) as into:

        def read(offset: int, length: int) -> bytes:
            kept.seek(offset)
            return kept.read(length)

        into.clear(replace=False)
        assert list(put_back(read, into, lambda _: None)) == []
    assert tree_of(ours) == tree_of(top)
    command = ["tar", "--xattrs", "--xattrs-include=*", "-xpf", image, "-C", plain]
    subprocess.run(command, check=True, capture_output=True)
    assert tree_of(plain) == tree_of(top)
    assert sum(path.lstat().st_blocks for path in ours.rglob("*")) < 20_000


def fill(top: Path) -> None:
    draw = random.Random(1)  # noqa: S311
    (top / "big").write_bytes(draw.randbytes(1_000_000))
    (top / "d/e").mkdir(parents=True)
    os.link(top / "big", top / "d/again")
    os.symlink("/nowhere/" + "é" * 60, top / "d/link")
    os.mkfifo(top / "d/e/pipe", 0o620)
    with open(os.fsencode(top) + b"/bad\xff\nname", "wb") as odd:
        odd.write(b"odd")
    with (top / "sparse").open("wb") as sparse:
        sparse.truncate(20 << 20)
        sparse.seek(15 << 20)
        sparse.write(b"middle")
    deep = top
    for _ in range(20):
        deep /= "long" * 5
        deep.mkdir()
    (deep / "end").write_bytes(b"1")
    for number in range(60):
        (top / f"d/{number:02}").write_bytes(b"%d" % number * number)
    (top / "d/07").chmod(0o4751)
    os.utime(top / "d/08", ns=(1, 1_600_000_000_123_456_789))
    os.utime(top / "d/e", ns=(1, 1_500_000_000_000_000_001))
    for path, key, value in (("d/09", "user.k", b"\0\xffv\n="), ("d", "user.d", b"")):
        try:
            os.setxattr(top / path, key, value)
        except OSError:
            pytest.skip("this file system keeps no extended attributes")


@dataclass
class Restless:
    """A file that shrank, one that was rewritten, and one that is gone, since the walk."""

    claim: VolumeClaim = field(default_factory=lambda: VolumeClaim("data", 1))

    def walk(self) -> Iterator[FileEntry]:
        for name in (b"calm", b"gone", b"rewritten", b"shrank"):
            yield FileEntry(
                name, FileKind.FILE, 0o600, 0, 0, 0, size=100_000, extents=((0, 100_000),)
            )

    def read(self, pieces: Iterable[tuple[FileEntry, int, int]]) -> Iterator[FilePiece]:
        for entry, _, length in pieces:
            there = {b"gone": 0, b"shrank": 5000}.get(entry.path, length)
            yield FilePiece(entry.path[:1] * there, same=entry.path == b"calm")


def test_files_that_change_while_they_are_read_are_told_and_tear_nothing() -> None:
    with VolumeDisk(Restless()) as disk:
        tar = bytearray(disk.size)
        for offset, data in disk.stream(disk.extents()):
            tar[offset : offset + len(data)] = data
        assert (disk.changing.files, disk.changing.named) == (3, [b"gone", b"rewritten", b"shrank"])
    found = {e.entry.path: tar[e.data_at : e.data_at + 100_000] for e in files(reading(tar))}
    assert found == {
        b"calm": b"c" * 100_000,
        b"gone": bytes(100_000),
        b"rewritten": b"r" * 100_000,
        b"shrank": b"s" * 5000 + bytes(95_000),
    }


def reading(tar: bytearray):  # type: ignore[no-untyped-def]
    return lambda offset, length: bytes(tar[offset : offset + length])
