"""Where a member's data may lie, and disasters that are declared, over HTTP."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated

from fastapi import APIRouter, Response

from backup.api.common import REHEARSED, Known, Reader, Writer, refused, tell
from backup.api.place_models import (
    DisasterIn,
    DisasterOut,
    LocationRuleIn,
    LocationRuleOut,
    RevokeIn,
)
from backup.api.plan import BackupPlan, plan
from backup.records.estate import Blueprints, Estate
from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.operations import draw
from control_plane.model.access import Permission
from control_plane.model.backup.check import check_policy
from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import DeclarationId
from control_plane.model.backup.places import LocationRule
from control_plane.model.ids import RegionId
from control_plane.model.operation import Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed, replaced
from control_plane.store import Snapshot, Transaction
from control_plane.store.rows import not_found

router = APIRouter(prefix="/v1", tags=["backups"])

Declarer = Annotated[Principal, needs(Permission.DISASTERS_DECLARE)]


@router.get("/members/{code}/location-rule")
def read_rule(code: CodeText, who: Reader, edge: AtHand) -> LocationRuleOut:
    """Where a member's copies may lie, and what says so."""
    with edge.store.read() as tx:
        tenant = _member(tx, code, who)
        return _rule_out(tenant, tx.location_rule(tenant))


@router.put("/members/{code}/location-rule", response_model=LocationRuleOut | BackupPlan)
@audited("location-rule.set", "member")
def put_rule(
    code: CodeText,
    body: LocationRuleIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    blueprints: Known,
    dry_run: DryRun = False,
) -> Response:
    """Say where a member's copies may lie. What lies elsewhere goes, once it lies where it may; a rehearsal
    names the systems whose policies then can't be kept."""

    def put(tx: Transaction) -> LocationRule:
        tenant = _member(tx, code, who)
        if not body.prefectures and not body.regions:
            raise refused(
                "location-rule-empty",
                "A rule without any prefecture or region forbids every copy: name where they may lie.",
                "都道府県もリージョンもないと、どこにもコピーを置けません。置ける場所を指定してください。",
                422,
            )
        with named_in_body():
            regions = frozenset(tx.region(RegionId(each)).id for each in body.regions)
        at = edge.clock.now()
        kept = tx.put_location_rule(
            LocationRule(
                tenant,
                frozenset(body.prefectures),
                regions,
                body.basis,
                body.decided_on,
                who.label,
                at,
            )
        )
        tell(
            tx,
            who,
            "location-rule.set",
            f"member:{tenant}",
            at=at,
            said=(
                f"{who.label} recorded where the data of {tenant} may lie: {_where(kept)} ({kept.basis}).",
                f"{who.label} さんが、参加団体 {tenant} のデータを置ける場所を {_where(kept)} と記録しました({kept.basis})。",
            ),
            tenant=tenant,
            fields={
                "prefectures": sorted(kept.prefectures),
                "regions": sorted(kept.regions),
                "basis": kept.basis,
                "decided_on": kept.decided_on.isoformat(),
            },
        )
        return kept

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            before = tx.location_rule(_member(tx, code, who))
            kept = put(tx)
            warnings = _unkept(tx, blueprints, kept.tenant)
        was = None if before is None else _where(before)
        return plan(
            replaced(f"/members/{code}/location-rule", was, _where(kept)), warnings=warnings
        )

    def work(remember: Remember) -> LocationRuleOut:
        with edge.store.write() as tx:
            kept = put(tx)
            answer = _rule_out(kept.tenant, kept)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.delete("/members/{code}/location-rule", response_model=LocationRuleOut | BackupPlan)
@audited("location-rule.remove", "member")
def remove_rule(
    code: CodeText, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Copies may lie anywhere in the pool again."""

    def take(tx: Transaction) -> MunicipalityCode:
        tenant = _member(tx, code, who)
        tx.remove_location_rule(tenant)
        tell(
            tx,
            who,
            "location-rule.remove",
            f"member:{tenant}",
            at=edge.clock.now(),
            said=(
                f"{who.label} took the data-location rule of {tenant} back.",
                f"{who.label} さんが、参加団体 {tenant} のデータ所在地の定めを取り消しました。",
            ),
            tenant=tenant,
        )
        return tenant

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            take(tx)
        return plan(removed(f"/members/{code}/location-rule"))

    def work(remember: Remember) -> LocationRuleOut:
        with edge.store.write() as tx:
            answer = _rule_out(take(tx), None)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.get("/disasters")
def read_disasters(
    who: Reader, edge: AtHand, *, limit: Limit = 100, cursor: Cursor = None
) -> Page[DisasterOut]:
    """What was declared, the oldest first. A member sees what concerns it."""
    with edge.store.read() as tx:
        found = [d for d in tx.disasters() if who.tenant is None or d.names(who.tenant)]
    return page_of(
        found,
        key=lambda one: f"{one.declared_at.timestamp():020.6f}/{one.id}",
        show=lambda one: _disaster_out(one, who),
        limit=limit,
        cursor=cursor,
    )


@router.post("/disasters", status_code=201, response_model=DisasterOut, responses=REHEARSED)
@audited("disaster.declare", "disaster")
def declare_disaster(
    body: DisasterIn, who: Declarer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Nothing that was taken near a date goes until this is revoked, whatever policies say."""

    def put(tx: Transaction) -> DisasterDeclaration:
        around = body.around if body.around.tzinfo is not None else body.around.replace(tzinfo=UTC)
        with named_in_body():
            region = None if body.region is None else tx.region(RegionId(body.region)).id
            tenants = frozenset(tx.tenant(MunicipalityCode(each)).code for each in body.tenants)
        at = edge.clock.now()
        declared = tx.add_disaster(
            DisasterDeclaration(
                id=DeclarationId(f"ds-{draw(12)}"),
                around=around,
                before=timedelta(days=body.days_before),
                after=timedelta(days=body.days_after),
                reason=body.reason,
                declared_by=who.label,
                declared_at=at,
                region=region,
                tenants=tenants,
            )
        )
        _tell_all(tx, who, "disaster.declare", declared, declared.reason)
        return declared

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            declared = put(tx)
            pinned = sum(
                declared.around - declared.before <= p.taken_at <= declared.around + declared.after
                for p in tx.recovery_points(live=True)
                if declared.concerns(p.tenant, p.region)
            )
        return plan(added("/disasters", {"points_pinned_at_least": pinned}))

    def work(remember: Remember) -> DisasterOut:
        with edge.store.write() as tx:
            answer = _disaster_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=201)


