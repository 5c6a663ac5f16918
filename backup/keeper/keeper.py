"""Keeps backups as policies say: takes points, lets them go, looks after keys. Background work of a control
plane; of several one does it, by a lease, and whoever takes it over goes on from what is on record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import structlog

from backup.keeper.collecting import Collecting
from backup.keeper.copies import Copies
from backup.keeper.hooks import DumpFailed
from backup.keeper.key_errands import KeyErrands
from backup.keeper.letting_go import LettingGo
from backup.keeper.lines import Lines
from backup.keeper.objectives import Objectives
from backup.keeper.runs import Runs
from backup.keeper.scrubbing import Scrubbing
from backup.keeper.timings import Timings
from backup.keeper.trouble import EXPECTED, NotWanted
from backup.keeper.vaults import Vaults
from backup.records.estate import Blueprints
from backup.records.steps import StepRefused
from backup.restore import proving, restores
from control_plane.drivers.world import World
from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.timings import Timings as LeaseTimings
from control_plane.store import Lease, LeaseLost, LostRace, Store

LEASE_NAME = "backups"


@dataclass(slots=True)
class Keeper:
    """`cache` is a folder that saves reading repositories again; None: nothing is kept. `exports` is where
    disks are put that are wanted as files."""

    store: Store
    world: World
    blueprints: Blueprints
    holder: str
    cache: Path | None = None
    timings: Timings = field(default_factory=Timings)
    exports: Path | None = None
    _runs: Runs = field(init=False)
    _keys: KeyErrands = field(init=False)
    _collecting: Collecting = field(init=False)
    _copies: Copies = field(init=False)
    _scrubbing: Scrubbing = field(init=False)
    _restores: restores.Restores = field(init=False)
    _proving: proving.Proving = field(init=False)
    _letting_go: LettingGo = field(init=False)
    _objectives: Objectives = field(init=False)
    _leadership: Leadership = field(init=False)
    _looked_at: Seconds = Seconds(float("-inf"))
    _tidied_at: Seconds = Seconds(float("-inf"))
    _led_by: int | None = None

    def __post_init__(self) -> None:
        store, world, blueprints = self.store, self.world, self.blueprints
        vaults = Vaults(world, self.cache)
        self._runs = Runs(store, world, blueprints, vaults, self.holder, self.timings)
        self._keys = KeyErrands(store, world, vaults, self.timings)
        self._collecting = Collecting(store, world, vaults, self.holder, self.timings)
        lines = Lines(store, world.clock)
        self._copies = Copies(store, world, blueprints, vaults, self.timings, lines)
        self._scrubbing = Scrubbing(store, world, vaults, self.timings)
        self._restores = restores.Restores(
            store, world, vaults, self.holder, self.timings, lines, self.exports
        )
        self._proving = proving.Proving(store, world, blueprints, self.timings)
        self._letting_go = LettingGo(store, world.clock, blueprints)
        self._objectives = Objectives(store, world.clock, blueprints)
        self._leadership = Leadership(
            store, world.clock, self.holder, LeaseTimings(), name=LEASE_NAME
        )

    def tick(self) -> list[Exception]:
        """Look once and act once; what went wrong that nobody could expect."""
        if not self._busy and not self._anything():
            return []
        lease = self._leadership.lease if self._leadership.is_fresh else self._leadership.hold()
        if lease is None:
            return []
        if lease.token != self._led_by:
            # What was due when this one last looked may have been done by another since.
            self._led_by, self._looked_at = lease.token, Seconds(float("-inf"))
        try:
            return [each for each in self._act(lease) if not _expected(each)]
        except (LeaseLost, LostRace):
            return []

    @property
    def _busy(self) -> bool:
        parts = (
            self._runs,
            self._keys,
            self._collecting,
            self._copies,
            self._scrubbing,
            self._restores,
            self._proving,
        )
        return any(part.busy for part in parts)

    def give_up(self) -> None:
        """Let another control plane go on at once, as on an orderly stop."""
        self._leadership.give_up()

    def _anything(self) -> bool:
        """Without a repository there is nothing to do, and nothing is written."""
        if self.world.clock.monotonic() - self._looked_at < self.timings.every:
            return self._leadership.lease is not None
        with self.store.read() as tx:
            return bool(tx.repositories())

    def _act(self, lease: Lease) -> list[Exception]:
        failures = self._runs.settle(lease) + self._keys.settle(lease)
        failures += self._collecting.settle(lease) + self._copies.settle(lease)
        failures += self._scrubbing.settle(lease)
        failures += self._restores.settle(lease) + self._proving.settle(lease)
        now = self.world.clock.monotonic()
        if now - self._looked_at >= self.timings.every:
            self._looked_at = now
            self._runs.look(lease)
            in_use = (self._runs.written(), self._copies.written(), self._scrubbing.written())
            self._keys.look(lease, chain.from_iterable(in_use))
            self._copies.look(lease)
            self._restores.look(lease)
            self._proving.look(lease)
        self._runs.begin(lease)
        self._copies.begin(lease)
        self._restores.begin(lease)
        if now - self._tidied_at >= self.timings.tidy_every:
            self._tidied_at = now
            self._letting_go.look(lease)
            self._objectives.look(lease)
        written = [*self._runs.written(), *self._copies.written()]
        self._collecting.begin(lease, [*written, *self._copies.unfinished()])
        self._scrubbing.begin(lease, keys_at_rest=not self._keys.busy)
        return failures


def keep_backups(keeper: Keeper, every: Seconds = Seconds(1)) -> Callable[[threading.Event], None]:
    """Work for the background: keep backups, until told to stop."""

    def work(stop: threading.Event) -> None:
        log = structlog.get_logger("yui.backup")
        while not stop.wait(every):
            try:
                for error in keeper.tick():
                    log.error("a backup failed", exc_info=error)
            except YuiError as error:
                log.warning("backups put off", reason=error.en)
            except Exception:
                log.exception("backups failed")
        keeper.give_up()

    return work


def _expected(error: Exception) -> bool:
    return isinstance(error, (*EXPECTED, NotWanted, DumpFailed, StepRefused, LeaseLost, LostRace))
