"""The network agent of a host, as far as it needs no kernel: what it reads, asks, and would make."""

from __future__ import annotations

import ast
import json
import sys
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.http.listening import Listening
from control_plane.http.local_socket import local_socket
from control_plane.http.serve import serve
from control_plane.model.host_network_json import to_json
from deploy.host_agent import yui_network_agent
from deploy.host_agent.yui_network_agent.links import Present, link_changes
from deploy.host_agent.yui_network_agent.plan import Plan, read_plan
from deploy.host_agent.yui_network_agent.rules import (
    Existing,
    Settings,
    compile_rules,
    defined_by,
)
from deploy.host_agent.yui_network_agent.source import NoAnswer, Source
from deploy.local.router import routes_by
from tests.api.conftest import opened
from tests.api.conftest import pool as described_pool
from tests.api.test_serving import free_port, pair
from tests.networks import members
from tests.networks.site import Site

__all__ = ["pair"]
PLACED = {"a-lgwan-1": ["east", "west"], "b-lgwan-1": ["west"]}
SETTINGS = Settings("06:59:0a:62:00:0b")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    unmade = Site(tmp_path_factory.mktemp("site"), ["east", "west"])
    return to_json(members.plan(unmade, "east"))


@pytest.fixture(scope="module")
def plan(content: bytes) -> Plan:
    return read_plan(content, "east")


def test_the_agent_needs_nothing_but_an_old_python() -> None:
    folder = Path(yui_network_agent.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 10))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names, path


def test_a_plan_for_another_host_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not for 'west'"):
        read_plan(content, "west")


_JUNK = st.sampled_from(
    [None, -1, 0, 2**24, 1.5, True, "", "x", '"; flush ruleset', "10.0.0.0/33", [], {}, ["a"], [1]]
)


@given(st.data(), _JUNK)
def test_no_word_of_a_plan_reaches_the_rules_unchecked(
    content: bytes, data: st.DataObject, junk: Any
) -> None:
    """Any one thing in it replaced by junk is refused, or leaves rules of known words."""
    fields = json.loads(content)
    places = list(_places(fields))
    *way, last = data.draw(st.sampled_from(places))
    broken = deepcopy(fields)
    inner = broken
    for step in way:
        inner = inner[step]
    inner[last] = junk
    try:
        made = compile_rules(read_plan(json.dumps(broken).encode(), "east"), SETTINGS, Existing())
    except ValueError:
        return
    assert "flush ruleset" not in made
    assert made.count("flush") == 2
    assert ";;" not in made


def _places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, inner in steps:
        yield (*way, key)
        yield from _places(inner, (*way, key))


def test_equal_plans_give_equal_rules_and_what_is_gone_is_deleted(plan: Plan) -> None:
    rules = compile_rules(plan, SETTINGS, Existing())
    there = defined_by(rules)
    assert compile_rules(plan, SETTINGS, there) == rules
    fewer = replace(plan, segments=plan.segments[1:])
    without = compile_rules(fewer, SETTINGS, there)
    left = defined_by(compile_rules(fewer, SETTINGS, Existing()))
    for kind, before, after in (
        ("chain", there.chains, left.chains),
        ("set", there.sets, left.sets),
    ):
        for family, name in before - after:
            assert f"delete {kind} {family} yui {name}\n" in without
        assert without.count(f"delete {kind} ") == len(before - after) > 0


def test_a_host_with_nothing_to_carry_lets_nothing_of_segments_pass() -> None:
    rules = compile_rules(Plan(IPv4Address("10.0.0.1")), SETTINGS, Existing())
    assert 'iifname "yp*" drop' in rules
    assert "goto passages" not in rules
    assert rules.endswith("\n")


def as_made(plan: Plan, mtu: int) -> Present:
    """What `ip` and `bridge` say of a host where everything is as it must be."""
    links: list[dict[str, Any]] = []
    forwarding: list[dict[str, Any]] = []
    for segment in plan.segments:
        bridge = SETTINGS.bridge_of(segment)
        common = {"ifalias": "yui", "flags": ["UP"], "mtu": mtu}
        addresses = [
            {"family": "inet", "local": str(g.ip), "prefixlen": g.network.prefixlen}
            for g in segment.gateways
        ]
        links.append(
            {**common, "ifname": bridge, "address": SETTINGS.host_mac, "addr_info": addresses,
             "linkinfo": {"info_kind": "bridge"}}
        )  # fmt: skip
        data = {"id": segment.number, "local": str(plan.tunnel_address), "port": 4789}
        links.append(
            {**common, "ifname": segment.tunnel, "master": bridge,
             "linkinfo": {"info_kind": "vxlan", "info_data": data}}
        )  # fmt: skip
        forwarding += [
            {"ifname": segment.tunnel, "mac": "00:00:00:00:00:00", "dst": str(peer)}
            for peer in segment.peers
        ]
    return Present(links, forwarding)


def changed(plan: Plan, present: Present) -> list[str]:
    changes = link_changes(plan, SETTINGS, 1450, present)
    return [*changes.remove, *changes.make, *changes.peers]


def test_where_all_is_as_planned_no_link_is_touched(plan: Plan) -> None:
    assert changed(plan, as_made(plan, 1450)) == []


