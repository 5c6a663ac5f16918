"""A member leaves, over HTTP: ask, agree, stay after all, fetch the export, confirm it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import FileResponse

from control_plane.http.auth import needs
from control_plane.http.bounds import CodeText
from control_plane.http.conditions import Expected
from control_plane.http.edge import AtHand, DryRun, Edge
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import OperationId
from control_plane.model.membership import Departing, Exported, Membership
from control_plane.model.operation import Operation
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, given_back, removed
from control_plane.store import Snapshot
from control_plane.store.rows import not_found
from tenants.leaving import service
from tenants.leaving.export_directory import Export, ExportDirectory, sha256_of
from tenants.leaving.models import ConfirmIn, ExportFile, ExportOut, LeaveIn, ReasonIn, WaiveIn
from tenants.leaving.records import MANIFEST, SUMS
from tenants.membership_change import member_of
from tenants.membership_models import MemberDetails
from tenants.membership_views import member_details
from tenants.routes import Known
from tenants.server_change import location

router = APIRouter(prefix="/v1/members/{code}", tags=["members"])

Leaver = Annotated[Principal, needs(Permission.MEMBERS_LEAVE)]
_PART = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")

Approver = Annotated[Principal, needs(Permission.MEMBERS_APPROVE)]


@router.post(
    "/leave",
    status_code=202,
    response_model=OperationOut,
    responses={200: {"model": ChangePlan, "description": "With `dry_run`."}},
)
@audited("member.leave", "member")
def leave(
    code: CodeText,
    body: LeaveIn,
    who: Leaver,
    edge: AtHand,
    known: Known,
    *,
    once: Once,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Ask for the member to leave, with everything that is its own. Where the pool's rule asks for two
    persons nothing happens until another one agrees. The operation ends when the member has left."""

    def rehearse(_: Remember) -> ChangePlan:
        with edge.rehearsable(dry_run=True) as tx:
            step = service.Step(tx, code, who, edge.clock.now(), expected)
            membership = step.membership()
            _ask(step, known, body, lambda *_: None)
            servers = tx.servers(membership.tenant.code)
            systems = tx.systems(membership.tenant.code)
            ledger = tx.ledger(membership.region)
        return ChangePlan(
            diff=[
                *(removed(f"/systems/{system.id}") for system in systems),
                *(removed(f"/servers/{server.name}") for server in servers),
            ],
            certificate=certificate_change(ledger, None),
            capacity=given_back(servers),
        )

    def work(remember: Remember) -> OperationOut:
        with edge.store.write() as tx:
            step = service.Step(tx, code, who, edge.clock.now(), expected)
            begun = _ask(step, known, body, lambda tx, one: remember(tx, operation_out(one)))
        return operation_out(begun)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=location)


