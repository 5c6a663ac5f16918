"""Opens members' vaults in the repositories on record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from backup.keeper.counted_objects import CountedObjects
from backup.key_refs import key_at
from backup.repository import Keyring, RepositoryKey, Vault
from backup.repository import Repository as OpenRepository
from control_plane.drivers.world import World
from control_plane.model.backup.places import Repository
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode

_ABSENT = "backup-repository-absent"
_EXISTS = "backup-repository-exists"


@dataclass(frozen=True, slots=True)
class OpenVault:
    vault: Vault
    objects: CountedObjects


@dataclass(frozen=True, slots=True)
class Vaults:
    """`cache` is a folder for what only saves reading; None: nothing is kept between two openings.
    Nothing stays open: keys are in memory for as long as they are needed."""

    world: World
    cache: Path | None = None

    def open(
        self,
        repository: Repository,
        tenant: MunicipalityCode,
        *,
        create: bool = False,
        empty: Callable[[], bool] = lambda: False,
        read: Callable[[int], None] = lambda _: None,
    ) -> OpenVault:
        """`read` is told of every so many bytes that were read, and may hold the reading back. `create`: makes the member's keyring where it has none; `empty` tells whether nothing was ever written
        there, as far as is on record, so the repository itself may be made too. Where something was, a
        place without a repository is another place than before, and nothing is begun in it.

        Raises YuiError, ObjectStoreError."""
        opened, objects = self._opened(repository, create=create, empty=empty, read=read)
        vault = opened.vault(tenant, create=create, cache=self._cache(repository))
        return OpenVault(vault, objects)

    def open_copy(
        self, repository: Repository, keyring: Keyring, empty: Callable[[], bool]
    ) -> OpenVault:
        """For copies of what another repository holds under that keyring; `empty` as for `open`."""
        opened, objects = self._opened(repository, create=True, empty=empty)
        opened.receive_keyring(keyring)
        vault = opened.vault(MunicipalityCode(keyring.tenant), cache=self._cache(repository))
        return OpenVault(vault, objects)

    def key(self, repository: Repository) -> RepositoryKey:
        """Raises YuiError."""
        return self._keys(repository)

    def tenants(self, repository: Repository) -> list[str]:
        """Codes of the members that have anything there. Raises YuiError, ObjectStoreError."""
        opened, _ = self._opened(repository, create=False, empty=lambda: False)
        return opened.tenants()

    def _opened(
        self,
        repository: Repository,
        *,
        create: bool,
        empty: Callable[[], bool],
        read: Callable[[int], None] = lambda _: None,
    ) -> tuple[OpenRepository, CountedObjects]:
        objects = CountedObjects(self.world.objects(repository.place), read)
        key = self.key(repository)
        try:
            return OpenRepository.open(objects, key), objects
        except YuiError as error:
            if error.type != _ABSENT or not (create and empty()):
                raise
        try:
            return OpenRepository.create(objects, key), objects
        except YuiError as error:
            if error.type != _EXISTS:
                raise
            # Another run was the first.
            return OpenRepository.open(objects, key), objects

    def _cache(self, repository: Repository) -> Path | None:
        return None if self.cache is None else self.cache / repository.id

    @staticmethod
    def _keys(repository: Repository) -> RepositoryKey:
        """With the one before it, where that may open some keyrings yet. Raises YuiError."""
        key = key_at(repository.key_ref, repository.id)
        if repository.former_key_ref is not None:
            # What is wrapped anew opens without it, and what is not says which key it takes.
            with suppress(YuiError):
                return replace(key, former=key_at(repository.former_key_ref, repository.id))
        return key
