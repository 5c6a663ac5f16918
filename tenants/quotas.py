"""What members have of the pool: read, and set."""

from __future__ import annotations

from control_plane.http.principal import Principal
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.placement import lendable
from control_plane.store import Snapshot
from control_plane.store.rows import TenantName, not_found
from tenants.quota_models import Amounts, QuotaOut


def quotas(tx: Snapshot, tenant: TenantName | None, region: RegionId | None) -> list[QuotaOut]:
    """Of one member or of all, by member and region."""
    found = tx.allotments(tenant, region)
    used = tx.usage(tenant)
    ledgers = {name: tx.ledger(name) for name in sorted({one.region for one in found})}
    lent = {name: lendable(ledger) for name, ledger in ledgers.items()}
    return [
        quota_out(one, used.get((one.tenant.text, one.region), Capacity()), lent[one.region])
        for one in found
    ]


def quota_of(tx: Snapshot, who: Principal, code: str, region: RegionId | None) -> QuotaOut:
    """Of one member. Raises `tenant-not-found`, also for another member's, `region-not-found`,
    `region-unclear`, `quota-not-set`."""
    tenant = member_of(tx, who, code)
    return quotas(tx, tenant, region_of(tx, tenant, region))[0]


def member_of(tx: Snapshot, who: Principal, code: str) -> str:
    if who.tenant is not None and who.tenant.text != code:
        raise not_found("tenant", code)
    return tx.tenant(code).code.text


def region_of(tx: Snapshot, tenant: str, asked: RegionId | None) -> RegionId:
    """The region in which a member has capacity, or the one that was asked for among them."""
    known = [one.region for one in tx.allotments(tenant)]
    if asked is not None:
        tx.region(asked)
    if asked is None and len(known) == 1:
        return known[0]
    if asked is not None and asked in known:
        return asked
    if asked is None and known:
        raise YuiError(
            "region-unclear",
            en=f"Member {tenant} has capacity in {', '.join(known)}: say which region is meant.",
            ja=f"参加団体 {tenant} は {'・'.join(known)} に割り当てがあります。リージョンを指定してください。",
            fields={"tenant": tenant, "regions": list(known)},
        )
    raise YuiError(
        "quota-not-set",
        en=f"Member {tenant} has neither a guarantee nor a quota there: an operator or approver can set them.",
        ja=f"参加団体 {tenant} には、まだ保証量もクォータも設定されていません。運用担当者または承認者が設定できます。",
        status=404,
        fields={"tenant": tenant},
    )


def quota_out(allotment: Allotment, used: Capacity, lent: Capacity) -> QuotaOut:
    return QuotaOut(
        tenant=allotment.tenant.text,
        region=allotment.region,
        guaranteed=amounts(allotment.guaranteed),
        quota=amounts(allotment.quota),
        used=amounts(used),
        borrowed=amounts(allotment.borrowed(used)),
        borrowable=amounts(allotment.borrowable(used, lent)),
        unproved=amounts(Capacity()),
        generation=allotment.generation,
    )


def amounts(capacity: Capacity) -> Amounts:
    return Amounts(**dict(capacity))
