"""The World: the one door through which the control plane touches anything outside its own state.

There is a real World and a simulated one. Reconciler, backup and recovery code is written against
this Protocol and cannot tell which it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from control_plane.drivers.container_volumes import ContainerVolumes
from control_plane.drivers.disk_exports import DiskExports
from control_plane.drivers.objects import ObjectStore
from control_plane.drivers.protocol import HostDriver
from control_plane.model.fence import FenceEvidence
from control_plane.model.ids import RegionId
from control_plane.model.operation import Event
from control_plane.model.pool import Host
from control_plane.model.units import Seconds

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC time, for people and evidence; it may jump."""
        ...

    def monotonic(self) -> Seconds:
        """Only moves forward; every time-out is measured with it."""
        ...

    def sleep(self, duration: Seconds) -> None: ...


class Sign(StrEnum):
    ALIVE = "alive"
    SILENT = "silent"
    UNKNOWN = "unknown"
    """The channel itself can't tell: it is broken or has not watched for long enough. Never taken
    for silence."""


class LivenessChannel(Protocol):
    """One independent way of hearing from hosts, such as the management network or the heartbeat on
    shared storage."""

    @property
    def name(self) -> str: ...

    def listen(self, host: Host) -> Sign: ...


class FenceFailed(Exception):
    """The fence did not hold, or not yet. One sentence that says why, without secrets."""


class PowerFailed(Exception):
    """The host could not be switched on. One sentence, without secrets."""


class Fencer(Protocol):
    @property
    def name(self) -> str: ...

    def fence(self, host: Host) -> FenceEvidence:
        """Make sure that the host can't write, and prove it. Raises FenceFailed. Repeatable."""
        ...


class NotTold(Exception):
    """People could not be told just now. One sentence that says why, without secrets."""


class Notifier(Protocol):
    @property
    def name(self) -> str:
        """How far people were told this way is kept under that name."""
        ...

    def notify(self, event: Event) -> None:
        """Tell people, and come back once that is done. Raises NotTold: the same event comes again
        later, and those behind it after it. After a crash it may come a second time, which its
        sequence shows."""
        ...


class Lane(StrEnum):
    """What a submitted task may have to wait for: others of its lane, and never those of another."""

    SLOW = "slow"
    """Copies of images, migrations, shut-downs: minutes each."""
    CARE = "care"
    """Looking after a host that carries nothing: asking, cleaning, switching on. One that hangs may
    keep its worker."""
    EXPORT = "export"
    """Copies of whole disks out of the pool: hours each. Few at once, so that they leave the storage to
    those who work on it."""
    FENCE = "fence"
    """Fences, each of which ends by itself. Every host of a site at once."""
    BACKUP = "backup"
    """Copies of disks into repositories: minutes to hours each. Few at once, as exports are."""
    COPY = "copy"
    """Copies of backups over lines between regions, and reading them again: hours to days each."""
    HOLD = "hold"
    """Holding disks fast for a backup, all of a system's at once: seconds each."""
    DUMP = "dump"
    """What guests run of their own before and after: minutes each, of which this machine does nothing."""
    RESTORE = "restore"
    """Disks made from backups, and looks at whether their servers are well: whoever waits for one has
    lost something, and waits for no export."""
    LEAN = "lean"
    """Restores whose servers run already and whose disks come meanwhile: hours to days each, of which most is
    waiting."""
    FILL = "fill"
    """One disk each of what a restore makes at once."""


class Pending(Protocol[T_co]):
    """A task under way."""

    def done(self) -> bool: ...

    def result(self) -> T_co:
        """What it returned, or its exception raised; waits until it is done."""
        ...


class World(Protocol):
    @property
    def clock(self) -> Clock: ...

    def notifiers(self) -> Sequence[Notifier]:
        """Ways to tell people, each of which gets every event."""
        ...

    def driver(self, host: Host) -> HostDriver: ...

    def channels(self) -> Sequence[LivenessChannel]:
        """At least two, none of which fails because another does."""
        ...

    def fencers(self, host: Host) -> Sequence[Fencer]:
        """In the order in which to try them; empty where only an operator's word is left."""
        ...

    def switch_on(self, host: Host) -> None:
        """Have the host's BMC switch it on; success where it is on. Raises PowerFailed, also where it
        has no BMC. Only for a host that is emptied before use: its being off may be the proof on which
        its servers run elsewhere."""
        ...

    def objects(self, place: str) -> ObjectStore:
        """The store at `file:///path` or `s3://bucket/prefix?…`, which nobody has spoken to yet. Raises
        YuiError `place-invalid` for what cannot be one."""
        ...

    def disk_exports(self) -> DiskExports:
        """Where hosts can read disks from this control plane. Raises YuiError `no-disk-exports` where there is no
        such place."""
        ...

    def container_volumes(self, region: RegionId) -> ContainerVolumes:
        """Of whatever runs containers there, which nobody has spoken to yet. Raises NoPlatform, a
        DriverError, where nothing does."""
        ...

    def run_all(self, tasks: Sequence[Callable[[], T]]) -> Sequence[T | BaseException]:
        """Run blocking tasks, side by side where the World can; answers in the same order, a task's
        exception in its place."""
        ...

    def submit(self, task: Callable[[], T], lane: Lane = Lane.SLOW) -> Pending[T]:
        """Begin one blocking task that may take minutes and come back at once; a World without
        threads runs it before it returns. It waits for no task of another lane."""
        ...
