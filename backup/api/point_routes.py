"""Recovery points over HTTP: listed, shown, restored; what was proven, and what was found damaged."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from backup.api.common import REHEARSED, Known, Reader, begun_operation, refused, tell
from backup.api.models import (
    FindingOut,
    PointOut,
    RestoreIn,
    RestoreOut,
    RestoreTestOut,
    WholePointOut,
)
from backup.api.plan import BackupPlan, plan
from backup.api.views import finding_out, point_out, restore_out, test_out, whole_point_out
from backup.records.agenda import pins_of, reviewed
from backup.records.estate import Estate
from backup.records.steps import end_operation
from control_plane.admission.leaving import refuse_leaving
from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, Page, behind, cursor_to, page_of
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import draw, operation_out
from control_plane.model.access import Permission
from control_plane.model.backup.ids import RecoveryPointId, RestoreId
from control_plane.model.backup.points import RecoveryPointRecord
from control_plane.model.backup.work import (
    RestoreJob,
    RestorePhase,
    RestoreTarget,
    RestoreTo,
    Trouble,
    Waiting,
)
from control_plane.model.errors import YuiError
from control_plane.model.ids import ContainerGroupId, RegionId, ServerId, SystemId
from control_plane.model.operation import Operation, Severity
from control_plane.model.workload import Power, Seen
from control_plane.pool.plan import added, replaced
from control_plane.store import Snapshot, Transaction

router = APIRouter(prefix="/v1", tags=["backups"])

Restorer = Annotated[Principal, needs(Permission.BACKUPS_RESTORE)]
_AT_ONCE = (
    "Its servers start before their disks are restored: what they need first is read from the repository, they are slower until all is copied, and stand still while the repository can't be read. Until then they are not moved while they run, nor backed up.",
    "サーバーはディスクの復元が終わる前に起動します。必要なデータはリポジトリから読み取るため、複写が終わるまで動作が遅くなり、リポジトリを読み取れない間は一時停止します。それまでは、稼働中の移動とバックアップはできません。",
)
OfTenant = Annotated[CodeText | None, Query(description="Only this member's.")]


@router.get("/recovery-points")
def read_points(
    who: Reader,
    edge: AtHand,
    blueprints: Known,
    *,
    tenant: OfTenant = None,
    system: Name | None = None,
    every: Annotated[
        bool, Query(description="Also what was abandoned, and what has expired.")
    ] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PointOut]:
    """By when they were taken, the oldest first; a member's token gets its own alone."""
    after = behind(cursor)
    if who.tenant is not None and tenant not in (None, who.tenant.text):
        return Page(items=[])
    with edge.store.read() as tx:
        found = tx.recovery_points(
            who.tenant or tenant,
            system=None if system is None else SystemId(system),
            live=not every,
            after=None if after is None else RecoveryPointId(after),
            limit=limit + 1,
        )
        named = {each.system for each in found}
        estate = Estate.read(tx, blueprints, tenant=who.tenant, systems=named)
    items = [point_out(each, estate.systems.get(each.system)) for each in found[:limit]]
    return Page(items=items, next=cursor_to(found[limit - 1].id) if len(found) > limit else None)


@router.get("/recovery-points/{point}")
def read_point(point: Name, who: Reader, edge: AtHand, blueprints: Known) -> WholePointOut:
    """Its servers and disks by size, where it lies, and why it stays."""
    with edge.store.read() as tx:
        found = tx.recovery_point(RecoveryPointId(point), who.tenant)
        estate = Estate.read(tx, blueprints, systems=[found.system])
        backup = estate.systems.get(found.system)
        if backup is None:
            return whole_point_out(found, None, ())
        points = tx.recovery_points(system=found.system, live=True)
        retention = reviewed(backup, points, pins_of(estate, backup, points), edge.clock.now())
    return whole_point_out(found, backup, retention.kept.get(found.id, ()))


