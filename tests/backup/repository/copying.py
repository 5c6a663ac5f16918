"""A tenant's part of a repository in another one."""

from __future__ import annotations

from backup.replication import Replication
from backup.repository import Repository, Vault
from control_plane.drivers.objects import NoSuchObject
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode


def replicate_tenant(source: Vault, target: Repository, tenant: str) -> None:
    """As Yui does. What the collector there is about to delete is left for the next time."""
    target.receive_keyring(source.keyring)
    with target.vault(MunicipalityCode(tenant)) as vault:
        replication = Replication(source, vault)
        for facts in source.points():
            try:
                replication.copy(facts.id)
            except YuiError as error:
                if error.type != "backup-overtaken":
                    raise


def copy_tenant(source: Vault, target: Repository, tenant: str) -> None:
    """Object by object, as anybody could, in the order that the format asks for."""
    target.receive_keyring(source.keyring)
    for kind in ("packs", "index", "points"):
        for facts in list(source.objects.list(f"tenants/{tenant}/{kind}/")):
            try:
                target.objects.stat(facts.key)
            except NoSuchObject:
                target.objects.put(facts.key, source.objects.get(facts.key))
