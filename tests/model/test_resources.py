"""What fits into what."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from control_plane.model.units import NOTHING, MiB, Resources, VCpu

amounts = st.builds(Resources, st.integers(0, 512).map(VCpu), st.integers(0, 1 << 22).map(MiB))


@given(amounts, amounts)
def test_something_fits_exactly_where_nothing_is_short(size, room):
    assert size.fits_in(room) == (size.shortfall_in(room) == NOTHING)


@given(amounts, amounts)
def test_adding_the_shortfall_is_enough_and_no_more_than_needed(size, room):
    short = size.shortfall_in(room)
    assert size.fits_in(room + short)
    if short.vcpu:
        assert not size.fits_in(room + Resources(VCpu(short.vcpu - 1), short.memory))
    if short.memory:
        assert not size.fits_in(room + Resources(short.vcpu, MiB(short.memory - 1)))


@given(amounts, amounts)
def test_taking_away_what_was_added_changes_nothing(one, other):
    assert (one + other) - other == one