@router.post(
    "/recovery-points/{point}/restore",
    status_code=202,
    response_model=OperationOut,
    responses=REHEARSED,
)
@audited("backup.restore", "point")
def restore_point(
    point: Name,
    body: RestoreIn,
    who: Restorer,
    edge: AtHand,
    once: Once,
    *,
    dry_run: DryRun = False,
) -> Response:
    """Ask for a restore: to a new system, in place of stopped servers, to another region, to an isolated
    network, or to files."""

    def put(tx: Transaction) -> tuple[RecoveryPointRecord, RestoreTarget, Operation]:
        found = tx.recovery_point(RecoveryPointId(point), who.tenant)
        refuse_leaving(tx, found.tenant)
        with named_in_body():
            target = _target(tx, found, body)
        at = edge.clock.now()
        job_id = RestoreId(f"rs-{draw(12)}")
        begun = begun_operation(
            "backup.restore", f"system:{found.system}", found.tenant, at, restore=job_id
        )
        tx.put_operation(begun)
        tx.add_restore(
            RestoreJob(
                job_id,
                found.tenant,
                found.id,
                found.system,
                target,
                who.label,
                at,
                Waiting(at),
                operation=begun.id,
            )
        )
        tell(
            tx,
            who,
            "backup.restore",
            f"system:{found.system}",
            at=at,
            said=(
                f"{who.label} asks that {found.system_name} be restored as of {found.taken_at:%Y-%m-%d %H:%M} UTC ({found.id}, {target.to}).",
                f"{who.label} さんが、{found.system_name} を {found.taken_at:%Y-%m-%d %H:%M}(UTC)の状態で復元するよう依頼しました({found.id}、{target.to})。",
            ),
            tenant=found.tenant,
            severity=Severity.WARNING if target.to is RestoreTo.IN_PLACE else Severity.INFO,
            fields={"point": found.id, "restore": job_id, "to": target.to.value},
        )
        return found, target, begun

    def rehearse(_: Remember) -> BackupPlan:
        with edge.rehearsable(dry_run=True) as tx:
            found, target, _begun = put(tx)
        warnings = [_AT_ONCE] if target.at_once else []
        then = f"as of {found.taken_at.isoformat()}"
        if target.to is RestoreTo.IN_PLACE:
            return plan(
                *(
                    replaced(f"/servers/{each.name}/disks", "as they are", then)
                    for each in found.servers
                    if not target.servers or each.server in target.servers
                ),
                warnings=warnings,
            )
        shown = {"to": target.to.value, "bytes": found.bytes, "then": then}
        return plan(added(f"/systems/{target.name or found.system}", shown), warnings=warnings)

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            _found, _target, begun = put(tx)
            answer = operation_out(begun)
            remember(tx, answer)
        return answer

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=_operation)


@router.get("/restores")
def read_restores(
    who: Reader,
    edge: AtHand,
    *,
    tenant: OfTenant = None,
    system: Name | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RestoreOut]:
    """What was asked to be restored, the oldest first, and what came of it."""
    with edge.store.read() as tx:
        found = tx.restores(who.tenant, system=None if system is None else SystemId(system))
    return page_of(
        (each for each in found if tenant in (None, each.tenant.text)),
        key=lambda one: f"{one.asked_at.timestamp():020.6f}/{one.id}",
        show=restore_out,
        limit=limit,
        cursor=cursor,
    )


@router.get("/restores/{restore}")
def read_restore(restore: Name, who: Reader, edge: AtHand) -> RestoreOut:
    """How far it is."""
    with edge.store.read() as tx:
        return restore_out(tx.restore(RestoreId(restore), who.tenant))


@router.post("/restores/{restore}/cancel", response_model=RestoreOut)
@audited("backup.restore-cancel", "restore")
def cancel_restore(restore: Name, who: Restorer, edge: AtHand, once: Once) -> Response:
    """Take a restore back that has not begun."""

    def work(remember: Remember) -> RestoreOut:
        with edge.store.write() as tx:
            answer = restore_out(_cancelled(tx, RestoreId(restore), who, edge))
            remember(tx, answer)
        return answer

    return once.run(work)


@router.get("/restore-tests")
def read_tests(
    who: Reader,
    edge: AtHand,
    *,
    tenant: OfTenant = None,
    system: Name | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RestoreTestOut]:
    """Every time that a restore was tried in isolation, the oldest first."""
    with edge.store.read() as tx:
        found = tx.restore_tests(who.tenant, system=None if system is None else SystemId(system))
    return page_of(
        (each for each in found if tenant in (None, each.tenant.text)),
        key=lambda one: f"{one.began_at.timestamp():020.6f}/{one.id}",
        show=test_out,
        limit=limit,
        cursor=cursor,
    )


