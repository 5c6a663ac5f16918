"""Repositories that don't answer just now: one run finds out whether they do again, and people are told of the
place once, rather than of every system that is backed up there."""

from __future__ import annotations

from dataclasses import dataclass, field

from backup.keeper.timings import Timings
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.units import Seconds


@dataclass(slots=True)
class Outages:
    timings: Timings
    _failures: dict[RepositoryId, int] = field(default_factory=dict)
    _not_before: dict[RepositoryId, Seconds] = field(default_factory=dict)

    def may_try(self, repository: RepositoryId, now: Seconds) -> bool:
        return now >= self._not_before.get(repository, now)

    def trying(self, repository: RepositoryId, now: Seconds) -> None:
        """Where it did not answer the last time, others wait for what comes of this."""
        if repository in self._failures:
            self._put_off(repository, now)

    def failed(self, repository: RepositoryId, now: Seconds) -> bool:
        """Whether that is new."""
        new = repository not in self._failures
        if new or self.may_try(repository, now):
            self._failures[repository] = self._failures.get(repository, 0) + 1
            self._put_off(repository, now)
        return new

    def answered(self, repository: RepositoryId) -> bool:
        """Whether that is new."""
        self._not_before.pop(repository, None)
        return self._failures.pop(repository, None) is not None

    def _put_off(self, repository: RepositoryId, now: Seconds) -> None:
        pause = self.timings.pause_after(self._failures[repository])
        self._not_before[repository] = Seconds(now + pause)
