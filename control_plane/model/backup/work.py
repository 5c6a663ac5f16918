"""What is asked of the worker that carries backups out: runs, restores, and what is done with keys.

    run:      Requested → Running → Finished | Failed,  Running → Requested (again, later)
    restore:  Waiting → Restoring → Restored | Failed,  Restoring → Waiting,  Waiting → Cancelled
    key task: Asked → Agreed → Carried | Failed,  Asked → Cancelled

Only what is `Running` or `Restoring` can end well, and keys are destroyed only through `Agreed`, which
takes another person than who asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from control_plane.model.backup.ids import (
    BackupRunId,
    KeyTaskId,
    RecoveryPointId,
    RepositoryId,
    RestoreId,
    RestoreTestId,
)
from control_plane.model.errors import YuiError
from control_plane.model.health import HealthSeen
from control_plane.model.ids import Generation, OperationId, RegionId, ServerId, SystemId
from control_plane.model.membership import Person
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it failed, in a sentence without secrets."""

    en: str
    ja: str


# Runs


@dataclass(frozen=True, slots=True)
class Requested:
    """Not before `since`; `attempts` have failed so far, the last of them for `trouble`."""

    since: datetime
    attempts: int = 0
    trouble: Trouble | None = None

    def begin(self, at: datetime, worker: str) -> Running:
        return Running(at, worker, self.attempts + 1)


@dataclass(frozen=True, slots=True)
class Running:
    since: datetime
    worker: str
    attempts: int

    def finish(self, at: datetime) -> Finished:
        return Finished(at)

    def again(self, at: datetime, trouble: Trouble) -> Requested:
        """It is tried again at `at`."""
        return Requested(at, self.attempts, trouble)

    def fail(self, at: datetime, trouble: Trouble) -> Failed:
        return Failed(at, trouble)


@dataclass(frozen=True, slots=True)
class Finished:
    since: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    since: datetime
    trouble: Trouble


RunStanding = Requested | Running | Finished | Failed


@dataclass(frozen=True, slots=True)
class BackupRun:
    """One point of a system is to be taken: for these `copies` of its policy (their places in it), or at
    somebody's word, who is `asked_by` (None: the schedule). `point` is the record that it fills, of which
    none is there before it begins. What was asked for is kept until `keep_until`."""

    id: BackupRunId
    tenant: MunicipalityCode
    system: SystemId
    asked_at: datetime
    standing: RunStanding
    copies: tuple[int, ...] = ()
    asked_by: str | None = None
    keep_until: datetime | None = None
    point: RecoveryPointId | None = None
    operation: OperationId | None = None
    generation: Generation = Generation(1)

    @property
    def open(self) -> bool:
        return isinstance(self.standing, Requested | Running)


# Restores


class RestoreTo(StrEnum):
    NEW = "new"
    """A new system beside the old one."""
    IN_PLACE = "in-place"
    """The system's own stopped servers; what is on their disks now is lost."""
    REGION = "region"
    """A new system in another region."""
    ISOLATED = "isolated"
    """On a network of its own that reaches nothing: to look, or to prove that it starts."""
    FILE = "file"
    """Disks as files (qcow2 or raw) among the member's exports."""


@dataclass(frozen=True, slots=True)
class RestoreTarget:
    """`servers` (none named: all) and `disks` (none: all) of the point; `region` for `REGION`; `format` of
    files; `name` of a new system. `start`: servers are started once they can be, and with `at_once` before their
    disks are copied."""

    to: RestoreTo
    servers: tuple[ServerId, ...] = ()
    disks: tuple[str, ...] = ()
    region: RegionId | None = None
    name: str | None = None
    format: str | None = None
    start: bool = True
    at_once: bool = False


class RestorePhase(StrEnum):
    FILLING = "filling"
    """The disks are being made."""
    RUNNING = "running-from-repository"
    """The servers start on disks that lean on the recovery point."""
    COPYING = "copying"
    """What the disks lack is copied into them under the running servers."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Once the servers have been started it is never given up, and `phase` says how far it had come."""

    since: datetime
    attempts: int = 0
    trouble: Trouble | None = None
    phase: RestorePhase = RestorePhase.FILLING

    def begin(self, at: datetime, worker: str) -> Restoring:
        return Restoring(at, worker, self.attempts + 1, phase=self.phase)

    def cancel(self, at: datetime, by: str) -> Cancelled:
        return Cancelled(at, by)


@dataclass(frozen=True, slots=True)
class Restoring:
    """`done` of `total` bytes are written."""

    since: datetime
    worker: str
    attempts: int
    done: int = 0
    total: int = 0
    phase: RestorePhase = RestorePhase.FILLING

    def restored(self, at: datetime) -> Restored:
        return Restored(at)

    def again(self, at: datetime, trouble: Trouble) -> Waiting:
        return Waiting(at, self.attempts, trouble, self.phase)

    def fail(self, at: datetime, trouble: Trouble) -> Failed:
        return Failed(at, trouble)