@router.post("/disasters/{disaster}/revoke", response_model=DisasterOut | BackupPlan)
@audited("disaster.revoke", "disaster")
def revoke_disaster(
    disaster: Name,
    body: RevokeIn,
    who: Declarer,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Policies decide again what stays."""

    def put(tx: Transaction) -> DisasterDeclaration:
        found = tx.disaster(DeclarationId(disaster))
        revoked = tx.save_disaster(found.revoke(edge.clock.now(), who.label, body.reason))
        _tell_all(tx, who, "disaster.revoke", revoked, body.reason)
        return revoked

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            put(tx)
        return plan(replaced(f"/disasters/{disaster}/in_force", True, False))

    def work(remember: Remember) -> DisasterOut:
        with edge.store.write() as tx:
            answer = _disaster_out(put(tx), who)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


def _tell_all(
    tx: Transaction, who: Principal, kind: str, declared: DisasterDeclaration, reason: str
) -> None:
    """The consortium, and each member that it concerns."""
    at = declared.declared_at if declared.revoked is None else declared.revoked.at
    if declared.revoked is None:
        day = f"{declared.around:%Y-%m-%d}"
        said = (
            f"A disaster is declared ({declared.id}): recovery points from around {day} stay until it is revoked. {reason}",
            f"災害が宣言されました({declared.id})。{day} 前後の復元ポイントは、解除されるまで消えません。{reason}",
        )
    else:
        said = (
            f"The disaster declaration {declared.id} is revoked: policies decide again what stays. {reason}",
            f"災害宣言 {declared.id} が解除されました。復元ポイントの保持は再び方針に従います。{reason}",
        )
    subject = f"disaster:{declared.id}"
    fields = {"reason": reason, "around": declared.around.isoformat()}
    tell(tx, who, kind, subject, at=at, said=said, severity=Severity.WARNING, fields=fields)
    for tenant in sorted(declared.tenants):
        tell(
            tx,
            who,
            kind,
            subject,
            at=at,
            said=said,
            tenant=tenant,
            severity=Severity.WARNING,
            fields=fields,
        )


def _unkept(
    tx: Snapshot, blueprints: Blueprints, tenant: MunicipalityCode
) -> list[tuple[str, str]]:
    estate = Estate.read(tx, blueprints, tenant=tenant)
    return [
        (f"{backup.system.id}: {refusal.en}", f"{backup.system.id}: {refusal.ja}")
        for backup in estate.systems.values()
        for refusal in check_policy(
            backup.policy,
            backup.source,
            tuple(estate.repositories.values()),
            backup.rule,
            backup.service_hours,
        )
    ]


def _member(tx: Snapshot, code: str, who: Principal) -> MunicipalityCode:
    """Another member's rule is not found, as one that was never let in."""
    tenant = MunicipalityCode(code)
    if who.tenant is not None and who.tenant != tenant:
        raise not_found("tenant", code)
    return tx.tenant(tenant).code


def _where(rule: LocationRule) -> str:
    return "、".join([*sorted(rule.prefectures), *sorted(rule.regions)])


def _rule_out(tenant: MunicipalityCode, rule: LocationRule | None) -> LocationRuleOut:
    return LocationRuleOut(
        tenant=tenant.text,
        prefectures=[] if rule is None else sorted(rule.prefectures),
        regions=[] if rule is None else sorted(rule.regions),
        basis=None if rule is None else rule.basis,
        decided_on=None if rule is None else rule.decided_on,
        recorded_by=None if rule is None else rule.recorded_by,
        recorded_at=None if rule is None else rule.recorded_at,
    )


def _disaster_out(one: DisasterDeclaration, who: Principal) -> DisasterOut:
    revoked, all_of_it = one.revoked, who.tenant is None
    tenants = [each for each in sorted(one.tenants) if who.tenant in (None, each)]
    return DisasterOut(
        id=one.id,
        around=one.around,
        days_before=one.before.total_seconds() / 86400,
        days_after=one.after.total_seconds() / 86400,
        region=one.region,
        tenants=[each.text for each in tenants],
        reason=one.reason,
        declared_by=one.declared_by if all_of_it else None,
        declared_at=one.declared_at,
        revoked_at=None if revoked is None else revoked.at,
        revoked_by=revoked.by if revoked is not None and all_of_it else None,
        revoked_reason=None if revoked is None else revoked.reason,
    )
