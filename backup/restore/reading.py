"""Reads a recovery point from whichever repositories hold it: what is damaged or out of reach in one is taken
from the next, chunk by chunk if it must be, and only what is whole nowhere ends the reading."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from backup.keeper.describing import PointDetails
from backup.keeper.vaults import Vaults
from backup.repository import Damaged, DiskReader, RecoveryPoint, Vault
from backup.restore.serving import Serving
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import RecoveryPointRecord, ServerPoint, Spoiled
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot

_ELSEWHERE = (ObjectStoreError, YuiError)
"""What may be otherwise in another repository; Damaged is one of them."""


def holders(
    tx: Snapshot, point: RecoveryPointRecord, region: RegionId | None
) -> tuple[Repository, ...]:
    """Where it can be read from: near `region` first; where it is known to be damaged, last of all."""
    known = {each.id: each for each in tx.repositories(point.tenant)}
    spoiled = {each.repository for each in point.copies if isinstance(each.standing, Spoiled)}
    there = [known[id] for id in {*point.held_in(), *spoiled} if id in known]
    return tuple(sorted(there, key=lambda r: (r.id in spoiled, r.region != region, r.id)))


@dataclass(slots=True)
class PointSource:
    """A context manager. `damaged` is told what was found. `used` are those that something was read from.
    `over` gives for a repository who is told how many bytes were read from it, and comes back once that many may
    have been. Several threads may take the content of several disks."""

    vaults: Vaults
    repositories: Sequence[Repository]
    tenant: MunicipalityCode
    damaged: Callable[[Repository, Damaged], None]
    over: Callable[[Repository], Callable[[int], None]]
    used: list[RepositoryId] = field(default_factory=list)
    _open: dict[RepositoryId, Vault] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """One thread reads at a time, whichever disk is served."""
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _owed: dict[RepositoryId, int] = field(default_factory=dict)
    """Bytes that were read and not waited for. Who reads may hold a lock that others want, and waits later."""

    def __enter__(self) -> PointSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def point(self, part: ServerPoint) -> tuple[RecoveryPoint, PointDetails]:
        """The manifest of one server's part, and what it says of the server. Raises Damaged,
        ObjectStoreError, YuiError where no repository can tell."""
        failure: Exception | None = None
        for repository in self.repositories:
            try:
                vault = self._vault(repository)
                point = vault.point(part.point)
                return point, PointDetails.of(vault.details(point))
            except _ELSEWHERE as error:
                failure = self._worse(failure, self._noted(repository, error))
        raise failure or _nowhere(part.point)

    def content(self, point: RecoveryPoint, disk: str) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of all that is not zero, each byte once. Raises as `point`."""
        told = _Told(point, disk)
        failure: Exception | None = None
        for repository in self.repositories:
            try:
                for offset, data in self._reader(repository, point, disk).stream():
                    self._wait()
                    yield from told.fresh(offset, data)
                self._uses(repository)
            except _ELSEWHERE as error:
                if told.some:
                    self._uses(repository)
                failure = self._worse(failure, self._noted(repository, error))
            else:
                return
        if len(self.repositories) > 1 and isinstance(failure, Damaged):
            yield from self._by_chunk(point, disk, told, failure)
        else:
            raise failure or _nowhere(point.id)

    def serving(self, point: RecoveryPoint, disk: str) -> Serving:
        """To be read at any place, for as long as this source is open."""
        return Serving(
            tuple(
                (repository, partial(self._reader, repository, point, disk))
                for repository in self.repositories
            ),
            self._lock,
            self._wait,
        )

    def _by_chunk(
        self, point: RecoveryPoint, disk: str, told: _Told, failure: Exception
    ) -> Iterator[tuple[int, bytes]]:
        """Each is damaged somewhere else, perhaps."""
        readers: list[DiskReader] = []
        for repository in self.repositories:
            try:
                readers.append(self._reader(repository, point, disk))
            except _ELSEWHERE:
                continue
        for offset, length in told.missing(_extents(readers, failure)):
            for reader in readers:
                try:
                    data = reader.read(offset, length)
                except _ELSEWHERE as error:
                    failure = self._worse(failure, error)
                else:
                    self._wait()
                    yield offset, data
                    break
            else:
                raise failure

    def _reader(self, repository: Repository, point: RecoveryPoint, disk: str) -> DiskReader:
        vault = self._vault(repository)
        here = vault.point(point.id)
        if here.disk(disk) != point.disk(disk):
            raise YuiError(
                "recovery-point-differs",
                en=f"Recovery point {point.id} in repository '{repository.id}' is another one than elsewhere.",
                ja=f"リポジトリ「{repository.id}」の復元ポイント {point.id} は、ほかの写しと内容が異なります。",
                status=500,
            )
        return vault.read(here, disk)

    def _vault(self, repository: Repository) -> Vault:
        found = self._open.get(repository.id)
        if found is None:
            opened = self.vaults.open(
                repository, self.tenant, read=partial(self._was_read, repository)
            )
            found = self._open[repository.id] = self._stack.enter_context(opened.vault)
        return found

    def _was_read(self, repository: Repository, amount: int) -> None:
        with self._mutex:
            self._owed[repository.id] = self._owed.get(repository.id, 0) + amount

    def _wait(self) -> None:
        """Until all that was read may have been. Raises what `over` does."""
        with self._mutex:
            owed, self._owed = self._owed, {}
        for repository in self.repositories:
            if amount := owed.get(repository.id, 0):
                self.over(repository)(amount)

    def _uses(self, repository: Repository) -> None:
        with self._mutex:
            if repository.id not in self.used:
                self.used.append(repository.id)

    def _noted(self, repository: Repository, error: Exception) -> Exception:
        if isinstance(error, Damaged):
            self.damaged(repository, error)
        return error

    @staticmethod
    def _worse(one: Exception | None, other: Exception) -> Exception:
        """A repository that does not answer may do so later; what is damaged stays so."""
        return other if one is None or isinstance(one, Damaged) else one


class _Told:
    """Which chunks of a disk have been given on."""

    def __init__(self, point: RecoveryPoint, disk: str) -> None:
        found = point.disk(disk)
        self._size, self._chunk = found.size, found.chunk_bytes
        self._told = bytearray(-(-self._size // self._chunk))
        self.some = False

    def fresh(self, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        first, last = offset // self._chunk, (offset + len(data) - 1) // self._chunk
        before = self._told[first : last + 1]
        self._told[first : last + 1] = b"\1" * (last + 1 - first)
        self.some = True
        if not any(before):
            yield offset, data
            return
        for number, was_told in enumerate(before, first):
            if not was_told:
                begin = number * self._chunk
                yield begin, data[begin - offset : begin - offset + self._chunk]

    def missing(self, extents: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """(offset, length) of each chunk within `extents` that was not given on."""
        for offset, length in extents:
            for begin in range(offset, offset + length, self._chunk):
                if not self._told[begin // self._chunk]:
                    yield begin, min(self._chunk, self._size - begin)


def _extents(readers: Sequence[DiskReader], failure: Exception) -> list[tuple[int, int]]:
    """Where there is data, from the first that can tell."""
    for reader in readers:
        try:
            return [(each.offset, each.length) for each in reader.extents() if each.data]
        except _ELSEWHERE:
            continue
    raise failure


def _nowhere(point: str) -> YuiError:
    return YuiError(
        "point-not-whole",
        en=f"Recovery point '{point}' lies nowhere whole: choose another one.",
        ja=f"復元ポイント「{point}」は完全な形で残っていません。別のものを選んでください。",
        status=409,
        fields={"point": point},
    )
