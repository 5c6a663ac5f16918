"""One tenant's part of a repository, opened with its keys: its recovery points, and what is done with
the keys themselves."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from backup.repository.errors import WRONG_KEY, no_point, vault_destroyed
from backup.repository.escrow import seal_to_passphrase, seal_to_public_key
from backup.repository.index import Index
from backup.repository.items import ItemReader
from backup.repository.keyrings import (
    delete_keyrings,
    generations,
    locked_until,
    newest_keyring,
    put_keyring,
)
from backup.repository.keys import Keyring, RepositoryKey, keyring_object
from backup.repository.point import (
    PointFacts,
    RecoveryPoint,
    facts_of,
    is_point_id,
    open_details,
    points_prefix,
    read_manifest,
)
from backup.repository.reader import DiskReader
from backup.repository.sizes import LARGEST_MANIFEST, read_whole
from backup.repository.writer import PointWriter
from control_plane.drivers.objects import NoSuchObject, ObjectStore
from control_plane.model.errors import YuiError


@dataclass(frozen=True, slots=True)
class DestructionRecord:
    """What is told of keys that are no more. `at` is by the store's clock."""

    tenant: str
    store: str
    at: datetime
    generations: tuple[int, ...]
    seal_keys: tuple[str, ...]
    repository_key: str
    points: int
    """How many recovery points can be read no longer."""