@router.post("/leave/approve", response_model=MemberDetails)
@audited("member.leave-approve", "member")
def approve_leave(
    code: CodeText,
    who: Approver,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Another person than who asked agrees: the member's servers are stopped, and its disks and data
    exported."""
    return _step(edge, once, dry_run, (code, who, expected), service.approve)


@router.post("/leave/reject", response_model=MemberDetails)
@audited("member.leave-reject", "member")
def reject_leave(
    code: CodeText,
    body: ReasonIn,
    who: Approver,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Turn the question down, for a reason that is told."""
    return _step(
        edge, once, dry_run, (code, who, expected), lambda s: service.reject(s, body.reason)
    )


@router.post("/leave/cancel", response_model=MemberDetails)
@audited("member.leave-cancel", "member")
def cancel_leave(
    code: CodeText,
    body: ReasonIn,
    who: Leaver,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """The member stays after all: what was stopped for it starts again, and its export is thrown away.
    Not any more once the export was confirmed."""
    return _step(edge, once, dry_run, (code, who, expected), lambda s: service.stay(s, body.reason))


@router.post("/leave/confirm", response_model=MemberDetails)
@audited("member.leave-confirm", "member")
def confirm_leave(
    code: CodeText,
    body: ConfirmIn,
    who: Leaver,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """The member's own word that it has its export. Its disks, its access and the export itself are
    removed then, and nobody takes that back."""
    return _step(
        edge, once, dry_run, (code, who, expected), lambda s: service.confirm(s, body.statement)
    )


@router.post("/leave/waive", response_model=MemberDetails)
@audited("member.leave-waive", "member")
def waive_leave(
    code: CodeText,
    body: WaiveIn,
    who: Approver,
    edge: AtHand,
    once: Once,
    *,
    expected: Expected,
    dry_run: DryRun = False,
) -> Response:
    """Where nobody at the member can confirm: an approver says why. Everything is removed as with
    `confirm`, but for the export, which stays."""
    return _step(
        edge, once, dry_run, (code, who, expected), lambda s: service.waive(s, body.reason)
    )


@router.get("/export")
def read_export(code: CodeText, who: Leaver, edge: AtHand, known: Known) -> ExportOut:
    """The files of a finished export, with their sums."""
    with edge.store.read() as tx:
        export = _finished(tx, code, who, known.exports)
    manifest = json.loads(export.place(MANIFEST).read_bytes())
    length, sha256 = sha256_of(export.place(MANIFEST))
    files = [ExportFile(**{k: f[k] for k in ("path", "size", "sha256")}) for f in manifest["files"]]
    sums_length, sums = sha256_of(export.place(SUMS))
    return ExportOut(
        operation=manifest["operation"],
        at=manifest["at"],
        files=[
            *files,
            ExportFile(path=MANIFEST, size=length, sha256=sha256),
            ExportFile(path=SUMS, size=sums_length, sha256=sums),
        ],
        missing=[each["path"] for each in manifest["missing"]],
        sums_sha256=sums,
    )


@router.get(
    "/export/file",
    response_class=FileResponse,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file."},
        206: {"description": "The part that `Range` asks for."},
    },
)
def read_export_file(
    code: CodeText,
    path: Annotated[str, Query(max_length=300, description="As the export lists it.")],
    who: Leaver,
    edge: AtHand,
    known: Known,
    *,
    part: Annotated[
        str | None, Header(alias="Range", max_length=60, description="As `bytes=4096-`.")
    ] = None,
) -> FileResponse:
    """One file of a finished export, for the member's own people; with `Range`, a part of it (RFC 9110
    §14)."""
    if who.tenant is None:
        raise YuiError(
            "members-own-export",
            en="What a member takes along is read by its own admins alone: they fetch it, or open a break-glass for that member, which it sees.",
            ja="書き出しの内容を読めるのは団体の管理者だけです。団体が取得するか、団体に通知される非常時アクセスを開いてください。",
            status=403,
        )
    with edge.store.read() as tx:
        export = _finished(tx, code, who, known.exports)
    named = {MANIFEST, SUMS}
    named |= {f["path"] for f in json.loads(export.place(MANIFEST).read_bytes())["files"]}
    if path not in named:
        raise not_found("export-file", path)
    place = export.place(path)
    _check_range(part, place.stat().st_size)
    return FileResponse(place, media_type="application/octet-stream")


def _check_range(part: str | None, size: int) -> None:
    """Raises `range-not-there` (416) for what is no single part of a file of that size."""
    if part is None:
        return
    found = _PART.fullmatch(part.strip())
    if found is None or int(found[1]) >= size or (found[2] and int(found[2]) < int(found[1])):
        raise YuiError(
            "range-not-there",
            en=f"The file has {size:,} bytes and no such part: ask for one as Range: bytes=4096-, within it.",
            ja=f"ファイルは {size:,} バイトで、指定された範囲はありません。Range: bytes=4096- のように範囲内を指定してください。",
            status=416,
            fields={"size": size},
        )


def _ask(step: service.Step, known: Known, body: LeaveIn, keep: service.Keep) -> Operation:
    return service.ask(
        step,
        known.rule,
        reason=body.reason,
        destroy_keys=body.destroy_keys,
        can_export=known.exports is not None,
        keep=keep,
    )


def _step(
    edge: Edge,
    once: Once,
    dry_run: bool,
    asked: tuple[str, Principal, Expected],
    do: Callable[[service.Step], Membership],
) -> Response:
    code, who, expected = asked

    def work(remember: Remember) -> MemberDetails:
        with edge.rehearsable(dry_run) as tx:
            moved = do(service.Step(tx, code, who, edge.clock.now(), expected))
            answer = member_details(moved, tx)
            remember(tx, answer)
        return answer

    return once.run(work)


def _finished(tx: Snapshot, code: str, who: Principal, exports: ExportDirectory | None) -> Export:
    """Raises `tenant-not-found`, `export-not-ready`."""
    membership = member_of(tx, code, who)
    ready = isinstance(membership.standing, Exported | Departing)
    if exports is not None and ready and membership.operation is not None:
        export = exports.of(membership.tenant.code, OperationId(membership.operation))
        if export.place(SUMS).is_file():
            return export
    raise YuiError(
        "export-not-ready",
        en=f"{membership.tenant.name} ({code}) has no finished export: it is {membership.state}.",
        ja=f"{membership.tenant.name}({code})に完了した書き出しはありません(状態: {membership.state})。",
        status=409,
        fields={"code": membership.tenant.code.text, "state": membership.state.value},
    )
