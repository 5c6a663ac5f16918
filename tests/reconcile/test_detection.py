"""When a host counts as dead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.world import Sign
from control_plane.model.host_health import Confirmed, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from control_plane.reconcile.detection import Silences, judge
from control_plane.reconcile.timings import Timings

HOST = HostId("kyoto-1")
TIMINGS = Timings()
START = datetime(2026, 4, 1, tzinfo=UTC)
CHANNELS = ("management-network", "storage-heartbeat")

signs = st.fixed_dictionaries({channel: st.sampled_from(Sign) for channel in CHANNELS})


def _watch(history):
    """Health after each second of `history`, beginning well."""
    silences, health, told = Silences(), Up(START), []
    for second, heard in enumerate(history):
        lasting = silences.hear(HOST, heard, Seconds(float(second)), TIMINGS.gap)
        health = judge(health, heard, lasting, TIMINGS, START + timedelta(seconds=second))
        told.append(health)
    return told


@given(st.lists(signs, max_size=40))
def test_a_host_is_never_confirmed_dead_unless_both_channels_were_silent_long_enough(history):
    for second, health in enumerate(_watch(history)):
        if not isinstance(health, Confirmed) or health.since != START + timedelta(seconds=second):
            continue
        for channel in CHANNELS:
            lasting = 0
            for heard in reversed(history[: second + 1]):
                if heard[channel] is not Sign.SILENT:
                    break
                lasting += 1
            # n silent looks in a row span n - 1 seconds
            assert lasting - 1 >= min(TIMINGS.suspect_after, TIMINGS.confirm_after)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                CHANNELS[0]: st.sampled_from(Sign),
                CHANNELS[1]: st.sampled_from([Sign.ALIVE, Sign.UNKNOWN]),
            }
        ),
        max_size=40,
    )
)
def test_one_silent_channel_alone_makes_a_host_no_more_than_suspect(history):
    assert not any(isinstance(health, Confirmed) for health in _watch(history))


def test_a_channel_that_cannot_tell_is_not_taken_for_silence():
    unknown = dict.fromkeys(CHANNELS, Sign.UNKNOWN)
    assert _watch([unknown] * 60)[-1] == Up(START)


def test_silence_on_both_channels_walks_through_suspect_to_confirmed():
    silent = dict.fromkeys(CHANNELS, Sign.SILENT)
    kinds = [type(health) for health in _watch([silent] * 8)]
    assert kinds == [Up, Up, Up, Suspect, Suspect, Confirmed, Confirmed, Confirmed]


def test_an_interrupted_silence_begins_to_count_anew():
    silent = dict.fromkeys(CHANNELS, Sign.SILENT)
    alive = dict.fromkeys(CHANNELS, Sign.ALIVE)
    assert all(isinstance(h, Up) for h in _watch(([silent] * 3 + [alive]) * 5))


def test_a_confirmed_host_heard_again_on_one_channel_is_only_suspect():
    silent = dict.fromkeys(CHANNELS, Sign.SILENT)
    half = {CHANNELS[0]: Sign.SILENT, CHANNELS[1]: Sign.ALIVE}
    health = _watch([silent] * 6 + [half])[-1]
    assert isinstance(health, Suspect)
    assert health.channel == CHANNELS[0]