class Vault:
    """Raises ObjectStoreError and Damaged from any method. Safe for several threads; a context manager
    that closes it."""

    def __init__(
        self, objects: ObjectStore, key: RepositoryKey, keyring: Keyring, cache: Path | None
    ) -> None:
        self._objects = objects
        self._key = key
        self._keyring = keyring
        self._cache = cache
        self._opened: Index | None = None
        self._opening = threading.Lock()
        self._destroyed = False

    @property
    def tenant(self) -> str:
        return self._keyring.tenant

    @property
    def keyring(self) -> Keyring:
        """For those who look after the repository; raises YuiError once it is destroyed."""
        self._check_stands()
        return self._keyring

    @property
    def objects(self) -> ObjectStore:
        return self._objects

    @property
    def index(self) -> Index:
        """Where each item lies; opened at first need."""
        self._check_stands()
        with self._opening:
            if self._opened is None:
                self._opened = Index(self._objects, self._keyring, self._cache)
            return self._opened

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def points(self, server: str | None = None) -> list[PointFacts]:
        """As they are listed, by the second at which they were begun; nothing is read."""
        found = (
            facts_of(fact.key, fact.size, fact.modified)
            for fact in self._objects.list(points_prefix(self.tenant, server))
        )
        return sorted(
            (facts for facts in found if facts is not None), key=lambda facts: (facts.id, facts.key)
        )

    def point(self, id: str | PointFacts) -> RecoveryPoint:
        """Its hash and its mac are compared. Raises YuiError("recovery-point-not-found"), Damaged."""
        facts = id if isinstance(id, PointFacts) else self._facts(id)
        try:
            data = read_whole(self._objects, facts.key, LARGEST_MANIFEST, facts.size)
        except NoSuchObject:
            raise no_point(self.tenant, facts.id) from None
        return read_manifest(facts.key, data, self.keyring)

    def details(self, point: RecoveryPoint) -> dict[str, object]:
        """The server's description that was given to commit."""
        self._renew()
        return open_details(point, self.keyring)

    def begin(
        self,
        server: str,
        system: str,
        *,
        base: RecoveryPoint | None = None,
        taken_at: datetime | None = None,
        locked_until: datetime | None = None,
    ) -> PointWriter:
        """A new point of the server. `taken_at`: the time that its disks show (default: the store's
        now). `locked_until`: retention of all that is written. Raises YuiError("backup-overtaken") when
        `base` was forgotten meanwhile."""
        self._renew()
        if self._opened is not None:
            self._opened.refresh()
        return PointWriter(
            self._objects,
            self.index,
            system=system,
            server=server,
            base=base,
            taken_at=taken_at,
            locked_until=locked_until,
        )

    def read(self, point: RecoveryPoint, disk: str) -> DiskReader:
        """Raises YuiError for a disk that the point does not hold."""
        self._renew()
        return DiskReader(ItemReader(self._objects, self.index), point.disk(disk), point.id)

    def forget(self, id: str) -> None:
        """The point exists no longer; what only it needs goes with the collector. Forgotten already is
        success. Raises ObjectLocked while its retention holds."""
        for facts in self.points():
            if facts.id == id:
                self._objects.delete(facts.key)

    def rotate(self, *, after: str | None = None) -> None:
        """What is written from now on is sealed with a new key; what is stored stays readable. `after`
        names the seal key that the new one is to follow: where another follows it already, that was
        done before, and nothing is put. Raises ObjectStoreError."""
        self._check_stands()

        def change(newest: Keyring, now: datetime) -> Keyring | None:
            return newest.rotated(now) if after in (None, newest.sealing.id) else None

        self._keyring = put_keyring(self._objects, self._key, self._keyring, change)
        self.close()

    def rewrap(self, key: RepositoryKey) -> bool:
        """From now on another repository key opens the keyring, and this one no more. The generations that
        the old key opens are deleted last, so that at any time one of them does. Whether anything was put:
        where it was done before, only what is left of the old is deleted. Raises ObjectLocked where
        retention holds some of that."""
        self._check_stands()
        alone = replace(key, former=None)
        newest = self._known_to(alone)
        held = locked_until(self._objects, self.tenant)
        put = newest is None
        if newest is None:
            newest = put_keyring(
                self._objects, self._key, self._keyring, lambda r, _: r.next_generation(), alone
            )
        if held is not None:
            self._objects.lock(keyring_object(self.tenant, newest.generation), held)
        delete_keyrings(self._objects, self.tenant, newest.generation - 1)
        self._keyring, self._key = newest, alone
        self.close()
        return put

    def escrow(self, recipient: str | X25519PublicKey) -> bytes:
        """A file with which the member reads its backups alone (docs/repository-format.md), sealed to a
        passphrase or a public key. After each rotation a new one is needed."""
        self._renew()
        now = self._objects.now().replace(microsecond=0)
        if isinstance(recipient, str):
            return seal_to_passphrase(self.keyring, recipient, now)
        return seal_to_public_key(self.keyring, recipient, now)

    def destruction(self) -> DestructionRecord:
        """What `destroy` would do now; nothing is done."""
        self._renew()
        return self._record(tuple(generations(self._objects, self.tenant)))

    def destroy(self) -> DestructionRecord:
        """Delete every generation of the keyring: nothing of the tenant's can be read from this
        repository again, except with an escrow file or another repository's keyring. Deleted objects may
        stay as old versions where the store keeps such. Raises ObjectLocked; begin again then."""
        self._check_stands()
        record = self._record(())
        gone = delete_keyrings(self._objects, self.tenant)
        self._destroyed = True
        self.close()
        return replace(record, generations=gone, at=self._objects.now())

    def _record(self, generations: tuple[int, ...]) -> DestructionRecord:
        return DestructionRecord(
            tenant=self.tenant,
            store=self._objects.name,
            at=self._objects.now(),
            generations=generations,
            seal_keys=tuple(key.id for key in self._keyring.seal_keys),
            repository_key=self._key.id,
            points=len(self.points()),
        )

    def _renew(self) -> None:
        """Others may have rotated or destroyed the keys since. Raises YuiError."""
        self._check_stands()
        newest = newest_keyring(self._objects, self._key, self.tenant)
        if newest is None or newest.id_key != self._keyring.id_key:
            self._destroyed = True
            self.close()
            raise vault_destroyed(self.tenant)
        self._keyring = newest
        if self._opened is not None:
            self._opened.keyring = newest

    def _known_to(self, key: RepositoryKey) -> Keyring | None:
        """The newest keyring, if that key opens it. Raises YuiError where there is none."""
        try:
            newest = newest_keyring(self._objects, key, self.tenant)
        except YuiError as error:
            if error.type != WRONG_KEY:
                raise
            return None
        if newest is None:
            raise vault_destroyed(self.tenant)
        return newest

    def _facts(self, id: str) -> PointFacts:
        if is_point_id(id):
            for facts in self.points():
                if facts.id == id:
                    return facts
        raise no_point(self.tenant, id)

    def _check_stands(self) -> None:
        if self._destroyed:
            raise vault_destroyed(self.tenant)
