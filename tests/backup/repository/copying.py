"""A copy of a tenant's part to another repository, in the order that the format asks for and no faster."""

from __future__ import annotations

from backup.repository import Repository, Vault
from backup.repository.reliance import condemned_packs
from control_plane.drivers.objects import NoSuchObject


def copy_tenant(source: Vault, target: Repository, tenant: str) -> None:
    """Packs, then indexes, then manifests. A manifest is left for the next time where a pack that it may
    need is condemned there, or gone."""
    target.receive_keyring(source.keyring)
    manifests = [facts.key for facts in source.objects.list(f"tenants/{tenant}/points/")]
    needed: set[bytes] = set()
    for kind in ("packs", "index"):
        for facts in list(source.objects.list(f"tenants/{tenant}/{kind}/")):
            if kind == "packs":
                needed.add(bytes.fromhex(facts.key.rpartition("/")[2]))
            _copy(source, target, facts.key)
    there = {
        bytes.fromhex(facts.key.rpartition("/")[2])
        for facts in target.objects.list(f"tenants/{tenant}/packs/")
    }
    if needed & condemned_packs(target.objects, tenant) or needed - there:
        return
    for key in manifests:
        _copy(source, target, key)


def _copy(source: Vault, target: Repository, key: str) -> None:
    try:
        target.objects.stat(key)
    except NoSuchObject:
        try:
            data = source.objects.get(key)
        except NoSuchObject:
            return
        target.objects.put(key, data)
