"""Empties a host whose operators want it for maintenance, a few servers at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from control_plane.admission import move
from control_plane.drivers.world import Clock
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Confirmed, Suspect, Up
from control_plane.model.ids import HostId, ServerId
from control_plane.model.operation import Event
from control_plane.model.pool import Duty, Host
from control_plane.model.units import Seconds
from control_plane.model.workload import Moving, Placed, Server
from control_plane.reconcile import narration
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, LostRace, Store, hosts_of

_SILENT = "silent"
_FAILING = "failing"
_NO_ROOM = "no-room"


@dataclass(slots=True)
class _Course:
    """How one host's drain goes. `said`: what operators were told that it is stuck on (a server, or one
    of the words above) since a server last left. `waits`: the servers of which they were told that they wait for
    something that is not room, which nobody's leaving changes."""

    carried: int
    silent_since: Seconds | None = None
    said: set[str] = field(default_factory=set)
    waits: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Draining:
    """What finds no place is asked about again after a while, since asking costs a search."""

    store: Store
    clock: Clock
    timings: Timings
    _courses: dict[HostId, _Course] = field(default_factory=dict)
    _not_before: dict[ServerId, Seconds] = field(default_factory=dict)

    def advance(
        self,
        hosts: Sequence[Host],
        servers: Sequence[Server],
        put_off: Collection[ServerId],
        lease: Lease,
        at: datetime,
        *,
        answering: Collection[HostId] = frozenset(),
    ) -> int:
        """Begin as many moves as may run at once; a host that is empty goes into maintenance.
        Servers in `put_off` stay where they are for now. A suspect host is emptied too while it is
        among those `answering`. Returns how many hosts or servers changed.
        """
        changed = 0
        for host in hosts:
            if host.duty is not Duty.DRAINING:
                self._courses.pop(host.id, None)
                continue
            carried = [s for s in servers if host.id in hosts_of(s.placement)]
            course = self._follow(host.id, len(carried))
            match host.health:
                case Up():
                    course.silent_since = None
                case Suspect() if host.id in answering:
                    course.silent_since = None
                case Suspect() | Confirmed() if carried:
                    self._wait_for_answer(host, course, lease, at)
                    continue
                case _:
                    continue
            if carried:
                staying = [s for s in carried if not s.deleting]
                moving = sum(isinstance(s.placement, Moving) for s in carried)
                waiting = [s for s in staying if s.id not in put_off]
                changed += self._move_some(host, course, waiting, moving, lease=lease, at=at)
                if staying and not waiting:
                    self._say_failing(host, course, staying, lease, at)
            else:
                changed += self._end(host, lease, at)
        return changed

    def _follow(self, host: HostId, carried: int) -> _Course:
        course = self._courses.setdefault(host, _Course(carried))
        if carried < course.carried:
            course.said.clear()
        course.carried = carried
        return course

    def _end(self, host: Host, lease: Lease, at: datetime) -> int:
        with self.store.write(lease) as tx:
            if tx.servers(host=host.id):
                return 0
            tx.save_host(replace(tx.host(host.id), duty=Duty.MAINTENANCE))
            tx.add_event(narration.drained(host.id, at))
        self._courses.pop(host.id, None)
        return 1

    def _move_some(
        self,
        host: Host,
        course: _Course,
        waiting: Sequence[Server],
        moving: int,
        *,
        lease: Lease,
        at: datetime,
    ) -> int:
        now = self.clock.monotonic()
        ready = [
            server
            for server in waiting
            if server.placement == Placed(host.id) and now >= self._not_before.get(server.id, now)
        ]
        # The servers that matter least move first: should the host die meanwhile, the move of a
        # resident-record system is not what is in the way of its restart.
        ready.sort(key=lambda s: (-s.tier, s.id))
        begun = 0
        for server in ready:
            if moving + begun >= self.timings.migrations_at_once:
                break
            try:
                move(self.store, server.id, None, lease)
                begun += 1
            except LostRace:
                continue
            except YuiError as refusal:
                self._not_before[server.id] = Seconds(now + self.timings.retry_most / 2)
                said = narration.drain_stuck(host.id, refusal.en, refusal.ja, at)
                if refusal.type != _NO_ROOM:
                    self._say(course.waits, server.id, said, lease)
                    continue
                self._say(course.said, server.id, said, lease)
                break
        return begun

    def _wait_for_answer(self, host: Host, course: _Course, lease: Lease, at: datetime) -> None:
        """It may be back in a moment, so this is said of a longer silence alone."""
        now = self.clock.monotonic()
        if course.silent_since is None:
            course.silent_since = now
        if now - course.silent_since >= self.timings.ask_for_word_after:
            en = "it does not answer, so nothing can be moved off it. The drain goes on once it answers; once it is fenced, its servers restart elsewhere."
            ja = "応答がないため、サーバーを移動できません。応答が戻ればドレインを続け、隔離できればサーバーを他のホストで再起動します。"
            self._say(course.said, _SILENT, narration.drain_stuck(host.id, en, ja, at), lease)

    def _say_failing(
        self, host: Host, course: _Course, staying: Sequence[Server], lease: Lease, at: datetime
    ) -> None:
        first, count = staying[0].name, len(staying)
        en = f"moving the servers that are left ({count}, first: {first}) failed again and again. Each is tried again after a while."
        ja = f"残りのサーバー {count} 台({first} など)の移動に繰り返し失敗しました。しばらくしてから再試行します。"
        self._say(course.said, _FAILING, narration.drain_stuck(host.id, en, ja, at), lease)

    def _say(self, said: set[str], about: str, event: Event, lease: Lease) -> None:
        if about in said:
            return
        said.add(about)
        with self.store.write(lease) as tx:
            tx.add_event(event)
