"""The audit trail over HTTP: to read, to take away, and where it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, Json, listed, written
from control_plane.http.paging import Limit
from control_plane.http.principal import Principal
from control_plane.journal.audit_export import export
from control_plane.journal.audit_signing import Signer
from control_plane.journal.models import Audit, AuditHeadOut, AuditHeads, AuditKeyOut
from control_plane.journal.routes import After, Before, Newest
from control_plane.model.access import Permission
from control_plane.model.audit_chain import ALL, AuditRecord, chain_of
from control_plane.model.errors import YuiError
from control_plane.store import Snapshot

router = APIRouter(prefix="/v1/audit", tags=["journal"])

Reader = Annotated[Principal, needs(Permission.AUDIT_READ)]
Chain = Annotated[
    str | None,
    Query(
        pattern=r"^(all|consortium|member:[0-9]{6})$",
        description="`all`, `consortium` or `member:CODE`; a member has its own alone.",
    ),
]
Since = Annotated[
    datetime | None, Query(alias="from", description="Begin with the first entry of this time.")
]
Until = Annotated[
    datetime | None, Query(alias="to", description="End with the last entry of this time.")
]


@router.get("", response_model=Audit, responses=LIST_ANSWERS)
async def read_audit(
    who: Reader,
    edge: AtHand,
    *,
    chain: Chain = None,
    after: After = 0,
    before: Before = None,
    newest: Newest = False,
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """What was done by whom, and what was refused to whom, oldest first; a member's token gets what
    concerns that member, without the hardware behind it."""
    name = _chain(who, chain)

    def page(tx: Snapshot) -> bytes:
        one_more = tx.audit_records(after, limit + 1, name, before=before, newest=newest)
        records = one_more[-limit:] if newest else one_more[:limit]
        items = [_row(record, name, with_hardware=who.sees_hardware) for record in records]
        return written(
            {
                "items": items,
                "next": items[-1]["sequence"] if items else after,
                "previous": items[0]["sequence"] if newest and len(one_more) > limit else None,
            }
        )

    return listed(await edge.look(page), if_none_match)


@router.get("/heads")
def read_heads(who: Reader, edge: AtHand, request: Request, chain: Chain = None) -> AuditHeads:
    """Where the chains stood when they were signed last. Keep one elsewhere: what was written before it
    can't be changed unseen any more."""
    with edge.store.read() as tx:
        heads, keys = tx.audit_heads(_chain(who, chain), latest=True), tx.audit_keys()
    return AuditHeads(
        items=[AuditHeadOut.model_validate(head, from_attributes=True) for head in heads],
        keys=[AuditKeyOut.model_validate(key, from_attributes=True) for key in keys],
        signing=_signer(request) is not None,
    )


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One JSON document a line: keys, heads, entries and a signature.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
def export_audit(
    who: Reader,
    edge: AtHand,
    request: Request,
    *,
    chain: Chain = None,
    since: Since = None,
    until: Until = None,
) -> StreamingResponse:
    """The trail as JSON Lines, for keeping and for checking with `yui audit verify`. Times without a
    zone are UTC."""
    name = _chain(who, chain)
    lines = export(
        edge.store, edge.clock, _signer(request), name, since=_utc(since), until=_utc(until)
    )
    return StreamingResponse(lines, media_type="application/x-ndjson")


def _signer(request: Request) -> Signer | None:
    return cast("Signer | None", request.app.state.signer)


def _chain(who: Principal, asked: str | None) -> str:
    """Raises `audit-chain-not-found` for a member that asks for another chain than its own."""
    if who.tenant is None:
        return asked or ALL
    own = chain_of(who.tenant.text)
    if asked not in (None, own):
        raise YuiError(
            "audit-chain-not-found",
            en=f"There is no audit trail '{asked}' for you: leave the chain out to get your own.",
            ja=f"監査記録「{asked}」は参照できません。チェーンの指定を省略すると、自団体の記録が得られます。",
            status=404,
        )
    return own


def _utc(at: datetime | None) -> datetime | None:
    """Raises `time-out-of-range` for a time that UTC has no year for."""
    if at is None or at.tzinfo is None:
        return at and at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise YuiError(
            "time-out-of-range",
            en="This time lies outside of the calendar: name one of this century.",
            ja="この時刻は扱える範囲の外です。今世紀の時刻を指定してください。",
        ) from None


def _row(record: AuditRecord, chain: str, *, with_hardware: bool) -> Json:
    """An `AuditOut`. What somebody spoiled is shown as it stands."""
    said: dict[str, Any] = dict(record.document)
    hardware = dict(_object(record.hardware) or {}) if with_hardware else {}
    hardware.pop("salt", None)
    return {
        **said,
        "fields": _object(said["fields"]),
        "hardware": hardware or None,
        "chain": record.chain,
        "position": record.position,
        "hash": record.hash,
        "sequence": record.sequence if chain == ALL else record.position,
    }


def _object(value: object) -> dict[str, Any] | None:
    """What stands in the state in place of an object is shown as it is."""
    return value if value is None or isinstance(value, dict) else {"unreadable": value}
