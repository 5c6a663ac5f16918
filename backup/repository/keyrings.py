"""A tenant's keyring in a store: each generation is put once, the highest counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from backup.repository.errors import no_vault
from backup.repository.keys import (
    Keyring,
    RepositoryKey,
    generation_of,
    keyring_object,
    keyrings_prefix,
    unwrap,
    wrap,
)
from control_plane.drivers.objects import NoSuchObject, ObjectExists, ObjectStore

REPOSITORY_OBJECT = "repository.json"
_TRIES = 8


def newest_keyring(objects: ObjectStore, key: RepositoryKey, tenant: str) -> Keyring | None:
    """None: it has none here. Raises YuiError("backup-wrong-key"), Damaged, ObjectStoreError."""
    for _ in range(_TRIES):
        found = [generation_of(fact.key) for fact in objects.list(keyrings_prefix(tenant))]
        generations = [generation for generation in found if generation]
        if not generations:
            return None
        newest = max(generations)
        try:
            data = objects.get(keyring_object(tenant, newest))
        except NoSuchObject:
            continue
        return unwrap(data, key, tenant=tenant, generation=newest, store=objects.name)
    return None


def create_keyring(objects: ObjectStore, key: RepositoryKey, tenant: str) -> Keyring:
    """The first generation; another's, where another was quicker."""
    keyring = Keyring.generate(tenant, _now(objects))
    try:
        objects.put(keyring_object(tenant, 1), wrap(keyring, key), only_new=True)
    except ObjectExists:
        newest = newest_keyring(objects, key, tenant)
        if newest is None:
            raise no_vault(objects.name, tenant) from None
        return newest
    return keyring


def put_keyring(
    objects: ObjectStore,
    key: RepositoryKey,
    keyring: Keyring,
    change: Callable[[Keyring, datetime], Keyring],
    wrap_with: RepositoryKey | None = None,
) -> Keyring:
    """The next generation, made from the newest by `change`; begun again when another put one."""
    tenant = keyring.tenant
    for _ in range(_TRIES):
        newest = newest_keyring(objects, key, tenant)
        if newest is None:
            raise no_vault(objects.name, tenant)
        changed = change(newest, _now(objects))
        try:
            objects.put(
                keyring_object(tenant, changed.generation),
                wrap(changed, wrap_with or key),
                only_new=True,
            )
        except ObjectExists:
            continue
        return changed
    raise ObjectExists(f"The keyring of tenant {tenant} in {objects.name} is changed all the time.")


def lock_keys(objects: ObjectStore, keyring: Keyring, until: datetime) -> None:
    """Retention of what is sealed is worth nothing without what opens it: whoever may delete the keyring
    takes all of it away. One that another has taken the place of was seen to by whoever put that."""
    for key in (REPOSITORY_OBJECT, keyring_object(keyring.tenant, keyring.generation)):
        with contextlib.suppress(NoSuchObject):
            objects.lock(key, until)


def _now(objects: ObjectStore) -> datetime:
    return objects.now().replace(microsecond=0)
