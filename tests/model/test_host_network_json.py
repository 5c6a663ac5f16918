"""What a host is told about its network survives the way to it, byte for byte."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.model.host_network import HostNetwork, Passage, Port, PortRule, Segment
from control_plane.model.host_network_json import from_json, to_json
from control_plane.model.ids import HostId, ServerId
from control_plane.model.network import Direction, PortRange, Protocol
from control_plane.model.pool import Zone

_addresses = st.ip_addresses(v=4)
_networks = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    _addresses,
    st.integers(0, 32),
)
_ranges = st.none() | st.tuples(st.integers(1, 65_535), st.integers(1, 65_535)).map(
    lambda ends: PortRange(min(ends), max(ends))
)
_rules = st.builds(
    PortRule,
    st.sampled_from(Direction),
    st.sampled_from(Protocol),
    _ranges,
    st.lists(_networks, max_size=2).map(tuple),
)
_ports = st.builds(
    Port,
    st.sampled_from([ServerId("s-1"), ServerId("s-2")]),
    st.just("52:54:00:00:00:01"),
    _addresses,
    st.lists(_rules, max_size=2).map(tuple),
)
_segments = st.builds(
    Segment,
    st.integers(1, 2**24 - 1),
    st.sampled_from(Zone),
    st.lists(
        st.builds(lambda a, n: IPv4Interface((a, n)), _addresses, st.integers(8, 30)), max_size=2
    ).map(tuple),
    st.lists(_addresses, max_size=2).map(tuple),
    st.lists(_ports, max_size=2).map(tuple),
)
_plans = st.builds(
    HostNetwork,
    st.just(HostId("kyoto-1")),
    _addresses,
    st.lists(_segments, max_size=2).map(tuple),
    st.lists(
        st.builds(Passage, _networks, _networks, st.sampled_from(Protocol), _ranges), max_size=2
    ).map(tuple),
)


@given(_plans)
def test_a_plan_comes_back_from_its_bytes_as_it_was(plan: HostNetwork) -> None:
    assert from_json(to_json(plan)) == plan
    assert to_json(from_json(to_json(plan))) == to_json(plan)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"host":"a"}', b'{"host":"a","tunnel_address":"10.0.0.256"}', b"\xff"],
)
def test_what_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(content)
