"""What members have of the pool: read, and set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from control_plane.admission import guarantee
from control_plane.http.edge import Edge
from control_plane.http.principal import Principal
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import Generation, RegionId
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.placement import lendable, unproved
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import TenantName, not_found
from tenants.quota_models import Amounts, QuotaOut


@dataclass(frozen=True, slots=True)
class QuotaWanted:
    """`expected` is the generation that was read, where that counts."""

    code: str
    region: RegionId | None
    guaranteed: Capacity
    quota: Capacity
    expected: Generation | None


def quotas(tx: Snapshot, tenant: TenantName | None, region: RegionId | None) -> list[QuotaOut]:
    """Of one member or of all, by member and region."""
    found = tx.allotments(tenant, region)
    used, on_record = tx.usage(tenant), tx.on_record(tenant)
    ledgers = {name: tx.ledger(name) for name in sorted({one.region for one in found})}
    lent = {name: lendable(ledger) for name, ledger in ledgers.items()}
    short = {name: unproved(ledger) for name, ledger in ledgers.items()}
    return [
        quota_out(
            one,
            used.get((one.tenant.text, one.region), Capacity()),
            on_record.get((one.tenant.text, one.region), Capacity()),
            lent[one.region],
            short[one.region].get(one.tenant.text, Capacity()),
        )
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


def quota_out(
    allotment: Allotment, used: Capacity, on_record: Capacity, lent: Capacity, short: Capacity
) -> QuotaOut:
    return QuotaOut(
        tenant=allotment.tenant.text,
        region=allotment.region,
        guaranteed=amounts(allotment.guaranteed),
        quota=amounts(allotment.quota),
        used=amounts(used),
        container_groups=amounts(on_record),
        borrowed=amounts(allotment.borrowed(used)),
        borrowable=amounts(allotment.borrowable(used, lent, on_record)),
        unproved=amounts(short),
        generation=allotment.generation,
    )


def amounts(capacity: Capacity) -> Amounts:
    return Amounts(**dict(capacity))


def set_quota(
    edge: Edge,
    wanted: QuotaWanted,
    who: Principal,
    keep: Callable[[Transaction, QuotaOut], None],
    *,
    dry_run: bool = False,
) -> tuple[QuotaOut | None, QuotaOut]:
    """Set what a member is guaranteed and may ask for: as it was, and as it is then. Raises what
    `guarantee` raises, and `region-unclear`, `quota-not-set`."""
    with edge.store.read() as tx:
        code = member_of(tx, who, wanted.code)
        region = region_of(tx, code, None) if wanted.region is None else tx.region(wanted.region).id
        before = quotas(tx, code, region)

    def finish(tx: Transaction, allotment: Allotment) -> QuotaOut:
        (after,) = quotas(tx, code, region)
        at = edge.clock.now()
        fields = {
            "region": region,
            "guaranteed": dict(allotment.guaranteed),
            "quota": dict(allotment.quota),
        }
        tx.add_event(_event(allotment, at, fields))
        tx.add_audit(
            who.did("quota.set", f"member:{code}", at, tenant=allotment.tenant, fields=fields)
        )
        keep(tx, after)
        return after

    done = guarantee(
        edge.store,
        region,
        MunicipalityCode(code),
        wanted.guaranteed,
        finish,
        quota=wanted.quota,
        expected=wanted.expected,
        dry_run=dry_run,
    )
    return (before[0] if before else None), done.result


def _event(allotment: Allotment, at: datetime, fields: Mapping[str, object]) -> Event:
    sure, most = (
        f"{c.vcpu} vCPU, {c.memory:,} MiB, {c.disk:,} GiB"
        for c in (allotment.guaranteed, allotment.quota)
    )
    return Event(
        "quota.set",
        f"member:{allotment.tenant}",
        at,
        Severity.INFO,
        f"Member {allotment.tenant} is guaranteed {sure} in region '{allotment.region}', and may ask for {most} at most.",
        f"参加団体 {allotment.tenant} のリージョン「{allotment.region}」での保証量は {sure}、クォータは {most} になりました。",
        tenant=allotment.tenant.text,
        fields=fields,
    )
