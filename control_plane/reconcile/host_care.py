"""Walks each host through its health: well, suspect, confirmed, fenced, cleaned, well again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from control_plane.drivers.world import Sign, World
from control_plane.model.fence import FenceEvidence, FenceKind, FenceMethod, FenceWord
from control_plane.model.host_health import Cleaning, Confirmed, Fenced, HostHealth, Suspect, Up
from control_plane.model.ids import HostId
from control_plane.model.operation import Event
from control_plane.model.pool import Duty, Host
from control_plane.model.units import Seconds
from control_plane.reconcile import narration
from control_plane.reconcile.detection import Hearing, Silences, judge
from control_plane.reconcile.fencing import Attempt, Cause, Fencing
from control_plane.reconcile.health_record import insist, write_health
from control_plane.reconcile.intake import Intake
from control_plane.reconcile.records import Records
from control_plane.reconcile.timings import Timings
from control_plane.store import Lease, Store, Transaction

OPERATOR = "operator"
"""The channel by which a person, or a power cut that a person asked for, confirms a death."""


@dataclass(slots=True)
class HostCare:
    store: Store
    world: World
    records: Records
    timings: Timings
    _silences: Silences = field(default_factory=Silences)
    _fencing: Fencing = field(init=False)
    _intake: Intake = field(init=False)
    _watched_since: dict[HostId, Seconds] = field(default_factory=dict)
    _listened_at: Seconds = Seconds(float("-inf"))
    _last_heard: dict[HostId, Seconds] = field(default_factory=dict)
    _words_waiting: dict[HostId, tuple[FenceWord, Seconds]] = field(default_factory=dict)
    _suspect_since: dict[HostId, tuple[Seconds, bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fencing = Fencing(self.world, self.timings)
        self._intake = Intake(self.store, self.world, self.timings)

    def listen(self, hosts: Sequence[Host]) -> Hearing:
        began = self.world.clock.now()
        self._note_listening(hosts)
        channels = self.world.channels()
        pairs = [(host, channel) for host in hosts for channel in channels]
        heard = self.world.run_all([partial(channel.listen, host) for host, channel in pairs])
        signs: dict[HostId, dict[str, Sign]] = {host.id: {} for host in hosts}
        for (host, channel), sign in zip(pairs, heard, strict=True):
            # A channel that fails to listen knows nothing; that is not the host's silence.
            signs[host.id][channel.name] = sign if isinstance(sign, Sign) else Sign.UNKNOWN
        return Hearing(began, channels[0].name, signs)

    def _note_listening(self, hosts: Sequence[Host]) -> None:
        """Since when this process has listened to each host without a gap."""
        now = self.world.clock.monotonic()
        if now - self._listened_at > self.timings.gap:
            self._watched_since.clear()
            self._suspect_since.clear()
        self._listened_at = now
        for host in hosts:
            self._watched_since.setdefault(host.id, now)

    def judge(self, hosts: Sequence[Host], hearing: Hearing, lease: Lease) -> int:
        at, now = self.world.clock.now(), self.world.clock.monotonic()
        changes = 0
        for host in hosts:
            silent_for = self._silences.hear(host.id, hearing.of(host.id), now, self.timings.gap)
            health = judge(host.health, hearing.of(host.id), silent_for, self.timings, at)
            if health != host.health:
                changes += write_health(self.store, lease, host, health, at)
            heard = Sign.ALIVE in hearing.of(host.id).values()
            if heard:
                self._last_heard[host.id] = now
            self._ask_for_word(host.id, health, heard, lease)
        return changes

    def _ask_for_word(self, host: HostId, health: HostHealth, heard: bool, lease: Lease) -> None:
        """A host that stays suspect, because no second channel can tell, needs a person's eyes."""
        now = self.world.clock.monotonic()
        if heard or not isinstance(health, Suspect):
            self._suspect_since.pop(host, None)
            return
        since, told = self._suspect_since.setdefault(host, (now, False))
        if not told and now - since >= self.timings.ask_for_word_after:
            self._suspect_since[host] = (since, True)
            self._say(narration.word_wanted(host, health.channel, self._now()), lease)

    def fence(self, hosts: Sequence[Host], hearing: Hearing, lease: Lease) -> int:
        """Act on operators' words, and pursue the hosts whose death is confirmed."""
        words = {word.host: word for word in self.records.fence_words()}
        by_id = {host.id: host for host in hosts}
        changes = 0
        for word in words.values():
            if word.method is FenceMethod.WORD and word.host in by_id:
                changes += self._take_word(word, by_id[word.host], hearing, lease)
        asked = {w.host: w for w in words.values() if w.method is FenceMethod.POWER_OFF}
        pursued = [
            host
            for host in hosts
            if host.id in asked or (host.id not in words and self._helps_to_fence(host, hosts))
        ]
        for attempt in self._fencing.pursue(pursued, asked, lease):
            changes += self._end_attempt(attempt, lease)
        return changes

    def _helps_to_fence(self, host: Host, hosts: Sequence[Host]) -> bool:
        """A fence is for starting servers elsewhere: it takes servers, and an elsewhere. Hosts that
        are booting after their site had lost its power are not switched off again for nothing."""
        if not isinstance(host.health, Confirmed):
            return False
        elsewhere = any(
            other.region == host.region
            and isinstance(other.health, Up)
            and other.duty is Duty.IN_SERVICE
            for other in hosts
        )
        if not elsewhere:
            return False
        with self.store.read() as tx:
            return bool(tx.servers(host=host.id))

    def receive_returned(self, hosts: Sequence[Host], hearing: Hearing, lease: Lease) -> int:
        """A fenced host that answers is let in for cleaning, once nothing is recorded on it."""
        at = self.world.clock.now()
        changes = 0
        for host in hosts:
            if (
                not isinstance(host.health, Fenced)
                or not hearing.answers(host.id)
                or host.health.since >= hearing.began  # what was heard may be older than the fence
            ):
                continue
            with self.store.read() as tx:
                if tx.servers(host=host.id):
                    continue
            changes += write_health(
                self.store,
                lease,
                host,
                host.health.returned(at),
                at,
                still=lambda tx, standing: not tx.servers(host=standing.id),
            )
        return changes

    def clean(self, hosts: Sequence[Host], hearing: Hearing, lease: Lease) -> int:
        """Begin to clean hosts that enter or return, and take those into use that are clean."""
        return self._intake.advance(hosts, hearing, lease)

    def _now(self) -> datetime:
        return self.world.clock.now()

    def _say(self, event: Event, lease: Lease) -> None:
        with self.store.write(lease) as tx:
            tx.add_event(event)

    def _take_word(self, word: FenceWord, host: Host, hearing: Hearing, lease: Lease) -> int:
        """A person's word is believed about a host that nothing hears, never against one that is
        heard. It may be old, or about another host, and a host that is well can be silent for a
        moment: so this process itself must have listened for a while and heard nothing."""
        heard = [name for name, sign in hearing.of(host.id).items() if sign is Sign.ALIVE]
        if not heard:
            now, since = self.world.clock.monotonic(), self._silent_since(host.id)
            if now - since >= self.timings.watch_before_word:
                return self._record_fence(word.evidence(), Cause(None, word), lease)
            if self._words_waiting.get(host.id) != (word, since):
                self._words_waiting[host.id] = (word, since)
                left = Seconds(since + self.timings.watch_before_word - now)
                self._say(narration.word_waits(host.id, word.by, left, self._now()), lease)
            return 0
        with self.store.write(lease) as tx:
            tx.remove_fence_word(host.id)
            at = self.world.clock.now()
            tx.add_event(narration.word_not_believed(host.id, word.by, heard[0], at))
        return 1

    def _silent_since(self, host: HostId) -> Seconds:
        """Since when this process has listened without a gap and heard it on no channel."""
        # One that was described a moment ago is listened to from the next tick on.
        watched = self._watched_since.get(host, self.world.clock.monotonic())
        return max(watched, self._last_heard.get(host, watched))

    def _end_attempt(self, attempt: Attempt, lease: Lease) -> int:
        if attempt.evidence is not None:
            return self._record_fence(attempt.evidence, attempt.cause, lease)
        word = attempt.cause.word
        if attempt.first or word is not None:
            with self.store.write(lease) as tx:
                if word in tx.fence_words():
                    tx.remove_fence_word(attempt.host)
                at = self.world.clock.now()
                tx.add_event(narration.fence_failed(attempt.host, attempt.failures, at))
        return 0 if word is None else 1

    def _record_fence(self, evidence: FenceEvidence, cause: Cause, lease: Lease) -> int:
        """It proves that very death, and answers that very word: not what was confirmed or said after it
        was looked for."""
        at = self.world.clock.now()

        def write(tx: Transaction) -> int:
            standing = tx.host(evidence.host)
            before = standing.health
            by_operator = cause.word in tx.fence_words()
            if not by_operator and cause.death is None:
                return 0  # Another word stands in its place, which is looked at next.
            health = _confirmed_by_operator(before, at) if by_operator else before
            tx.add_fence(evidence)
            if by_operator:
                tx.remove_fence_word(standing.id)
            if isinstance(health, Confirmed) and (by_operator or before == cause.death):
                fenced = health.fence(evidence)
                # Whoever has a host switched off wants it out of use until they return it.
                off = by_operator and evidence.kind is FenceKind.REDFISH_POWER_OFF
                duty = Duty.MAINTENANCE if off else standing.duty
                tx.save_host(replace(standing, health=fenced, duty=duty))
                tx.add_event(narration.health_changed(standing.id, before, fenced, at))
            elif isinstance(health, Fenced | Cleaning):
                if by_operator and evidence.kind is FenceKind.REDFISH_POWER_OFF:
                    tx.save_host(replace(standing, duty=Duty.MAINTENANCE))
                    tx.add_event(narration.kept_off(standing.id, at))
            else:
                tx.add_event(narration.evidence_unused(evidence, at))
            return 1

        return insist(self.store, lease, write)


def _confirmed_by_operator(health: HostHealth, at: datetime) -> HostHealth:
    match health:
        case Up():
            return health.suspect(at, OPERATOR).confirm(at, "fence")
        case Suspect(channel=channel):
            return health.confirm(at, OPERATOR if channel != OPERATOR else "fence")
        case _:
            return health