@router.get("/scrub-findings")
def read_findings(
    who: Reader,
    edge: AtHand,
    *,
    tenant: OfTenant = None,
    open_only: Annotated[bool, Query(description="Only what nothing has healed.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FindingOut]:
    """What reading repositories again has found damaged, and what became of it."""
    with edge.store.read() as tx:
        found = tx.scrub_findings(who.tenant, open_only=open_only)
    return page_of(
        (each for each in found if tenant in (None, each.tenant.text)),
        key=lambda one: f"{one.found_at.timestamp():020.6f}/{one.id}",
        show=finding_out,
        limit=limit,
        cursor=cursor,
    )


def _cancelled(tx: Transaction, id: RestoreId, who: Principal, edge: AtHand) -> RestoreJob:
    job = tx.restore(id, who.tenant)
    at = edge.clock.now()
    fresh = isinstance(job.standing, Waiting) and job.standing.phase is RestorePhase.FILLING
    if not fresh or not isinstance(job.standing, Waiting):
        raise refused(
            "restore-begun",
            f"Restore '{job.id}' has begun or ended already: it can't be taken back.",
            f"復元「{job.id}」はすでに開始または終了しているため、取り消せません。",
            restore=job.id,
        )
    why = Trouble(f"{who.label} took it back.", f"{who.label} さんが取り消しました。")
    end_operation(tx, job.operation, at, why)
    kept = tx.save_restore(replace(job, standing=job.standing.cancel(at, who.label)))
    tell(
        tx,
        who,
        "backup.restore-cancel",
        f"system:{job.system}",
        at=at,
        said=(
            f"{who.label} took restore {job.id} of system {job.system} back before it began.",
            f"{who.label} さんが、システム {job.system} の復元 {job.id} を開始前に取り消しました。",
        ),
        tenant=job.tenant,
        fields={"restore": job.id},
    )
    return kept


def _target(tx: Snapshot, point: RecoveryPointRecord, body: RestoreIn) -> RestoreTarget:
    """Raises `point-not-whole`, `restore-invalid`, `system-gone`, `server-running`, `region-not-found`."""
    if not point.whole or not point.held_in():
        raise refused(
            "point-not-whole",
            f"Recovery point '{point.id}' lies nowhere whole: choose another one.",
            f"復元ポイント「{point.id}」は完全な形で残っていません。別のものを選んでください。",
            point=point.id,
        )
    known = {each.server: each for each in point.servers}
    servers = tuple(map(ServerId, body.servers))
    disks = {disk.name for each in point.servers for disk in each.disks}
    strange = [each for each in body.servers if ServerId(each) not in known]
    strange += [each for each in body.disks if each not in disks]
    if strange:
        raise _invalid(
            f"Recovery point '{point.id}' has no {strange[0]}: see what it holds with `yui backup show`.",
            f"復元ポイント「{point.id}」に {strange[0]} はありません。`yui backup show` で内容を確認してください。",
        )
    of_servers = body.to in (RestoreTo.NEW, RestoreTo.REGION, RestoreTo.ISOLATED)
    if of_servers and all(known[each].container_group for each in servers or known):
        raise _invalid(
            "Volumes of container groups come back in their place, or as files: restore with --to in-place or --to file.",
            "コンテナーグループのボリュームは、元の場所かファイルにだけ復元できます。--to in-place か --to file を指定してください。",
        )
    if (body.to is RestoreTo.REGION) != (body.region is not None):
        raise _invalid(
            "A region is named for a restore to another region, and for no other: mend that.",
            "リージョンは、別リージョンへの復元のときだけ指定してください。",
        )
    if body.format is not None and body.to is not RestoreTo.FILE:
        raise _invalid(
            "A format is for files: leave it out.",
            "形式はファイルへの復元のときだけ指定してください。",
        )
    if body.at_once and (body.to is RestoreTo.FILE or not body.start):
        raise _invalid(
            "Only servers that are to start can start at once: leave one of the two out.",
            "すぐに起動できるのは、起動するサーバーへの復元だけです。どちらかの指定を外してください。",
        )
    region = None if body.region is None else tx.region(RegionId(body.region)).id
    if body.to is RestoreTo.IN_PLACE:
        _need_stopped(tx, point, servers)
    return RestoreTarget(
        body.to,
        servers,
        tuple(body.disks),
        region,
        body.name,
        (body.format or "qcow2") if body.to is RestoreTo.FILE else None,
        body.start,
        body.at_once,
    )


def _need_stopped(tx: Snapshot, point: RecoveryPointRecord, servers: tuple[ServerId, ...]) -> None:
    for each in point.servers:
        if servers and each.server not in servers:
            continue
        if each.container_group:
            tx.container_group(ContainerGroupId(each.server), point.tenant)
            continue
        try:
            server = tx.server(each.server, point.tenant)
        except YuiError:
            raise refused(
                "system-gone",
                f"Server {each.name} is no more, so nothing can be put in its place: restore to a new system.",
                f"サーバー {each.name} はすでにないため、元の場所には復元できません。新しいシステムとして復元してください。",
                server=each.server,
            ) from None
        if server.power is Power.RUNNING or server.seen is not Seen.STOPPED:
            raise refused(
                "server-running",
                f"Server {server.name} is not stopped, and what is on its disks now would be lost under it: stop it first.",
                f"サーバー {server.name} が停止していません。先に停止してください(現在のディスクの内容は失われます)。",
                server=server.id,
            )


def _invalid(en: str, ja: str) -> YuiError:
    return refused("restore-invalid", en, ja, 422)


def _operation(body: Any) -> dict[str, str]:
    return {"Location": f"/v1/operations/{body['id']}"}
