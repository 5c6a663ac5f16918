from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.fencing.lease_record import (
    BLOCK,
    LeaseMalformed,
    LeaseRecord,
    decode,
    read_block,
)
from control_plane.model.ids import HostId
from control_plane.model.units import Seconds
from tests.drivers.fencing.samples import lease_block

WHOLE = LeaseRecord(
    host=HostId("kyoto-1"),
    boot_id="8d2f",
    agent="a1",
    sequence=1,
    ttl=Seconds(20.0),
    watchdog=Seconds(15.0),
    armed=True,
)


def test_what_the_host_agent_writes_is_understood():
    assert decode(lease_block()) == WHOLE


@given(position=st.integers(0, BLOCK - 1), other=st.integers(0, 255))
def test_a_changed_byte_never_makes_another_lease_of_it(position, other):
    block = bytearray(lease_block())
    block[position] = other
    try:
        record = decode(bytes(block))
    except LeaseMalformed:
        return
    assert record == WHOLE


@given(length=st.integers(0, BLOCK), sequence=st.integers(2, 10**12))
def test_half_of_one_renewal_over_another_is_one_of_the_two_or_nothing(length, sequence):
    newer = lease_block(sequence=sequence)
    torn = newer[:length] + lease_block()[length:]
    try:
        record = decode(torn)
    except LeaseMalformed:
        return
    assert record in (WHOLE, decode(newer))


@pytest.mark.parametrize(
    "changes",
    [
        {"ttl": 0},
        {"ttl": -1.0},
        {"ttl": float("inf")},
        {"ttl": float("nan")},
        {"ttl": "20"},
        {"ttl": True},
        {"ttl": 1e9},
        {"watchdog": 21.0},
        {"sequence": 0},
        {"sequence": True},
        {"sequence": 1.5},
        {"host": ""},
        {"boot": None},
        {"agent": 7},
        {"interval": -1.0},
        {"interval": None},
    ],
    ids=str,
)
def test_a_lease_without_sense_is_malformed(changes):
    with pytest.raises(LeaseMalformed):
        decode(lease_block(**changes))


@pytest.mark.parametrize("value", ["yes", 1, None], ids=str)
def test_only_a_plain_true_means_armed(value):
    assert decode(lease_block(armed=value)).armed is False


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_lease(data):
    with pytest.raises(LeaseMalformed):
        decode(data)


def test_a_pipe_in_the_files_place_does_not_keep_the_reader_waiting(tmp_path):
    pipe = tmp_path / "lease"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a file"):
        read_block(str(pipe))


def test_a_block_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "lease"
    file.write_bytes(lease_block())
    assert read_block(str(file)) == lease_block()
