"""Merges what a hypervisor says of a disk's parts, and rounds it to the units of whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from control_plane.drivers.backup_source import PIECE, Extent


def merged(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Ascending extents without overlaps; neighbours of one kind become one."""
    last: Extent | None = None
    for extent in extents:
        if not extent.length:
            continue
        if last is not None and last.end == extent.offset and last.data == extent.data:
            last = Extent(last.offset, last.length + extent.length, last.data)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last


def aligned(extents: Iterable[Extent], unit: int, size: int) -> Iterator[Extent]:
    """The same, outwards to multiples of `unit` or the disk's end. Only units that are zero from end to
    end are told as zero."""
    return merged(_rounded(merged(extents), unit, size))


def _rounded(extents: Iterable[Extent], unit: int, size: int) -> Iterator[Extent]:
    told = 0
    for extent in extents:
        first = extent.offset // unit * unit
        last = min(-(-extent.end // unit) * unit, size)
        bounds = [(first, last, True)]
        if not extent.data:
            whole_from = -(-extent.offset // unit) * unit
            whole_to = extent.end if extent.end == size else extent.end // unit * unit
            if whole_from < whole_to:
                bounds = [
                    (first, whole_from, True),
                    (whole_from, whole_to, False),
                    (whole_to, last, True),
                ]
        for begin, end, data in bounds:
            begin = max(begin, told)  # noqa: PLW2901 — what a neighbour's unit has told already
            if begin < end:
                yield Extent(begin, end - begin, data)
                told = end


def within(extents: Iterable[Extent], bounds: Iterable[Extent]) -> Iterator[Extent]:
    """Those parts of `extents` that lie in one of `bounds`; both in ascending order."""
    limits = iter(bounds)
    bound = next(limits, None)
    for extent in extents:
        while bound is not None and bound.offset < extent.end:
            begin, end = max(bound.offset, extent.offset), min(bound.end, extent.end)
            if begin < end:
                yield Extent(begin, end - begin, extent.data)
            if bound.end > extent.end:
                break
            bound = next(limits, None)


def pieces(extents: Iterable[Extent]) -> Iterator[tuple[int, int]]:
    """Offset and length of what is to be read, cut at multiples of PIECE."""
    for extent in extents:
        offset = extent.offset
        while extent.data and offset < extent.end:
            length = min(extent.end, (offset // PIECE + 1) * PIECE) - offset
            yield offset, length
            offset += length
