"""Makes copies of recovery points where policies want them: the earliest tiers and newest points first,
within what each line between regions has for backups.

A copy that broke off, or gave way to another, goes on where it was, since what was sent is found there. One
whose source is damaged is read from the next repository that holds the point. Whose turn it is says
`turns`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from backup.keeper.collecting import Part
from backup.keeper.copies_under_way import UnderWay, has_begun, is_spoiled, key_of, part_of
from backup.keeper.errands import Errands
from backup.keeper.keyrings import insist_on_no_destruction
from backup.keeper.lines import Lines
from backup.keeper.pace import Pace
from backup.keeper.timings import Timings
from backup.keeper.turns import InLine, turns
from backup.keeper.upkeeping import Upkeeping
from backup.keeper.vaults import OpenVault, Vaults
from backup.keeper.writing import written
from backup.records.agenda import WantedCopy, copies_due
from backup.records.damage import found_damage
from backup.records.estate import Blueprints
from backup.records.runs import begin_copy, finish_copy, progress_copy
from backup.replication import GaveWay, LineStream, Replication
from backup.repository import Damaged, Keyring
from control_plane.drivers.world import Lane, World
from control_plane.model.backup.forecast import bytes_per_second
from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Copying
from control_plane.model.backup.sharing import link_between
from control_plane.model.backup.upkeep import UpkeepWork
from control_plane.model.units import Seconds
from control_plane.store import Lease, Store, Transaction

_NOTHING_COMES = Seconds(60)
"""A line that grants nothing for so long is not waited for by what is to give way."""


@dataclass(slots=True)
class Copies:
    """One at a time of each member into each repository: two would send the same packs twice."""

    store: Store
    world: World
    blueprints: Blueprints
    vaults: Vaults
    timings: Timings
    lines: Lines
    _errands: Errands[UnderWay, int] = field(init=False)
    _waiting: list[WantedCopy] = field(default_factory=list)
    _since: dict[str, Seconds] = field(default_factory=dict)
    _unfinished: dict[str, Part] = field(default_factory=dict)
    _failing: dict[str, str] = field(default_factory=dict)
    """Of each, the part that it is written to."""
    _upkeep: Upkeeping = field(init=False)

    def __post_init__(self) -> None:
        self._errands = Errands(self.world, self.timings, Lane.COPY)
        self._upkeep = Upkeeping(self.store, self.world.clock, UpkeepWork.COPYING)

    @property
    def busy(self) -> bool:
        return bool(len(self._errands))

    def written(self) -> list[Part]:
        """What is being written to."""
        return [part_of(each.wanted) for each in self._errands.things()]

    def unfinished(self) -> list[Part]:
        """Where copies that gave way, or that another keeper began, go on: what they sent is needed by no
        point yet, and not to be collected. Those that failed and are left alone are not among them."""
        return list(self._unfinished.values())

    def settle(self, lease: Lease) -> list[Exception]:
        failures = []
        now = self.world.clock.monotonic()
        # Those that end together wait in the order in which they did before.
        ended = sorted(self._errands.settle(lease), key=lambda each: each.thing.since)
        for place, each in enumerate(ended):
            self._unfinished.pop(each.name, None)
            if isinstance(each.error, GaveWay):
                sending = each.thing.as_running(now).sending
                had_its_turn = sending is not None and sending >= self.timings.copy_turn
                since = Seconds(now + place * 1e-6)
                self._since[each.name] = since if had_its_turn else each.thing.since
                self._unfinished[each.name] = part_of(each.thing.wanted)
                if not each.thing.idle:
                    self._waiting.append(each.thing.wanted)
                continue
            self._since.pop(each.name, None)
            if each.error is not None:
                self._errands.leave_alone(each.name)
                failures.append(each.error)
            self._note(each.name, each.thing.wanted, each.error, lease)
        return failures

    def _note(self, name: str, wanted: WantedCopy, error: Exception | None, lease: Lease) -> None:
        """Damage is on record by itself."""
        part = part_of(wanted)
        if error is None or isinstance(error, Damaged):
            self._failing.pop(name, None)
            if part.name not in self._failing.values():
                self._upkeep.done(part.repository, part.tenant, lease)
        else:
            self._failing[name] = part.name
            self._upkeep.failed(part.repository, part.tenant, error, lease)

    def look(self, lease: Lease) -> None:
        now = self.world.clock.now()
        with self.store.read() as tx:
            due = copies_due(tx, self.blueprints, now)
            links = tx.links()
        under_way = self._errands.things()
        wanted_there = {part_of(one) for one in (*due, *(each.wanted for each in under_way))}
        self._upkeep.only({(one.repository.id, one.tenant) for one in wanted_there}, lease)
        self._failing = {
            key: name for key, name in self._failing.items() if key in {key_of(one) for one in due}
        }
        busy = {(each.wanted.point.id, each.wanted.target.id) for each in under_way}

        def closed(wanted: WantedCopy) -> bool:
            link = link_between(links, wanted.sources[0].region, wanted.target.region)
            return link is not None and not bytes_per_second(link, now)

        for each in under_way:
            each.idle = closed(each.wanted)
        # What lies there damaged is put right object by object.
        due = tuple(each for each in due if not is_spoiled(each))
        self._waiting = [
            each for each in due if (each.point.id, each.target.id) not in busy and not closed(each)
        ]
        keys = {key_of(each) for each in self._waiting}
        running = {key_of(each.wanted) for each in under_way}
        waited = self.world.clock.monotonic()
        self._since = {key: self._since.get(key, waited) for key in keys | running}
        self._unfinished = {
            key_of(each): part_of(each)
            for each in due
            if (has_begun(each) or key_of(each) in self._unfinished)
            and self._errands.may_begin(key_of(each))
        }

    def begin(self, lease: Lease) -> int:
        """How many were begun. Those that are to give way to others are told so."""
        now = self.world.clock.monotonic()
        first: dict[str, WantedCopy] = {}
        for wanted in self._waiting:
            if self._errands.may_begin(key_of(wanted)):
                first.setdefault(key_of(wanted), wanted)
        if not first:
            return 0
        under_way = self._errands.things()
        decided = turns(
            [each.as_running(now) for each in under_way],
            [
                InLine(key, part_of(one).name, one.tier, self._since.setdefault(key, now))
                for key, one in first.items()
            ],
            self.timings.copies_at_once,
            self.timings.copy_turn,
            now,
        )
        for each in under_way:
            each.leaving = each.leaving or key_of(each.wanted) in decided.give_way
        for key in decided.begin:
            self._waiting.remove(first[key])
            thing = UnderWay(first[key], self._since[key], favoured=key == decided.favoured)
            self._errands.begin(key, thing, partial(self._copy, thing, lease), lease)
        return len(decided.begin)

    def _copy(self, thing: UnderWay, lease: Lease) -> int:
        """Bytes that were sent. Raises what stopped it; then it goes on later."""
        wanted = thing.wanted
        failure: Exception | None = None
        for source in wanted.sources:
            try:
                return self._copy_from(source, thing, lease)
            except _DamagedThere as error:
                self._note_damage(wanted.target, wanted, error.damage, lease)
                raise error.damage from None
            except Damaged as error:
                # Nothing of it was sent. Another repository may have it whole.
                self._note_damage(source, wanted, error, lease)
                failure = error
        if failure is None:
            raise LookupError(wanted.point.id)
        raise failure

    def _copy_from(self, source: Repository, thing: UnderWay, lease: Lease) -> int:
        wanted = thing.wanted
        point, target = wanted.point, wanted.target
        insist_on_no_destruction(self.store, target, point.tenant)
        here = self.vaults.open(source, point.tenant)
        with here.vault as vault:
            there = self._open_there(target, vault.keyring)
            with there.vault as copy, self._stream(source, wanted) as stream:
                job = _Job(self, thing, lease, stream, there.objects.sent)
                lock = timedelta(days=target.lock_days)
                replication = Replication(
                    vault,
                    copy,
                    ask=job.ask,
                    ask_for_pack=job.ask_for_pack,
                    look=thing.let_others_in,
                    locked_until=there.objects.now() + lock if lock else None,
                )
                job.begin(sum(replication.lacking(each.point) for each in point.servers))
                try:
                    sent = sum(replication.copy(each.point).sent_bytes for each in point.servers)
                except GaveWay:
                    job.tell()
                    raise
                job.finish(sent)
        return sent

    def _open_there(self, target: Repository, keyring: Keyring) -> OpenVault:
        """Raises _DamagedThere."""
        try:
            return self.vaults.open_copy(target, keyring, lambda: self._nothing_in(target))
        except Damaged as damage:
            raise _DamagedThere(damage) from damage

    def _nothing_in(self, target: Repository) -> bool:
        with self.store.read() as tx:
            points = tx.points_in(target.id)
        return not any(
            copy is not None and not isinstance(copy.standing, Copying)
            for copy in (point.copy_in(target.id) for point in points)
        )

    def _stream(self, source: Repository, wanted: WantedCopy) -> AbstractContextManager[LineStream]:
        return self.lines.stream(
            f"{wanted.target.id}/{wanted.point.id}",
            (source.region, wanted.target.region),
            member=wanted.point.tenant.text,
            tier=wanted.tier,
        )

    def _note_damage(
        self, where: Repository, wanted: WantedCopy, error: Damaged, lease: Lease
    ) -> None:
        point = wanted.point

        def write(tx: Transaction) -> None:
            found_damage(
                tx,
                where.id,
                point.tenant,
                self.world.clock.now(),
                key=error.object,
                what=error.what,
                points=[point.id],
            )

        written(self.store, lease, write)


class _DamagedThere(Exception):
    """It is not the source that is damaged."""

    def __init__(self, damage: Damaged) -> None:
        super().__init__(str(damage))
        self.damage = damage


@dataclass(slots=True)
class _Job:
    """What the record is told of one copy, and what holds it back."""

    copies: Copies
    thing: UnderWay
    lease: Lease
    stream: LineStream
    sent: Callable[[], int]
    _pace: Pace = field(init=False)
    _told_at: Seconds = field(init=False)
    _before: int = 0
    """Bytes that earlier attempts have sent."""

    def __post_init__(self) -> None:
        clock = self.copies.world.clock
        self._pace = Pace(clock, self.thing.wanted.most_mbit_per_s, self.sent)
        self._told_at = clock.monotonic()

    def begin(self, lacking: int) -> None:
        now = self.copies.world.clock.now()
        point, target = self._which

        def write(tx: Transaction) -> None:
            copy = tx.recovery_point(point).copy_in(target)
            standing = None if copy is None else copy.standing
            self._before = standing.done if isinstance(standing, Copying) else 0
            begin_copy(tx, point, target, now, self._before + lacking)

        self._write(write)

    def ask(self, amount: int) -> None:
        """Raises LeaseLost and StepRefused where it is to go on no more, and GaveWay where others are let in
        rather than that they wait for a line which grants nothing."""
        self._pace.keep(self._pulse)
        self._ask_the_line(amount, between_packs=False)

    def ask_for_pack(self, amount: int) -> None:
        """Raises GaveWay wherever others are let in."""
        if self.thing.sending_since is None:
            self.thing.sending_since = self.copies.world.clock.monotonic()
        self.thing.let_others_in()
        self._pace.keep(self._between_packs)
        self._ask_the_line(amount, between_packs=True)

    def _ask_the_line(self, amount: int, *, between_packs: bool) -> None:
        clock = self.copies.world.clock
        owed, since = amount, clock.monotonic()

        def meanwhile() -> None:
            nonlocal owed, since
            self._pulse()
            if self.stream.owed < owed:
                owed, since = self.stream.owed, clock.monotonic()
            # What the line has granted of a pack would be asked for again.
            if (between_packs and owed == amount) or clock.monotonic() - since > _NOTHING_COMES:
                self.thing.let_others_in()

        self.stream.ask(amount, meanwhile)
        self._pulse()

    def finish(self, sent: int) -> None:
        now = self.copies.world.clock.now()
        point, target = self._which
        self._write(lambda tx: finish_copy(tx, point, target, now, self._before + sent))

    def tell(self) -> None:
        self._told_at = self.copies.world.clock.monotonic()
        point, target = self._which
        self._write(lambda tx: progress_copy(tx, point, target, self._before + self.sent()))

    @property
    def _which(self) -> tuple[RecoveryPointId, RepositoryId]:
        return self.thing.wanted.point.id, self.thing.wanted.target.id

    def _between_packs(self) -> None:
        self._pulse()
        self.thing.let_others_in()

    def _pulse(self) -> None:
        now = self.copies.world.clock.monotonic()
        if now - self._told_at >= self.copies.timings.progress:
            self.tell()

    def _write(self, write: Callable[[Transaction], object]) -> None:
        written(self.copies.store, self.lease, write)
