"""Where each item of a tenant lies, without holding it in memory.

What index objects say is kept as sorted runs in this machine's cache, and few of them: small ones are
merged into larger. The cache is thrown away wherever it is damaged or stale, and made again from the
index objects; where those are damaged or lost, from the packs.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TypeVar

from backup.repository.cache_folders import private_folder, remove_unfinished
from backup.repository.errors import Damaged
from backup.repository.ids import read_id
from backup.repository.index_object import (
    ITEMS_PER_INDEX,
    indexes_prefix,
    read_index,
)
from backup.repository.index_run import (
    CacheDamaged,
    IndexRun,
    Place,
    merge_runs,
    write_run,
)
from backup.repository.keys import Keyring
from backup.repository.pack import PackFacts, pack_in, packs_prefix, read_footer
from control_plane.drivers.objects import ObjectStore

_MOST_RUNS = 6
_ENDING = ".run"
_Found = TypeVar("_Found")


class Index:
    """Safe for several threads. `cache` is a folder of this tenant's in this repository alone; None:
    a folder that goes when the index goes."""

    def __init__(self, objects: ObjectStore, keyring: Keyring, cache: Path | None) -> None:
        self._objects = objects
        self.keyring = keyring
        """Replaced when another rotates the keys; ids and the cache stay as they are."""
        self._own: tempfile.TemporaryDirectory[str] | None = None
        if cache is None:
            self._own = private_folder()
            cache = Path(self._own.name)
        self._folder = cache
        self._recovered_folder: tempfile.TemporaryDirectory[str] | None = None
        self._runs: list[IndexRun] = []
        self._recovered: list[IndexRun] = []
        self._mutex = threading.RLock()
        self.damaged: dict[bytes, Damaged] = {}
        """Index objects that could not be read, by id: what they said is read from the packs at need."""
        self.refresh()

    def refresh(self) -> None:
        """Know what other writers and the collector did since. Raises ObjectStoreError."""
        with self._mutex:
            prefix = indexes_prefix(self.keyring.tenant)
            sizes = {
                id: fact.size
                for fact in self._objects.list(prefix)
                for id in read_ids((fact.key[len(prefix) :],))
            }
            listed = sizes.keys()
            self._keep(lambda run: run.indexes <= listed)
            self.damaged = {id: error for id, error in self.damaged.items() if id in listed}
            if not self._runs:
                self._load_cached(listed)
            self._fetch(frozenset(listed).difference(*(run.indexes for run in self._runs)), sizes)
            self._merge_small()

    def find(self, id: bytes) -> list[Place]:
        """Every place of the item, usually none or one."""
        return self._ask(lambda run: run.find(id))

    def packs_of(self, id: bytes) -> list[bytes]:
        """Ids of the packs that hold the item."""
        return self._ask(lambda run: run.packs_of(id))

    def packs(self) -> list[tuple[bytes, int]]:
        """(id, length) of every pack that is known of."""
        return list(dict.fromkeys(self._ask(lambda run: list(run.packs()))))

    def adopt(self, index_id: bytes, packs: Sequence[PackFacts]) -> None:
        """Know what was just put as an index object."""
        with self._mutex:
            self._add([index_id], packs)
            self._merge_small()

    def recover(self) -> int:
        """Read the footers of packs that no index names, from now on known. Returns how many; what is
        damaged among them is left out. Raises ObjectStoreError."""
        with self._mutex:
            known = {id for id, _ in self.packs()}
            found: list[PackFacts] = []
            for id, length in listed_packs(self._objects, self.keyring.tenant):
                if id not in known:
                    with contextlib.suppress(Damaged):
                        found.append(read_footer(self._objects, self.keyring, id, length))
            if found:
                if self._recovered_folder is None:
                    self._recovered_folder = private_folder()
                path = Path(self._recovered_folder.name) / _new_name()
                write_run(path, self.keyring.cache_key, (), found)
                self._recovered.append(IndexRun(path, self.keyring.cache_key))
            return len(found)

    def close(self) -> None:
        with self._mutex:
            for run in (*self._runs, *self._recovered):
                run.close()
            self._runs, self._recovered = [], []
            for folder in (self._own, self._recovered_folder):
                if folder is not None:
                    folder.cleanup()

    def _ask(self, question: Callable[[IndexRun], list[_Found]]) -> list[_Found]:
        with self._mutex:
            for _ in range(3):
                found: list[_Found] = []
                for run in (*self._runs, *self._recovered):
                    try:
                        answer = question(run)
                    except CacheDamaged:
                        self._discard(run)
                        break
                    if answer:
                        found += answer
                else:
                    return found
                self.refresh()
            raise OSError(f"The cache folder {self._folder} does not keep what is written to it.")

    def _discard(self, run: IndexRun) -> None:
        run.close()
        _remove(run.path)
        self._runs = [each for each in self._runs if each is not run]
        self._recovered = [each for each in self._recovered if each is not run]

    def _keep(self, wanted: Callable[[IndexRun], bool]) -> None:
        for run in list(self._runs):
            if not wanted(run):
                self._discard(run)

    def _load_cached(self, listed: Set[bytes]) -> None:
        covered: set[bytes] = set()
        remove_unfinished(self._folder)
        for path in sorted(self._folder.glob(f"*{_ENDING}")) if self._folder.is_dir() else ():
            try:
                run = IndexRun(path, self.keyring.cache_key)
            except CacheDamaged:
                _remove(path)
                continue
            if not run.indexes or not run.indexes <= listed or run.indexes & covered:
                run.close()
                _remove(path)
                continue
            covered |= run.indexes
            self._runs.append(run)

    def _fetch(self, wanted: Iterable[bytes], sizes: Mapping[bytes, int]) -> None:
        """Read index objects, few enough at a time to stay small."""
        indexes: list[bytes] = []
        packs: list[PackFacts] = []
        size = 0
        for id in sorted(wanted):
            try:
                read = read_index(self._objects, self.keyring, id, sizes[id])
            except Damaged as error:
                self.damaged[id] = error
                continue
            indexes.append(id)
            packs += read
            size += sum(len(pack.footer) for pack in read)
            if size >= 40 * ITEMS_PER_INDEX:
                self._add(indexes, packs)
                indexes, packs, size = [], [], 0
        if indexes:
            self._add(indexes, packs)

    def _add(self, indexes: Sequence[bytes], packs: Sequence[PackFacts]) -> None:
        def write(path: Path) -> None:
            write_run(path, self.keyring.cache_key, indexes, packs)

        self._runs.append(self._written(write))

    def _merge_small(self) -> None:
        """Of runs sorted by size each is to be twice its smaller neighbour, so that there are few and an
        item is rewritten as often as the logarithm of their number."""
        while len(self._runs) > 1:
            self._runs.sort(key=lambda run: -run.items)
            tail = 1
            while tail < len(self._runs) and self._total(tail) * 2 > self._runs[-tail - 1].items:
                tail += 1
            if len(self._runs) <= _MOST_RUNS and tail == 1:
                return
            merged = self._runs[-max(tail, 2) :]

            def write(path: Path, merged: list[IndexRun] = merged) -> None:
                merge_runs(path, self.keyring.cache_key, merged)

            try:
                run = self._written(write)
            except CacheDamaged:
                for each in merged:
                    self._discard(each)
                self.refresh()
                return
            for each in merged:
                self._discard(each)
            self._runs.append(run)

    def _total(self, last: int) -> int:
        return sum(run.items for run in self._runs[-last:])

    def _written(self, write: Callable[[Path], None]) -> IndexRun:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._folder / _new_name()
            write(path)
        except OSError:
            # A cache that can't be written is no reason to fail.
            if self._own is not None:
                raise
            self._own = private_folder()
            self._folder = Path(self._own.name)
            path = self._folder / _new_name()
            write(path)
        return IndexRun(path, self.keyring.cache_key)


def listed_packs(objects: ObjectStore, tenant: str) -> Iterator[tuple[bytes, int]]:
    """(id, length) of every pack that is there."""
    for fact in objects.list(packs_prefix(tenant)):
        id = pack_in(fact.key, tenant)
        if id is not None:
            yield id, fact.size


def read_ids(names: Iterable[str]) -> Iterator[bytes]:
    """Of objects that are named by one; others are passed over."""
    for name in names:
        with contextlib.suppress(ValueError):
            yield read_id(name)


def _remove(path: Path) -> None:
    """As far as it can be: what stays is found unfit each time."""
    with contextlib.suppress(OSError):
        path.unlink()


def _new_name() -> str:
    return secrets.token_hex(16) + _ENDING
