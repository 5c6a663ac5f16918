"""A host's agent, which believes nothing unchecked, finds every plan in order."""

from __future__ import annotations

from hypothesis import given, settings

from control_plane.model.host_network_json import from_json, to_json
from control_plane.model.host_network_plan import NetworkFacts
from deploy.host_agent.yui_network_agent.plan import read_plan
from tests.model.test_host_network_plan import facts, plans
from tests.thoroughness import examples


@settings(max_examples=examples(10), deadline=None)
@given(facts())
def test_every_plan_is_one_that_an_agent_takes(world: NetworkFacts) -> None:
    for host, plan in plans(world).items():
        assert from_json(to_json(plan)) == plan
        read_plan(to_json(plan), host)
