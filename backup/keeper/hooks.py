"""What guests run around the moment at which their disks are held: the dumps of a policy.

Nothing is frozen meanwhile, and nothing of it is on record before there is a point: where the control plane
dies, the next run has all hooks run anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from backup.keeper.sources import Readable, ReadableServer
from control_plane.drivers.guest import GuestHook, HookResult
from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, Pending, World
from control_plane.model.backup.dumps import Dump, HookEnd, HookRun
from control_plane.model.backup.work import Trouble
from control_plane.model.ids import ServerId
from control_plane.model.units import Seconds

_LOOK = Seconds(0.5)
_NEVER_BEGAN = (HookEnd.NO_AGENT, HookEnd.FORBIDDEN, HookEnd.AT_REST)


class DumpFailed(Exception):
    """A dump that a point must not be without."""

    def __init__(self, why: Trouble) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True, slots=True)
class _Asked:
    each: ReadableServer
    name: str
    before: bool
    pending: Pending[HookResult]


@dataclass(slots=True)
class Hooks:
    """`pulse` is called again and again while hooks run that are waited for, and raises what ends them."""

    world: World
    readable: Readable
    dumps: Sequence[Dump]
    pulse: Callable[[], None]
    _ran: defaultdict[ServerId, list[HookRun]] = field(default_factory=lambda: defaultdict(list))
    _clearing: list[_Asked] = field(default_factory=list)

    def before(self) -> None:
        """All servers' at once. Raises DumpFailed, DriverError, and what `pulse` raises."""
        given_up = False
        asked = [
            self._ask(each, dump.before, dump, before=True, wanted=lambda: not given_up)
            for each, dump in self._dumped()
        ]
        try:
            self._await(asked)
        except Exception:
            given_up = True
            for one in asked:
                _outcome(one)
            raise
        failures = [error for one in asked if (error := self._note(one)) is not None]
        if failures:
            raise failures[0]
        lacking = [
            (each, run)
            for each, dump in self._dumped()
            for run in self._ran[each.server.id]
            if dump.required and not run.well
        ]
        if lacking:
            self.begin_after()
            raise DumpFailed(
                Trouble(
                    " ".join(run.sentence_en(each.server.name) for each, run in lacking),
                    "".join(run.sentence_ja(each.server.name) for each, run in lacking),
                )
            )

    def begin_after(self) -> None:
        """Where something has begun before. They run to their end, whoever waits for them or not."""
        for each, dump in self._dumped():
            began = any(run.end not in _NEVER_BEGAN for run in self._ran[each.server.id])
            if dump.after is not None and began:
                self._clearing.append(
                    self._ask(each, dump.after, dump, before=False, wanted=lambda: True)
                )

    def settle(self) -> None:
        """Wait for the end of what runs after. Raises what `pulse` raises."""
        clearing, self._clearing = self._clearing, []
        self._await(clearing)
        for one in clearing:
            error = self._note(one)
            if error is not None:
                failed = HookRun(one.name, False, HookEnd.FAILED, 0.0, said=str(error))
                self._ran[one.each.server.id].append(failed)

    def of(self, server: ServerId) -> tuple[HookRun, ...]:
        """What was run in its guest."""
        return tuple(self._ran[server])

    def _dumped(self) -> list[tuple[ReadableServer, Dump]]:
        by_role = {dump.role: dump for dump in self.dumps}
        return [
            (each, by_role[each.server.role])
            for each in self.readable.servers
            if each.server.role in by_role
        ]

    def _ask(
        self,
        each: ReadableServer,
        name: str,
        dump: Dump,
        *,
        before: bool,
        wanted: Callable[[], bool],
    ) -> _Asked:
        hook = GuestHook(name, Seconds(dump.timeout_minutes * 60))
        run = partial(self.world.driver(each.host).run_hook, each.server.id, hook, wanted)
        return _Asked(each, name, before, self.world.submit(run, Lane.DUMP))

    def _await(self, asked: Sequence[_Asked]) -> None:
        while not all(one.pending.done() for one in asked):
            self.pulse()
            self.world.clock.sleep(_LOOK)

    def _note(self, one: _Asked) -> Exception | None:
        found = _outcome(one)
        if isinstance(found, Exception):
            return found
        self._ran[one.each.server.id].append(
            HookRun(one.name, one.before, found.end, found.seconds, found.exit_status, found.said)
        )
        return None


def _outcome(one: _Asked) -> HookResult | DriverError:
    try:
        return one.pending.result()
    except DriverError as error:
        return error
