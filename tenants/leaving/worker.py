"""Leads members out: stops their servers, exports, waits for their word, removes.

Every look begins from the records, so a control plane that is killed anywhere leaves nothing that the
next one can't go on with: a disk goes on at the byte that was last known to be safe. One process at a
time does this, by a lease of its own; what it had under way when it lost that lease writes nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from control_plane.drivers.protocol import DriverError
from control_plane.drivers.world import Lane, World
from control_plane.journal.audit_signing import Signer
from control_plane.journal.member_progress import is_off
from control_plane.model.errors import YuiError
from control_plane.model.export import ExportedDisk
from control_plane.model.ids import ImageId, OperationId
from control_plane.model.membership import (
    Departing,
    Exported,
    Leaving,
    Membership,
    MembershipState,
)
from control_plane.model.units import Seconds
from control_plane.model.workload import Power, Server
from control_plane.reconcile.leadership import Leadership
from control_plane.reconcile.timings import Timings
from control_plane.reconcile.under_way import UnderWay
from control_plane.store import Lease, LeaseLost, LostRace, Store
from tenants.leaving import telling
from tenants.leaving.disks import DiskErrand, disks_of, forget_disks, is_exported
from tenants.leaving.export_directory import ExportDirectory, PartInUse, Spoiled, Written
from tenants.leaving.records import member_of, write_records
from tenants.leaving.removal import Removal, keep_files
from tenants.leaving.service import move

_Key = tuple[OperationId, str]
_RECORDS = ""
"""Stands for the path of all that is no disk."""


@dataclass(slots=True)
class Leaver:
    """`exports` None: there is nowhere to export to, so members that leave wait. `checkpoint` is after
    how many bytes a disk's progress is made safe and told, `retry` how long what failed is left alone. `drop_image` as in `Removal`."""

    store: Store
    world: World
    exports: ExportDirectory | None
    signer: Signer | None
    holder: str
    checkpoint: int = 64 * 1024 * 1024
    retry: Seconds = Seconds(60)
    drop_image: Callable[[ImageId], None] = keep_files
    _removal: Removal = field(init=False)
    _leadership: Leadership = field(init=False)
    _under_way: UnderWay[_Key, Membership, Written | ExportedDisk] = field(init=False)
    _not_before: dict[_Key, Seconds] = field(default_factory=dict)
    _failures: dict[_Key, int] = field(default_factory=dict)
    _told: dict[_Key, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._under_way = UnderWay(self.world, Lane.EXPORT)
        self._removal = Removal(self.store, self.exports, self.world.clock, self.drop_image)
        self._leadership = Leadership(
            self.store, self.world.clock, self.holder, Timings(), name="leaving"
        )

    def tick(self) -> int:
        """Look once and act once; how much was done or begun."""
        if not self._under_way and not self._anybody():
            return 0
        lease = self._leadership.hold()
        if lease is None:
            return 0
        try:
            return self._act(lease)
        except LeaseLost:
            return 0
        except LostRace:
            return 1

    def _anybody(self) -> bool:
        """Whether anybody leaves, or has left something to be cleared away. Most of the time nobody does,
        and then nothing is written."""
        with self.store.read() as tx:
            leaving = tx.membership_page(1, states=(MembershipState.LEAVING,))
            return bool(leaving or tx.exports())

    def give_up(self) -> None:
        """Let another control plane go on at once, as on an orderly stop."""
        self._leadership.give_up()

    def _act(self, lease: Lease) -> int:
        changes = self._settle(lease)
        with self.store.read() as tx:
            leaving = tx.membership_page(1000, states=(MembershipState.LEAVING,))
            exports = tx.exports()
        for membership in leaving:
            match membership.standing:
                case Leaving():
                    changes += self._lead_out(membership, membership.standing, lease)
                case Exported():
                    changes += self._watch(membership, lease)
                case Departing() as departing:
                    changes += self._removal.go_on(membership, departing, lease)
                case _:
                    pass
        wanted = {membership.operation for membership in leaving}
        for operation, code in exports:
            if operation not in wanted and not self._busy(operation):
                # Its member stays after all. Of one that has left nothing is noted here any more.
                if self.exports is not None:
                    self.exports.of(code, operation).erase()
                with self.store.write(lease) as tx:
                    tx.forget_export(operation)
                changes += 1
        return changes

    def _lead_out(self, membership: Membership, leaving: Leaving, lease: Lease) -> int:
        with self.store.read() as tx:
            servers = tx.servers(membership.tenant.code)
        turn = _next_to_stop(servers)
        if turn:
            with self.store.write(lease) as tx:
                for server in turn:
                    tx.save_server(replace(server, power=Power.STOPPED))
                if membership.operation is not None:
                    # Should somebody have started one again: what was exported of it is out of date.
                    forget_disks(tx, membership.operation, {server.id for server in turn})
                stopped = dict.fromkeys([*leaving.stopped, *(server.id for server in turn)])
                now = tx.membership(membership.tenant.code)
                if isinstance(now.standing, Leaving):
                    move(tx, now, replace(now.standing, stopped=tuple(stopped)))
            return len(turn)
        if self.exports is None or membership.operation is None:
            return 0
        if not all(is_off(server) for server in servers):
            return 0
        with self.store.write(lease) as tx:
            changed, disks = disks_of(tx, membership, membership.operation)
        missing = [disk for disk in disks if not disk.whole]
        for disk in missing:
            changed += self._begin(membership, disk, lease)
        if not missing and not self._busy(membership.operation):
            changed += self._begin_records(membership, membership.operation, lease)
        return changed

    def _watch(self, membership: Membership, lease: Lease) -> int:
        """Nobody starts a server whose disk is exported; should somebody all the same, it is exported
        again."""
        with self.store.read() as tx:
            if is_exported(tx, membership):
                return 0
        with self.store.write(lease) as tx:
            now = tx.membership(membership.tenant.code)
            if isinstance(now.standing, Exported):
                move(tx, now, now.standing.export_again())
        return 1

    def _begin(self, membership: Membership, disk: ExportedDisk, lease: Lease) -> int:
        key = (disk.operation, disk.path)
        if not self._may_try(key) or self.exports is None:
            return 0
        export = self.exports.of(disk.tenant, disk.operation)
        errand = DiskErrand(
            self.store, self.world, export, disk, lease, self.checkpoint, self._failures.get(key, 0)
        )
        self._under_way.begin(key, membership, errand.run, lease)
        return 1

    def _begin_records(self, membership: Membership, operation: OperationId, lease: Lease) -> int:
        key = (operation, _RECORDS)
        if not self._may_try(key) or self.exports is None:
            return 0
        export = self.exports.of(membership.tenant.code, operation)
        with self.store.read() as tx:
            member = member_of(tx, membership, operation)

        def task() -> Written:
            return write_records(member, export, self.store, self.world.clock, self.signer)

        self._under_way.begin(key, membership, task, lease)
        return 1

    def _may_try(self, key: _Key) -> bool:
        now = self.world.clock.monotonic()
        return key not in self._under_way and now >= self._not_before.get(key, now)

    def _busy(self, operation: OperationId) -> bool:
        return any(key[0] == operation for key in self._under_way.things())

    def _settle(self, lease: Lease) -> int:
        """Take note of what has ended since the last look."""
        ended = 0
        for key, membership, pending in self._under_way.ended(lease):
            ended += 1
            try:
                result = pending.result()
            except (LeaseLost, LostRace):
                continue
            except (DriverError, PartInUse, Spoiled, OSError, TimeoutError, YuiError) as error:
                self._set_back(key, membership, error, lease)
                continue
            self._not_before.pop(key, None)
            self._failures.pop(key, None)
            self._told.pop(key, None)
            if isinstance(result, Written):
                self._exported(membership, result, lease)
        return ended

    def _set_back(self, key: _Key, membership: Membership, error: Exception, lease: Lease) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        self._not_before[key] = Seconds(self.world.clock.monotonic() + self.retry)
        said = error.en if isinstance(error, YuiError) else str(error) or type(error).__name__
        if self._told.get(key) != said:
            self._told[key] = said
            with self.store.write(lease) as tx:
                tx.add_event(telling.failed(membership, key[1], said, self.world.clock.now()))

    def _exported(self, membership: Membership, manifest: Written, lease: Lease) -> None:
        """Everything lies in the export, unless something was changed meanwhile."""
        at = self.world.clock.now()
        with self.store.write(lease) as tx:
            now = tx.membership(membership.tenant.code)
            if now.operation != membership.operation or not isinstance(now.standing, Leaving):
                return
            if not is_exported(tx, now):
                return
            move(tx, now, now.standing.exported(at))
            tx.add_event(telling.exported(now, manifest, at))
            tx.add_audit(telling.exported_entry(now, manifest, at))


def keep_leaving(leaver: Leaver, every: Seconds = Seconds(1)) -> Callable[[threading.Event], None]:
    """Work for the background: lead members out, until told to stop."""

    def work(stop: threading.Event) -> None:
        log = structlog.get_logger("yui.leaving")
        while not stop.wait(every):
            try:
                leaver.tick()
            except YuiError as error:
                log.warning("leaving put off", reason=error.en)
            except Exception:
                log.exception("leaving failed")
        leaver.give_up()

    return work


def _next_to_stop(servers: Sequence[Server]) -> list[Server]:
    """Those that run and whose turn it is: within a system the last started are stopped first, and the
    others only once these are off."""
    turn = []
    for server in servers:
        if server.power is not Power.RUNNING or server.deleting:
            continue
        later = (
            other
            for other in servers
            if other.system == server.system and other.start_order > server.start_order
        )
        if all(is_off(other) or other.deleting for other in later):
            turn.append(server)
    return turn