def test_each_thing_that_drifted_is_put_right_and_nothing_else(plan: Plan) -> None:
    def drifted(name: str, **wrong: Any) -> list[str]:
        present = as_made(plan, 1450)
        links = [{**link, **wrong} if link["ifname"] == name else link for link in present.links]
        return changed(plan, Present(links, present.forwarding))

    assert drifted("s10001", flags=[]) == ["link set dev s10001 up"]
    assert drifted("s10001", mtu=1500) == ["link set dev s10001 mtu 1450"]
    assert drifted("yv10001", master=None) == ["link set dev yv10001 master s10001"]
    assert drifted("s10001", addr_info=[]) == ["address add 10.97.0.17/28 dev s10001"]
    moved = drifted("yv10001", linkinfo={"info_kind": "vxlan", "info_data": {"id": 5}})
    assert moved[0] == "link delete dev yv10001"
    assert "id 10001 local 10.98.0.11" in moved[1]
    lonely = Present(as_made(plan, 1450).links)
    assert changed(plan, lonely) == [
        f"fdb append 00:00:00:00:00:00 dev yv{number} dst 10.98.0.12 self permanent"
        for number in (10_001, 10_002, 10_003)
    ]


def test_a_link_of_somebody_elses_is_left_alone_and_named(plan: Plan) -> None:
    theirs = {
        "ifname": "s10001",
        "address": "aa:bb:cc:dd:ee:ff",
        "linkinfo": {"info_kind": "bridge"},
    }
    changes = link_changes(plan, SETTINGS, 1450, Present([theirs]))
    assert "s10001" in changes.problems[0]
    assert not any("10001" in line for line in [*changes.make, *changes.remove, *changes.peers])
    assert changes.bridges == ["s10002", "s10003"]


def test_a_bridge_goes_with_its_last_card_and_not_before(plan: Plan) -> None:
    present = as_made(plan, 1450)
    fewer = replace(plan, segments=plan.segments[1:])
    assert changed(fewer, present) == ["link delete dev s10001", "link delete dev yv10001"]
    card = {"ifname": "yp5a0000000001", "master": "s10001"}
    still = Present([*present.links, card], present.forwarding)
    changes = link_changes(fewer, SETTINGS, 1450, still)
    assert (changes.remove, changes.leftover) == (["link delete dev yv10001"], ["s10001"])


def test_a_plan_is_asked_for_over_tls_and_at_a_socket(
    tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    """The real API: the plan and its tag, nothing new for who has it, and a word for who may not."""
    socket_path, token_file = tmp_path / "api.sock", tmp_path / "token"
    stop, ready = threading.Event(), threading.Event()
    pool = described_pool()
    for number, host in enumerate(pool["hosts"], 1):
        host["connection"] = {
            "driver": "simulated", "bridge": "s{segment}", "tunnel_address": f"10.9.0.{number}",
        }  # fmt: skip
    with opened(tmp_path / "state.db") as api, local_socket(socket_path) as local:
        assert api.put("/v1/pool", json=pool).status_code == 200
        token_file.write_text(api.operator_token)
        listening = Listening(port=free_port(), certificate=pair[0], key=pair[1])
        serving = threading.Thread(
            target=lambda: serve(api.app, listening, local=local, stop=stop, ready=ready.set)
        )
        serving.start()
        try:
            assert ready.wait(60)
            source = Source(f"unix:{socket_path}", "kyoto-1", str(token_file))
            got = source.ask(None, 0, None)
            assert got is not None
            assert read_plan(got[0], "kyoto-1").tunnel_address in map(
                IPv4Address, (f"10.9.0.{n}" for n in range(1, 7))
            )
            assert got[1] is not None
            assert source.ask(got[1], 0, got[1]) is None
            over_tls = replace(source, place=listening.url, authority=str(pair[0]))
            assert over_tls.ask(None, 0, None) == got
            with pytest.raises(NoAnswer, match="certificate"):
                replace(over_tls, authority=None).ask(None, 0, None)
            with pytest.raises(NoAnswer, match="404"):
                replace(source, host="nowhere").ask(None, 0, None)
            with pytest.raises(NoAnswer, match="401"):
                replace(source, token_file=None).ask(None, 0, None)
        finally:
            stop.set()
            serving.join(60)
    with pytest.raises(NoAnswer, match="does not answer"):
        source.ask(None, 0, None)
    with pytest.raises(NoAnswer, match="neither https"):
        replace(source, place="http://yui.example").ask(None, 0, None)


def test_the_local_router_sends_nothing_to_a_dead_host_or_to_one_without_the_members_servers(
    tmp_path: Path,
) -> None:
    unmade = Site(tmp_path, ["east", "west"])
    east, west = unmade.hosts
    plans = [members.plan(unmade, host, places=PLACED) for host in (east, west)]
    blocks = members.BLOCKS
    assert routes_by(plans, frozenset({east, west})) == {
        blocks["a-lgwan"]: east,
        blocks["b-lgwan"]: west,
    }
    assert routes_by(plans, frozenset({west})) == {
        blocks["a-lgwan"]: west,
        blocks["b-lgwan"]: west,
    }
    assert routes_by(plans, frozenset()) == {}
