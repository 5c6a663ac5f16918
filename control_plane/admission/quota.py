"""Nobody asks for more than its quota: counted in the transaction that adds to what it wants.

The quota bounds what is wanted: what servers, volumes and snapshots use, and what container groups on
record would take. Nothing else counts groups: they hold no room, so they use up no guarantee and borrow
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from control_plane.admission.borrowing import refuse_more_than_left
from control_plane.admission.leaving import refuse_leaving
from control_plane.model.allotment import Allotment, Capacity
from control_plane.model.errors import YuiError
from control_plane.model.ids import RegionId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Transaction

_EN = {"vcpus": "vCPU", "memory_mib": "MiB of memory", "disk_gib": "GiB of disk"}
_JA = {"vcpus": "vCPU", "memory_mib": "メモリ(MiB)", "disk_gib": "ディスク(GiB)"}


def check(tx: Transaction, region: RegionId, tenant: MunicipalityCode, asked: Capacity) -> None:
    """Call it before adding `asked` (for a resize: what it grows by) in the same transaction. Where
    two ask at the same time, one of them loses its race and counts again.

    Raises `quota-exceeded` naming each resource with what is used, on record, asked and allowed,
    `member-leaving`, and `room-is-asked-back`.
    """
    found = _within_quota(tx, region, tenant, asked)
    if found is not None:
        refuse_more_than_left(tx, *found, asked)


def check_on_record(
    tx: Transaction, region: RegionId, tenant: MunicipalityCode, asked: Capacity
) -> None:
    """As `check`, for what holds no room: it borrows none, so none that is asked back stands in its
    way. Raises `quota-exceeded` and `member-leaving`."""
    _within_quota(tx, region, tenant, asked)


def _within_quota(
    tx: Transaction, region: RegionId, tenant: MunicipalityCode, asked: Capacity
) -> tuple[Allotment, Capacity] | None:
    """What the member has and uses; None where it has no limit."""
    refuse_leaving(tx, tenant)
    allotment = tx.claim_allotment(tenant, region)
    if allotment is None:
        return None
    used, on_record = tx.used_by(tenant, region), tx.on_record_by(tenant, region)
    over = dict((used + on_record + asked).beyond(allotment.quota))
    # What is not asked for is no reason to refuse, should a quota have been set below what is used.
    exceeded = [
        {"resource": name, "used": had, "container_groups": groups, "asked": wants, "quota": most}
        for (name, had), (_, groups), (_, wants), (_, most) in zip(
            used, on_record, asked, allotment.quota, strict=True
        )
        if over[name] and wants
    ]
    if exceeded:
        raise _exceeded(region, tenant, exceeded)
    return allotment, used


def _exceeded(
    region: RegionId, tenant: MunicipalityCode, exceeded: list[dict[str, object]]
) -> YuiError:
    en = "; ".join(map(_one_en, exceeded))
    ja = "、".join(map(_one_ja, exceeded))
    return YuiError(
        "quota-exceeded",
        en=f"Member {tenant} would go beyond its quota in region '{region}': {en}. Delete something, or ask the consortium for a larger quota.",
        ja=f"参加団体 {tenant} のリージョン「{region}」でのクォータを超えます。{ja}です。不要なものを削除するか、クォータの引き上げを依頼してください。",
        status=409,
        fields={"tenant": tenant.text, "region": region, "exceeded": exceeded},
    )


def _one_en(e: Mapping[str, object]) -> str:
    groups = f", {e['container_groups']:,} more are in container groups on record,"
    return (
        f"{e['used']:,} of {e['quota']:,} {_EN[str(e['resource'])]} are used"
        f"{groups if e['container_groups'] else ''} and {e['asked']:,} asked for"
    )


def _one_ja(e: Mapping[str, object]) -> str:
    groups = f"、{e['container_groups']:,} をコンテナーグループとして登録済み"
    return (
        f"{_JA[str(e['resource'])]}は上限 {e['quota']:,} のうち {e['used']:,} を使用中"
        f"{groups if e['container_groups'] else ''}で、今回の要求は {e['asked']:,}"
    )
