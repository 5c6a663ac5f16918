"""A disk such as a business system has, and what a day's work changes on it; the same for every tool."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

KIB, MIB = 1024, 1024 * 1024
_PIECE = 4 * MIB
_PROGRAMS, _ROWS, _RANDOM = 0.30, 0.35, 0.15
"""Parts of the disk; the rest was never written."""
_GIVEN = "太郎花子一郎幸子健次郎美咲翔太陽菜"
_FAMILY = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "小林", "加藤")


def make(path: Path, size: int, seed: int = 1) -> None:
    """Write it: this machine's own programs, database pages, what can't be compressed, and nothing, by
    turns, as far as `size` bytes."""
    draw = random.Random(seed)  # noqa: S311 — the same disk each time
    programs, rows = _programs(), _rows(draw)
    with path.open("wb") as file:
        for place in range(0, size, _PIECE):
            length = min(_PIECE, size - place)
            kind = draw.random()
            if kind < _PROGRAMS:
                piece = _taken(programs, length) or draw.randbytes(length)
            elif kind < _PROGRAMS + _ROWS:
                piece = _taken(rows, length)
            elif kind < _PROGRAMS + _ROWS + _RANDOM:
                piece = draw.randbytes(length)
            else:
                file.seek(length, os.SEEK_CUR)
                continue
            file.write(piece.ljust(length, b"\0"))
        file.truncate(size)


def change(path: Path, changed: int, run: int = 100 * KIB, seed: int = 2) -> list[tuple[int, int]]:
    """Overwrite `changed` bytes in runs of `run` bytes at places that are multiples of 4 KiB; answers where, as
    (offset, length) in ascending order."""
    draw = random.Random(seed)  # noqa: S311
    size = path.stat().st_size
    wanted = changed // run
    places: set[int] = set()
    while len(places) < wanted:
        place = draw.randrange(0, size - run, 4 * KIB)
        if all(abs(place - other) > run for other in places):
            places.add(place)
    with path.open("r+b") as file:
        for place in sorted(places):
            file.seek(place)
            file.write(draw.randbytes(run))
    return [(place, run) for place in sorted(places)]


def _taken(pieces: Iterator[bytes], length: int) -> bytes:
    """The next `length` bytes; fewer where there are no more."""
    taken = bytearray()
    while len(taken) < length:
        piece = next(pieces, None)
        if piece is None:
            break
        taken += piece
    return bytes(taken[:length])


def _programs() -> Iterator[bytes]:
    """Files as a file system lays them out, each beginning at 4 KiB."""
    for folder in ("/usr/bin", "/usr/lib", "/usr/share"):
        for at, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                path = Path(at) / name
                if not path.is_symlink() and path.is_file() and path.stat().st_size < 64 * MIB:
                    content = path.read_bytes()
                    yield content.ljust(-(-len(content) // 4096) * 4096, b"\0")


def _rows(draw: random.Random) -> Iterator[bytes]:
    """Pages of 8 KiB, three quarters full of residents: one of 256 names each, and twelve digits."""
    names = [
        f"|{draw.choice(_FAMILY)}{''.join(draw.sample(_GIVEN, 2))}|{draw.randrange(1925, 2026)}|".encode()
        for _ in range(256)
    ]
    rows = 6 * KIB // (len(names[0]) + 12)
    while True:
        chosen = map(names.__getitem__, draw.randbytes(rows))
        digits = draw.randbytes(6 * rows).hex().encode()
        numbers = (digits[at : at + 12] for at in range(0, len(digits), 12))
        yield b"".join(chain.from_iterable(zip(chosen, numbers, strict=True))).ljust(8 * KIB, b"\0")
