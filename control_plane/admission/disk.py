"""Admits what takes disk alone: a volume or a snapshot on a given storage pool."""

from __future__ import annotations

from collections.abc import Collection

from control_plane.admission import quota
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId, StoragePoolId
from control_plane.model.ledger import Ledger
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.placement.holdings import taken_for, with_holdings
from control_plane.store import Transaction


def take_disk(
    tx: Transaction, region: RegionId, tenant: MunicipalityCode, pool: StoragePoolId, size: GiB
) -> Ledger:
    """Make room for `size` in the transaction that is about to add it: counted against the quota, taken
    out of what is held for the member's guarantee as far as it is guaranteed, and within what the pool
    has left. Answers the ledger from before. Two that do so at the same time can't both: the storage
    pool's generation guards it.

    Raises `quota-exceeded`, `storage-full`, LostRace."""
    quota.check(tx, region, tenant, Capacity(disk=size))
    ledger = tx.ledger(region)
    tx.hold_storage(pool)
    given_up = taken_for(ledger, tenant.text, Capacity(disk=size))
    left = with_holdings(ledger, given_up).storage[pool]
    lack = size - (left.capacity - left.used)
    if lack > 0:
        raise YuiError(
            "storage-full",
            en=f"The storage lacks {lack} GiB for {size} GiB more: delete what is not needed, ask for less, or ask the operators for more storage.",
            ja=f"{size} GiB を追加するには、ストレージが {lack} GiB 不足しています。不要なものを削除するか、容量を減らすか、運用担当者に増設を依頼してください。",
            status=409,
            fields={"wanted_gib": size, "shortfall_gib": lack},
        )
    tx.set_holdings(region, given_up)
    return ledger


def roomiest(ledger: Ledger, among: Collection[StoragePoolId] | None = None) -> StoragePoolId:
    """The storage pool with most room that a host in service reaches, of those of `among` where that is
    said. Raises `storage-missing` where there is none."""
    reached = {pool for host in ledger.hosts.values() for pool in host.storage}
    wanted = reached if among is None else reached.intersection(among)
    found = sorted(
        (pool for pool in ledger.storage.values() if pool.id in wanted),
        key=lambda pool: (pool.used - pool.capacity, pool.id),
    )
    if not found:
        raise YuiError(
            "storage-missing",
            en=f"Region '{ledger.region}' has no storage for volumes yet: ask the operators.",
            ja=f"リージョン「{ledger.region}」にはボリューム用のストレージがまだありません。運用担当者にお問い合わせください。",
            status=409,
            fields={"region": ledger.region},
        )
    return found[0].id
