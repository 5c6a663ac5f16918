"""How systems are backed up, and how far that is, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from backup.api.common import REHEARSED, Known, Reader, Writer, begun_operation, refused, tell
from backup.api.forecasts import forecast_out
from backup.api.models import ForecastOut, NowIn, PolicyIn, PolicyOut, StatusOut
from backup.api.plan import BackupPlan, plan
from backup.api.policies import checked, policy_difference, policy_of, tell_policy
from backup.api.views import policy_out, status_out
from backup.records.agenda import copies_due
from backup.records.lacking import lacking_of, queue
from backup.records.lags import statuses
from backup.records.runs import request_run
from backup.records.steps import StepRefused
from control_plane.admission.leaving import refuse_leaving
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, page_of
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import draw, operation_out
from control_plane.model.backup.ids import BackupRunId, RepositoryId
from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.work import BackupRun, Requested
from control_plane.model.ids import RegionId
from control_plane.model.operation import Operation
from control_plane.pool.plan import added
from control_plane.store import Transaction
from control_plane.store.recovery_points import SetPolicy

router = APIRouter(prefix="/v1", tags=["backups"])


@router.get("/systems/{system}/backup-policy")
def read_policy(system: Name, who: Reader, edge: AtHand, blueprints: Known) -> PolicyOut:
    """How it is backed up, where its copies lie, and what of that can't be kept as things are."""
    with edge.store.read() as tx:
        backup, refusals = checked(tx, blueprints, system, who)
        now = edge.clock.now()
        return policy_out(backup, refusals, tx.newest_points(now).get(backup.system.id), now)


@router.put("/systems/{system}/backup-policy", response_model=PolicyOut | BackupPlan)
@audited("backup-policy.set", "system")
def put_policy(
    system: Name,
    body: PolicyIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    blueprints: Known,
    dry_run: DryRun = False,
) -> Response:
    """Give a system a policy of its own. One that can't be kept, such as one whose only copy would be lost
    together with its source, is refused."""

    def put(tx: Transaction) -> tuple[BackupPolicy, BackupPolicy, PolicyOut]:
        before, _ = checked(tx, blueprints, system, who)
        refuse_leaving(tx, before.system.tenant)
        with named_in_body():
            for region in body.regions:
                tx.region(RegionId(region))
        wanted = policy_of(body)
        _, refusals = checked(tx, blueprints, system, who, wanted)
        if refusals:
            raise refused(
                refusals[0].type,
                "\n".join(each.en for each in refusals),
                "\n".join(each.ja for each in refusals),
                422,
                refusals=[each.type for each in refusals],
            )
        now = edge.clock.now()
        tx.set_backup_policy(before.system.id, SetPolicy(wanted, who.label, now))
        tell_policy(tx, who, before, wanted, now)
        backup, _ = checked(tx, blueprints, system, who)
        newest = tx.newest_points(now).get(backup.system.id)
        return before.policy, wanted, policy_out(backup, (), newest, now)

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after, _answer = put(tx)
        return plan(*policy_difference(f"/systems/{system}/backup-policy", before, after))

    def work(remember: Remember) -> PolicyOut:
        with edge.store.write() as tx:
            _before, _after, answer = put(tx)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.delete("/systems/{system}/backup-policy", response_model=PolicyOut | BackupPlan)
@audited("backup-policy.reset", "system")
def reset_policy(
    system: Name,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    blueprints: Known,
    dry_run: DryRun = False,
) -> Response:
    """Its blueprint's policy holds again."""

    def take(tx: Transaction) -> tuple[BackupPolicy, PolicyOut]:
        before, _ = checked(tx, blueprints, system, who)
        refuse_leaving(tx, before.system.tenant)
        tx.unset_backup_policy(before.system.id)
        backup, refusals = checked(tx, blueprints, system, who)
        now = edge.clock.now()
        tell(
            tx,
            who,
            "backup-policy.reset",
            f"system:{backup.system.id}",
            at=now,
            said=(
                f"{who.label} gave {backup.name} ({backup.system.id}) its blueprint's backup policy back.",
                f"{who.label} さんが、{backup.name}({backup.system.id})のバックアップ方針をブループリントのものに戻しました。",
            ),
            tenant=backup.system.tenant,
        )
        newest = tx.newest_points(now).get(backup.system.id)
        return before.policy, policy_out(backup, refusals, newest, now)

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            before, after = take(tx)
        return plan(
            *policy_difference(f"/systems/{system}/backup-policy", before, policy_of(after.policy)),
            warnings=[(each["en"], each["ja"]) for each in after.refusals],
        )

    def work(remember: Remember) -> PolicyOut:
        with edge.store.write() as tx:
            _, answer = take(tx)
            remember(tx, answer)
        return answer

    return once.run(rehearse if dry_run else work)


