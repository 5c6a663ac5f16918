"""What every driver promises of asking an isolated server over HTTP, as a test that each driver passes unchanged.

The guest of a server that boots answers `/health` at port 80 with its name, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.drivers.guest import HttpProbe, ProbeResult
from control_plane.drivers.protocol import (
    HostDriver,
    NoSuchServer,
    ProbeImpossible,
    RunState,
    ServerSpec,
)
from control_plane.model.health import Miss
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from tests.drivers.contract import TwoHosts, launch, prepare, state

PATIENCE = Seconds(5)


def asked(
    driver: HostDriver,
    spec: ServerSpec,
    path: str = "/health",
    port: int = 80,
    *addresses: str,
) -> ProbeResult:
    probe = HttpProbe(addresses or (spec.address,), port, path, PATIENCE)
    return driver.probe(spec.id, probe)


class ProbeContract:
    def test_an_isolated_server_is_asked_by_its_driver(self, hosts: TwoHosts) -> None:
        spec = replace(hosts.spec(boots=True), isolated=True)
        prepare(hosts.first, spec)
        assert asked(hosts.first, spec).miss is Miss.NOT_RUNNING
        hosts.first.start(spec.id)
        assert state(hosts.first, spec) is RunState.RUNNING
        seen: list[ProbeResult] = []

        def answers() -> bool:
            seen.append(asked(hosts.first, spec))
            return seen[-1].status == 200

        hosts.until(answers)
        assert b'"server"' in asked(hosts.first, spec).body
        assert asked(hosts.first, spec, "/nothing").status == 404
        closed = asked(hosts.first, spec, "/health", 81)
        assert (closed.status, closed.miss) == (None, Miss.CLOSED)
        assert asked(hosts.first, spec, "/health", 80, "10.1.2.3/24").miss is Miss.NOBODY
        had_before = f"{spec.address.rpartition('.')[0]}.99/24"
        found = asked(hosts.first, spec, "/health", 80, had_before, spec.address)
        assert found.status == 200
        hosts.first.destroy(spec.id, spec.generation)

    def test_only_what_is_isolated_is_asked(self, hosts: TwoHosts) -> None:
        spec = hosts.spec()
        launch(hosts.first, spec)
        with pytest.raises(ProbeImpossible):
            asked(hosts.first, spec)
        with pytest.raises(NoSuchServer):
            asked(hosts.first, replace(spec, id=ServerId("nobody")))
