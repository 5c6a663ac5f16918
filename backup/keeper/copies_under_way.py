"""A copy that is wanted, or runs, as its thread and the keeper's see it."""

from __future__ import annotations

from dataclasses import dataclass

from backup.keeper.collecting import Part
from backup.keeper.turns import Running
from backup.records.agenda import WantedCopy
from backup.replication import GaveWay
from control_plane.model.backup.points import Copying, Spoiled
from control_plane.model.units import Seconds


@dataclass(eq=False, slots=True)
class UnderWay:
    """A copy that runs, as its thread and the keeper's see it."""

    wanted: WantedCopy
    since: Seconds
    favoured: bool
    leaving: bool = False
    idle: bool = False
    sending_since: Seconds | None = None

    def let_others_in(self) -> None:
        """Raises GaveWay where another is to run."""
        if self.leaving:
            raise GaveWay

    def as_running(self, now: Seconds) -> Running:
        sending = None if self.sending_since is None else Seconds(now - self.sending_since)
        return Running(
            key_of(self.wanted),
            part_of(self.wanted).name,
            self.wanted.tier,
            sending,
            self.favoured,
            self.leaving,
            self.idle,
        )


def is_spoiled(wanted: WantedCopy) -> bool:
    copy = wanted.point.copy_in(wanted.target.id)
    return copy is not None and isinstance(copy.standing, Spoiled)


def has_begun(wanted: WantedCopy) -> bool:
    copy = wanted.point.copy_in(wanted.target.id)
    return copy is not None and isinstance(copy.standing, Copying)


def key_of(wanted: WantedCopy) -> str:
    return f"{wanted.target.id}/{wanted.point.system}"


def part_of(wanted: WantedCopy) -> Part:
    return Part(wanted.target, wanted.point.tenant)
