"""What every driver promises of running hooks in a guest, as tests that each driver passes unchanged.

The guest has the hooks `dump` (a second; ends well, saying how many tables last of all), `breaks` (ends with
status 3, and its last line holds what a terminal would obey), `chatters` (prints 12 MB) and `lingers` (which
leaves a trace each second and never ends).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol

import pytest

from control_plane.drivers.backup_source import Consistency
from control_plane.drivers.guest import GuestHook, HookResult
from control_plane.drivers.protocol import DriverError, HostDriver, NoSuchServer, ServerSpec
from control_plane.model.backup.dumps import HookEnd
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds
from tests.drivers.contract import BRIEFLY, LONG, TwoHosts


class HostsWithHooks(TwoHosts, Protocol):
    def boot_with_agent(self, driver: HostDriver) -> ServerSpec: ...

    def traces(self, spec: ServerSpec) -> list[str]:
        """What hooks have left in the guest."""
        ...

    def wait(self, seconds: Seconds) -> None: ...


def run(
    driver: HostDriver,
    spec: ServerSpec,
    name: str,
    timeout: Seconds = LONG,
    wanted: Callable[[], bool] = lambda: True,
) -> HookResult:
    return driver.run_hook(spec.id, GuestHook(name, timeout), wanted)


class HookContract:
    """One test: a guest is costly to boot."""

    def test_hooks_run_to_their_end_or_are_stopped_and_say_how_it_went(
        self, hosts: HostsWithHooks
    ) -> None:
        spec = hosts.boot_with_agent(hosts.first)
        went = run(hosts.first, spec, "dump")
        assert (went.end, went.exit_status, went.said) == (HookEnd.DONE, 0, "3 tables.")
        assert went.seconds >= 1
        assert hosts.traces(spec) == ["dumped"]
        went = run(hosts.first, spec, "breaks")
        assert (went.end, went.exit_status) == (HookEnd.FAILED, 3)
        assert went.said == "disk [31m full"
        went = run(hosts.first, spec, "chatters")
        assert (went.end, went.said) == (HookEnd.DONE, "the end"), went
        went = run(hosts.first, spec, "forgotten")
        assert (went.end, went.exit_status) == (HookEnd.FAILED, 127)
        assert "/etc/yui/backup-hooks/forgotten" in went.said

        assert run(hosts.first, spec, "lingers", BRIEFLY).end is HookEnd.TIMED_OUT
        asked = count()
        stopped = run(hosts.first, spec, "lingers", wanted=lambda: next(asked) < 3)
        assert stopped.end is HookEnd.STOPPED
        hosts.wait(Seconds(1.5))
        left = hosts.traces(spec)
        hosts.wait(Seconds(2.5))
        assert hosts.traces(spec) == left

        with hosts.first.open_backup(
            spec, checkpoint="after-hooks", since=None, quiesce=True
        ) as source:
            assert source.consistency is Consistency.QUIESCED
        with pytest.raises(DriverError):
            run(hosts.first, spec, "../../bin/sh")
        hosts.first.destroy(spec.id, spec.generation)
        assert run(hosts.first, spec, "dump").end is HookEnd.AT_REST
        with pytest.raises(NoSuchServer):
            hosts.first.run_hook(ServerId("nobody"), GuestHook("dump", LONG), lambda: True)

    def test_a_guest_without_an_agent_runs_nothing(self, hosts: HostsWithHooks) -> None:
        spec = hosts.spec()
        hosts.first.ensure_image(spec.image)
        hosts.first.ensure_volume(spec)
        hosts.first.define(spec)
        hosts.first.start(spec.id)
        assert run(hosts.first, spec, "dump").end is HookEnd.NO_AGENT
