"""Parts of disks, merged and rounded: no byte that is to be read is ever left out."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.backup_source import PIECE, Extent
from control_plane.drivers.extents import aligned, merged, pieces, within

SIZE = 200
UNTOLD, ZERO, DATA = range(3)
disks = st.lists(st.integers(UNTOLD, DATA), min_size=1, max_size=SIZE)


def extents_of(disk: list[int]) -> list[Extent]:
    """One for each byte that is told at all."""
    return [Extent(at, 1, kind == DATA) for at, kind in enumerate(disk) if kind != UNTOLD]


def bytes_of(extents: list[Extent], size: int) -> list[int]:
    disk = [UNTOLD] * size
    for extent in extents:
        for at in range(extent.offset, extent.end):
            assert disk[at] == UNTOLD
            disk[at] = DATA if extent.data else ZERO
    return disk


@given(disks)
def test_merging_changes_nothing_but_the_number_of_extents(disk: list[int]) -> None:
    once = list(merged(extents_of(disk)))
    assert bytes_of(once, len(disk)) == disk
    assert all(a.end < b.offset or a.data != b.data for a, b in pairwise(once))


@given(disks, st.integers(1, 16))
def test_whatever_touches_a_unit_makes_all_of_it_told_and_zero_only_where_all_is_zero(
    disk: list[int], unit: int
) -> None:
    told = bytes_of(list(aligned(extents_of(disk), unit, len(disk))), len(disk))
    for begin in range(0, len(disk), unit):
        kinds = set(disk[begin : begin + unit])
        expected = kinds.pop() if len(kinds) == 1 else DATA
        assert set(told[begin : begin + unit]) == {expected}


@given(disks, st.data())
def test_within_bounds_is_what_lies_in_both(disk: list[int], data: st.DataObject) -> None:
    bounds = data.draw(st.lists(st.booleans(), min_size=len(disk), max_size=len(disk)))
    limits = merged(Extent(at, 1, True) for at, kept in enumerate(bounds) if kept)
    told = bytes_of(list(within(merged(extents_of(disk)), limits)), len(disk))
    expected = [kind if kept else UNTOLD for kind, kept in zip(disk, bounds, strict=True)]
    assert told == expected


@given(st.integers(0, 3 * PIECE), st.integers(0, 3 * PIECE))
def test_pieces_are_small_and_leave_nothing_out(offset: int, length: int) -> None:
    place = offset
    for at, size in pieces([Extent(offset, length, True), Extent(offset + length, 9, False)]):
        assert at == place
        assert 0 < size <= PIECE
        assert at // PIECE == (at + size - 1) // PIECE
        place += size
    assert place == offset + length
