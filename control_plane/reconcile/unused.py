"""Finds out why a host that waits to be taken into use isn't, so that operators need not guess."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, Sign, World
from control_plane.model.ids import HostId
from control_plane.model.pool import Host
from control_plane.model.units import Seconds
from control_plane.reconcile.detection import Hearing
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease


@dataclass(frozen=True, slots=True)
class Why:
    """What stands in the way, as the end of a sentence without its stop."""

    en: str
    ja: str


@dataclass(slots=True)
class Unused:
    """Asks hosts that are not heard, beside the tick, and gives each reason once per host until the
    host can be cleaned. What is remembered here only keeps people from being told twice."""

    world: World
    timings: Timings
    _heard: set[HostId] = field(default_factory=set)
    _since: dict[HostId, Seconds] = field(default_factory=dict)
    _asked: UnderWay[HostId, None, str | None] = field(init=False)
    _not_before: dict[HostId, Seconds] = field(default_factory=dict)
    _told: dict[HostId, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked = UnderWay(self.world, Lane.CARE)

    def look(self, host: Host, hearing: Hearing, lease: Lease) -> Why | None:
        """What is new to tell of a host that is to be cleaned."""
        now = self.world.clock.monotonic()
        reached, signs = hearing.reached, hearing.of(host.id)
        answers = signs.get(reached) is Sign.ALIVE
        silent = sorted(channel for channel, sign in signs.items() if sign is Sign.SILENT)
        if answers and not silent:
            self._heard.add(host.id)
            self._since.pop(host.id, None)
            return None
        if now - self._since.setdefault(host.id, now) < self._patience(host.id):
            return None
        if answers:
            heard = ", ".join(silent)
            return self.new(
                host.id,
                Why(
                    f"it answers on {reached}, yet nothing is heard of it on {heard}",
                    f"{reached} では応答がありますが、{heard} で応答がありません",
                ),
            )
        found = self._ask(host, now, lease)
        if found is None:
            return None
        return self.new(host.id, Why(f"it does not answer: {found}", f"応答がありません({found})"))

    def new(self, host: HostId, why: Why) -> Why | None:
        """`why`, unless it has been told of the host before."""
        told = self._told.setdefault(host, set())
        if why.en in told:
            return None
        told.add(why.en)
        return why

    def forget(self, host: HostId) -> None:
        """The host is used; what keeps it from that another time is news."""
        for memory in (self._since, self._not_before, self._told):
            memory.pop(host, None)
        self._heard.discard(host)

    def _patience(self, host: HostId) -> Seconds:
        """A host that was heard of may be starting again, which takes its time."""
        return self.timings.retry_most if host in self._heard else self.timings.suspect_after

    def _ask(self, host: Host, now: Seconds, lease: Lease) -> str | None:
        """What came of asking it: the reason, or None where there is none yet."""
        if host.id not in self._asked:
            if now < self._not_before.get(host.id, now):
                return None
            self._asked.begin(host.id, None, lambda: self._refusal(host), lease)
        answer = self._asked.take(host.id, lease)
        if answer is None:
            return None
        self._not_before[host.id] = Seconds(now + self.timings.retry_most)
        _, pending = answer
        return pending.result()

    def _refusal(self, host: Host) -> str | None:
        try:
            self.world.driver(host).list_servers()
        except (DriverError, TimeoutError) as error:
            return str(error).rstrip(".") or "it took too long"
        except Exception as error:  # one host's trouble must not stop the care for the others
            return f"{type(error).__name__}: {error}".rstrip(".")
        return None