@router.post(
    "/systems/{system}/backups", status_code=202, response_model=OperationOut, responses=REHEARSED
)
@audited("backup.now", "system")
def back_up_now(
    system: Name,
    body: NowIn,
    who: Writer,
    edge: AtHand,
    once: Once,
    *,
    blueprints: Known,
    dry_run: DryRun = False,
) -> Response:
    """Take a recovery point now, apart from the schedule."""

    def put(tx: Transaction) -> Operation:
        backup, _ = checked(tx, blueprints, system, who)
        id, now = backup.system.id, edge.clock.now()
        refuse_leaving(tx, backup.system.tenant)
        if backup.home is None:
            raise refused(
                "no-repository",
                f"There is no repository that {backup.name} ({id}) could be backed up to: an operator adds one.",
                f"{backup.name}({id})のバックアップ先になるリポジトリがありません。運用担当者に追加を依頼してください。",
                system=id,
            )
        if not backup.servers and not backup.groups:
            raise refused(
                "nothing-to-back-up",
                f"{backup.name} ({id}) has neither servers nor container groups: there is nothing to back up.",
                f"{backup.name}({id})にはサーバーもコンテナーグループもなく、バックアップするものがありません。",
                system=id,
            )
        keep_until = now + timedelta(days=body.keep_days)
        begun = begun_operation("backup.now", f"system:{id}", backup.system.tenant, now)
        run = BackupRun(
            BackupRunId(f"br-{draw(12)}"),
            backup.system.tenant,
            id,
            now,
            Requested(now),
            asked_by=who.label,
            keep_until=keep_until,
            operation=begun.id,
        )
        try:
            kept = request_run(tx, run)
        except StepRefused:
            raise refused(
                "backup-under-way",
                f"A backup of {backup.name} ({id}) is under way already: wait until it has ended.",
                f"{backup.name}({id})のバックアップはすでに実行中です。完了をお待ちください。",
                system=id,
            ) from None
        if kept.operation != begun.id and kept.operation is not None:
            return tx.operation(kept.operation)
        tx.put_operation(begun)
        tell(
            tx,
            who,
            "backup.now",
            f"system:{id}",
            at=now,
            said=(
                f"{who.label} asks for a recovery point of {backup.name} ({id}) now.",
                f"{who.label} さんが、{backup.name}({id})の復元ポイントの取得を依頼しました。",
            ),
            tenant=backup.system.tenant,
            fields={"keep_until": keep_until.isoformat()},
        )
        return begun

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            put(tx)
            backup, _refusals = checked(tx, blueprints, system, who)
        home = None if backup.home is None else backup.home.id
        size = sum(server.disk for server in backup.servers)
        return plan(added("/recovery-points", {"repository": home, "disk_gib": size}))

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            answer = operation_out(put(tx))
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=_operation)


@router.get("/backup-status")
def read_status(
    who: Reader,
    edge: AtHand,
    blueprints: Known,
    *,
    tenant: Annotated[CodeText | None, Query(description="Only this member's.")] = None,
    system: Name | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[StatusOut]:
    """How far each system's backups are: what would be lost now, what stands apart, when a restore was
    last proven, and what is not as the policy says."""
    now = edge.clock.now()
    with edge.store.read() as tx:
        found = statuses(tx, blueprints, now, tenant=who.tenant)
    return page_of(
        (
            each
            for each in found
            if tenant in (None, each.backup.system.tenant.text)
            and system in (None, each.backup.system.id)
        ),
        key=lambda one: one.backup.system.id,
        show=lambda one: status_out(one, now),
        limit=limit,
        cursor=cursor,
    )


@router.get("/systems/{system}/backup-forecast")
def read_forecast(
    system: Name,
    repository: Annotated[Name, Query(description="Where it is to go.")],
    who: Reader,
    edge: AtHand,
    blueprints: Known,
) -> ForecastOut:
    """How long what of the system isn't in a repository yet takes to it: with what stands before it by tier,
    and the links' budgets by the hour. Without a recovery point, of its disks as if they were full."""
    now = edge.clock.now()
    with edge.store.read() as tx:
        backup, _ = checked(tx, blueprints, system, who)
        with named_in_body():
            target = tx.repository(RepositoryId(repository), who.tenant)
        due, links = copies_due(tx, blueprints, now), tx.links()
        left = lacking_of(tx, backup, due, target)
        others = queue(tx, due, links)
    sources = [
        each.sources[0].region
        for each in due
        if (each.point.system, each.target.id) == (backup.system.id, target.id)
    ]
    home = backup.system.region if backup.home is None else backup.home.region
    return forecast_out(
        backup,
        target,
        left,
        others=others,
        source=sources[0] if sources else home,
        links=links,
        now=now,
    )


def _operation(body: Any) -> dict[str, str]:
    return {"Location": f"/v1/operations/{body['id']}"}
