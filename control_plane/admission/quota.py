"""Nobody asks for more than its quota: counted in the transaction that adds to what it uses."""

from __future__ import annotations

from control_plane.admission.borrowing import refuse_more_than_left
from control_plane.admission.leaving import refuse_leaving
from control_plane.model.allotment import Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction

_EN = {"vcpus": "vCPU", "memory_mib": "MiB of memory", "disk_gib": "GiB of disk"}
_JA = {"vcpus": "vCPU", "memory_mib": "メモリ(MiB)", "disk_gib": "ディスク(GiB)"}


def check(tx: Transaction, region: RegionId, tenant: MunicipalityCode, asked: Capacity) -> None:
    """Call it before adding `asked` (for a resize: what it grows by) in the same transaction. Where
    two ask at the same time, one of them loses its race and counts again.

    Raises `quota-exceeded` naming each resource with what is used, asked and allowed, and
    `member-leaving`.
    """
    refuse_leaving(tx, tenant)
    allotment = tx.claim_allotment(tenant, region)
    if allotment is None:
        return
    used = tx.used_by(tenant, region)
    over = dict((used + asked).beyond(allotment.quota))
    # What is not asked for is no reason to refuse, should a quota have been set below what is used.
    exceeded = [
        {"resource": name, "used": had, "asked": wants, "quota": most}
        for (name, had), (_, wants), (_, most) in zip(used, asked, allotment.quota, strict=True)
        if over[name] and wants
    ]
    if exceeded:
        raise _exceeded(region, tenant, exceeded)
    refuse_more_than_left(tx, allotment, used, asked)


def _exceeded(
    region: RegionId, tenant: MunicipalityCode, exceeded: list[dict[str, object]]
) -> YuiError:
    en = ", ".join(
        f"{e['used']:,} of {e['quota']:,} {_EN[str(e['resource'])]} are used and {e['asked']:,} asked for"
        for e in exceeded
    )
    ja = "、".join(
        f"{_JA[str(e['resource'])]}は上限 {e['quota']:,} のうち {e['used']:,} を使用中で、今回の要求は {e['asked']:,}"
        for e in exceeded
    )
    return YuiError(
        "quota-exceeded",
        en=f"Member {tenant} would go beyond its quota in region '{region}': {en}. Delete something, or ask the consortium for a larger quota.",
        ja=f"参加団体 {tenant} のリージョン「{region}」でのクォータを超えます。{ja}です。不要なものを削除するか、クォータの引き上げを依頼してください。",
        status=409,
        fields={"tenant": tenant.text, "region": region, "exceeded": exceeded},
    )
