"""The memory that disks are read into, which has to be used again.

The Python binding of libnbd 1.14 never gives back a buffer that it was handed for a request of which it does
not wait for the end. So there is one store of buffers for the whole process, of a few sizes, and it holds
as many as were ever in use at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from control_plane.drivers.backup_source import PIECE

SIZES = (PIECE, PIECE // 4, PIECE // 16)

_kept: dict[int, deque[Any]] = {size: deque() for size in SIZES}


def cut(pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Offsets and lengths of which all but what is shorter than the smallest have one of the sizes."""
    for offset, length in pieces:
        for size in SIZES:
            while length >= size:
                yield offset, size
                offset, length = offset + size, length - size  # noqa: PLW2901
        if length:
            yield offset, length


def take(size: int, make: type[Any]) -> Any:
    """One of that size which nobody uses; `make` is libnbd's type of buffers."""
    try:
        return _kept[size].pop()
    except IndexError:
        return make(size)


def give_back(buffer: Any) -> None:
    _kept[buffer.size()].append(buffer)