@dataclass(frozen=True, slots=True)
class Restored:
    since: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    since: datetime
    by: str


RestoreStanding = Waiting | Restoring | Restored | Failed | Cancelled


@dataclass(frozen=True, slots=True)
class RestoreJob:
    """`made` is the system that came of it, where it makes one."""

    id: RestoreId
    tenant: MunicipalityCode
    point: RecoveryPointId
    system: SystemId
    target: RestoreTarget
    asked_by: str
    asked_at: datetime
    standing: RestoreStanding
    made: SystemId | None = None
    operation: OperationId | None = None
    generation: Generation = Generation(1)

    @property
    def open(self) -> bool:
        return isinstance(self.standing, Waiting | Restoring)


@dataclass(frozen=True, slots=True)
class RestoreTest:
    """A point was restored in isolation, started, and its health looked at: `seconds` until it was well.
    `trouble` where it was not; `servers` are those that were looked at. It is on record whatever becomes of
    the point."""

    id: RestoreTestId
    tenant: MunicipalityCode
    system: SystemId
    point: RecoveryPointId
    repository: RepositoryId
    began_at: datetime
    ended_at: datetime
    trouble: Trouble | None = None
    servers: tuple[HealthSeen, ...] = ()

    @property
    def passed(self) -> bool:
        return self.trouble is None

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


# Keys


class KeyErrand(StrEnum):
    ESCROW = "escrow"
    """The member's keys, sealed for a public key (X25519) that somebody keeps elsewhere."""
    ROTATE = "rotate"
    """What is new is sealed with a new key; what was sealed stays readable."""
    DESTROY = "destroy"
    """Nothing that was sealed with the member's keys can ever be read again."""


@dataclass(frozen=True, slots=True)
class Asked:
    since: datetime
    by: Person

    def agree(self, by: Person, at: datetime) -> Agreed:
        """Raises `second-person-needed` where both are the same."""
        if by.id == self.by.id:
            raise YuiError(
                "second-person-needed",
                en=f"{self.by.label} has asked for it, so another person must agree: ask somebody else with the permission.",
                ja=f"依頼したのが {self.by.label} さんのため、同意は別の人が行う必要があります。権限を持つ別の人に依頼してください。",
                status=403,
                fields={"asked_by": self.by.label},
            )
        return Agreed(at, self.by, by)

    def cancel(self, at: datetime, by: str) -> Cancelled:
        return Cancelled(at, by)


@dataclass(frozen=True, slots=True)
class KeyStep:
    """What a task does in one repository, on record before it is begun: until `done_at` is known it may have
    been done, or some of it. `record` is what is told of it in the end, or what it began from; never a
    key."""

    repository: RepositoryId
    since: datetime
    record: str
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """It waits for the worker, or is under way: `steps` are those that were begun. `by` is None where it
    takes one person only. `trouble` is what has held it up so far."""

    since: datetime
    asked_by: Person
    by: Person | None
    steps: tuple[KeyStep, ...] = ()
    trouble: Trouble | None = None

    def step_in(self, repository: RepositoryId) -> KeyStep | None:
        return next((each for each in self.steps if each.repository == repository), None)

    def begin_step(self, repository: RepositoryId, at: datetime, record: str) -> Agreed:
        """In place of one that was begun there before."""
        others = tuple(each for each in self.steps if each.repository != repository)
        return replace(self, steps=(*others, KeyStep(repository, at, record)))

    def end_step(self, repository: RepositoryId, at: datetime) -> Agreed:
        """One that has ended already stays as it is."""
        return replace(
            self,
            steps=tuple(
                replace(each, done_at=at)
                if each.repository == repository and each.done_at is None
                else each
                for each in self.steps
            ),
        )

    def carried(self, at: datetime, result: str | None) -> Carried:
        return Carried(at, self.asked_by, self.by, result)

    def fail(self, at: datetime, trouble: Trouble) -> Failed:
        return Failed(at, trouble)


@dataclass(frozen=True, slots=True)
class Carried:
    """`result`: what was exported, sealed, in base64; or the record of what was destroyed."""

    since: datetime
    asked_by: Person
    by: Person | None
    result: str | None


KeyStanding = Asked | Agreed | Carried | Failed | Cancelled


@dataclass(frozen=True, slots=True)
class KeyTask:
    """`repository` None: in all of them. `recipient` is the public key (base64) that an escrow is for."""

    id: KeyTaskId
    tenant: MunicipalityCode
    errand: KeyErrand
    reason: str
    standing: KeyStanding
    asked_at: datetime
    repository: RepositoryId | None = None
    recipient: str | None = None
    generation: Generation = Generation(1)

    @staticmethod
    def needs_second(errand: KeyErrand) -> bool:
        return errand is KeyErrand.DESTROY


def begun(errand: KeyErrand, by: Person, at: datetime) -> Asked | Agreed:
    """Destroying takes two people."""
    return Asked(at, by) if KeyTask.needs_second(errand) else Agreed(at, by, None)
