"""A repository: a place in a store of objects where backups of many tenants lie, each in a vault that
only its own keys open."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.repository.canonical import canonical_json, time_text
from backup.repository.description import described
from backup.repository.errors import (
    malformed,
    no_vault,
    not_a_repository,
    repository_exists,
    unknown_version,
)
from backup.repository.keyrings import REPOSITORY_OBJECT, create_keyring, newest_keyring
from backup.repository.keys import Keyring, RepositoryKey, keyring_object, wrap
from backup.repository.sizes import LARGEST_SMALL, read_whole
from backup.repository.vault import Vault
from control_plane.drivers.objects import NoSuchObject, ObjectExists, ObjectStore
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class Repository:
    """Opening needs no tenant's key: what is damaged there does not touch others."""

    objects: ObjectStore
    key: RepositoryKey
    id: str
    created: datetime

    @staticmethod
    def create(objects: ObjectStore, key: RepositoryKey) -> Repository:
        """Raises YuiError("backup-repository-exists"), ObjectStoreError."""
        id, created = secrets.token_hex(16), objects.now().replace(microsecond=0)
        data = canonical_json(
            {"format": "yui-repository", "version": 1, "id": id, "created": time_text(created)}
        )
        try:
            objects.put(REPOSITORY_OBJECT, data, only_new=True)
        except ObjectExists:
            raise repository_exists(objects.name) from None
        return Repository(objects, key, id, created)

    @staticmethod
    def open(objects: ObjectStore, key: RepositoryKey) -> Repository:
        """Raises YuiError("backup-repository-absent", "backup-version-unknown"), Damaged,
        ObjectStoreError."""
        try:
            data = read_whole(objects, REPOSITORY_OBJECT, LARGEST_SMALL)
        except NoSuchObject:
            raise not_a_repository(objects.name) from None
        try:
            version, id, created = described(data)
        except ValueError:
            raise malformed(REPOSITORY_OBJECT, "the repository's description") from None
        if version != 1:
            raise unknown_version(objects.name, version)
        return Repository(objects, key, id, created)

    def tenants(self) -> list[str]:
        """Codes of the tenants that have anything here."""
        found: list[str] = []
        after = "tenants/"
        while True:
            fact = next(self.objects.list("tenants/", after=after), None)
            if fact is None:
                return found
            code = fact.key.split("/")[1]
            found.append(code)
            # "0" sorts right behind "/": the next key that begins otherwise.
            after = f"tenants/{code}0"

    def vault(
        self, tenant: MunicipalityCode, *, create: bool = False, cache: Path | None = None
    ) -> Vault:
        """`cache`: a folder for all repositories on this machine, which may be lost at any time.
        Raises YuiError("backup-vault-absent") unless `create`, YuiError("backup-wrong-key"), Damaged,
        ObjectStoreError."""
        code = str(tenant)
        keyring = newest_keyring(self.objects, self.key, code)
        if keyring is None and create:
            keyring = create_keyring(self.objects, self.key, code)
        if keyring is None:
            raise no_vault(self.objects.name, code)
        folder = cache / self.id / code if cache is not None else None
        return Vault(self.objects, self.key, keyring, folder)

    def receive_keyring(self, keyring: Keyring) -> None:
        """Another repository's keyring of a tenant, wrapped under this one's key; there already is
        success. Copies of the tenant's objects can be read from then on. Raises ObjectStoreError."""
        newest = newest_keyring(self.objects, self.key, keyring.tenant)
        if newest is not None and newest.secret_json() == keyring.secret_json():
            return
        if newest is not None and newest.generation >= keyring.generation:
            raise ObjectExists(
                f"Tenant {keyring.tenant} has another keyring in {self.objects.name} already."
            )
        self.objects.put(
            keyring_object(keyring.tenant, keyring.generation),
            wrap(keyring, self.key),
            only_new=True,
        )
