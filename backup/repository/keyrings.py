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
from backup.repository.sizes import LARGEST_KEYRING, read_whole
from control_plane.drivers.objects import NoSuchObject, ObjectExists, ObjectLocked, ObjectStore

REPOSITORY_OBJECT = "repository.json"
_TRIES = 8


def generations(objects: ObjectStore, tenant: str) -> list[int]:
    """Those that are there, the oldest first. Raises ObjectStoreError."""
    found = (generation_of(fact.key) for fact in objects.list(keyrings_prefix(tenant)))
    return sorted(each for each in found if each)


def newest_keyring(objects: ObjectStore, key: RepositoryKey, tenant: str) -> Keyring | None:
    """None: it has none here. Raises YuiError("backup-wrong-key"), Damaged, ObjectStoreError."""
    for _ in range(_TRIES):
        found = generations(objects, tenant)
        if not found:
            return None
        newest = found[-1]
        try:
            data = read_whole(objects, keyring_object(tenant, newest), LARGEST_KEYRING)
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
    change: Callable[[Keyring, datetime], Keyring | None],
    wrap_with: RepositoryKey | None = None,
) -> Keyring:
    """The next generation, made from the newest by `change`; begun again when another put one. `change`
    gives None where the newest is as it should be, which is then the answer."""
    tenant = keyring.tenant
    for _ in range(_TRIES):
        newest = newest_keyring(objects, key, tenant)
        if newest is None:
            raise no_vault(objects.name, tenant)
        changed = change(newest, _now(objects))
        if changed is None:
            return newest
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


def delete_keyrings(objects: ObjectStore, tenant: str, up_to: int | None = None) -> tuple[int, ...]:
    """The generations that were there, all or those up to one; from the oldest on: the last deletion is
    what counts. None there is success. Raises ObjectLocked, ObjectStoreError."""
    gone: list[int] = []
    while True:
        left = [each for each in generations(objects, tenant) if up_to is None or each <= up_to]
        if not left:
            break
        for generation in left:
            objects.delete(keyring_object(tenant, generation))
            gone.append(generation)
    for fact in list(objects.list(keyrings_prefix(tenant))) if up_to is None else ():
        # Whatever somebody else put among them; it opens nothing.
        with contextlib.suppress(ObjectLocked):
            objects.delete(fact.key)
    return tuple(gone)


def locked_until(objects: ObjectStore, tenant: str) -> datetime | None:
    """Until when the tenant's keyring can't be deleted, by the store's clock; None: it can be now. Raises
    ObjectStoreError."""
    ends: list[datetime] = []
    for generation in generations(objects, tenant):
        with contextlib.suppress(NoSuchObject):
            until = objects.stat(keyring_object(tenant, generation)).locked_until
            if until is not None:
                ends.append(until)
    last = max(ends, default=None)
    return last if last is not None and last > objects.now() else None


def lock_keys(objects: ObjectStore, keyring: Keyring, until: datetime) -> None:
    """Retention of what is sealed is worth nothing without what opens it: whoever may delete the keyring
    takes all of it away. One that another has taken the place of was seen to by whoever put that."""
    for key in (REPOSITORY_OBJECT, keyring_object(keyring.tenant, keyring.generation)):
        with contextlib.suppress(NoSuchObject):
            objects.lock(key, until)


def _now(objects: ObjectStore) -> datetime:
    return objects.now().replace(microsecond=0)
