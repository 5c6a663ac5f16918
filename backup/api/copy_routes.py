"""A member's own people fetch its sealed copy, to read it without Yui.

What is served lies in repositories as it is: nothing is opened for it, and no keyring is ever among it."""

from __future__ import annotations

import re
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.types import Receive, Scope, Send

from backup.api.common import Known, Reader, refused, tell
from backup.api.copy_models import (
    CopiedPointOut,
    CopiesTaken,
    CopyObjectOut,
    CopyTakenIn,
    MemberCopyOut,
    MemberCopyTold,
)
from backup.member_copy import Choice, Contents, Listings, Slots, choose, may_be_read
from backup.repository.ids import object_id
from backup.repository.names import kind_of
from backup.repository.sizes import LARGEST_SMALL
from control_plane.drivers.objects import NoSuchObject, ObjectStore, ObjectStoreError
from control_plane.http.bounds import CodeText, Name
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.paging import Cursor, Limit, behind, cursor_to
from control_plane.http.principal import Principal
from control_plane.http.references import named_in_body
from control_plane.http.refusals import audited
from control_plane.model.backup.ids import RecoveryPointId, RepositoryId
from control_plane.model.backup.member_copy import MemberCopy
from control_plane.model.errors import YuiError
from control_plane.model.ids import SystemId
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot
from control_plane.store.rows import not_found

router = APIRouter(prefix="/v1/members/{code}/backup-copy", tags=["backups"])

_PART = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_PLACE = re.compile(r"([0-9a-f]{24})/(\d{1,9})")


async def _listings(request: Request) -> Listings:
    return cast(Listings, request.app.state.member_copies)


async def _slots(request: Request) -> Slots:
    return cast(Slots, request.app.state.copy_slots)


Found = Annotated[Listings, Depends(_listings)]
Sending = Annotated[Slots, Depends(_slots)]


@router.get("")
def read_member_copy(
    code: CodeText,
    who: Reader,
    edge: AtHand,
    blueprints: Known,
    found: Found,
    *,
    system: Annotated[
        list[Name] | None, Query(max_length=100, description="Only these systems.")
    ] = None,
    minimal: Annotated[
        bool,
        Query(description="Only what counters need while cut off, and systems that are named."),
    ] = False,
    point: Annotated[
        list[Name] | None,
        Query(max_length=100, description="These recovery points, instead of the newest."),
    ] = None,
    limit: Limit = 1000,
    cursor: Cursor = None,
) -> MemberCopyOut:
    """Of which objects the member's own copy consists: without anything named, the newest whole point of
    each of its systems. For the member's own people alone."""
    with edge.store.read() as tx:
        tenant = _own(tx, code, who)
    name, start = _place_of(behind(cursor))
    contents = None if name is None else found.kept(name, tenant)
    if contents is None:
        with edge.store.read() as tx:
            choice = choose(
                tx,
                blueprints,
                tenant,
                systems=[SystemId(each) for each in system or ()],
                minimal=minimal,
                points=[RecoveryPointId(each) for each in point or ()],
            )
        if name not in (None, choice.name):
            raise refused(
                "backup-copy-changed",
                "There are newer recovery points than when this list was begun: begin it again.",
                "一覧の取得中に新しい復元ポイントができました。最初から取得し直してください。",
            )
        contents = found.of(choice)
    return _page(contents, start, limit)


@router.get(
    "/object",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The sealed bytes."},
        206: {"description": "The part that `Range` asks for."},
        304: {"description": "It is the one that `If-None-Match` names."},
    },
)
def read_member_copy_object(
    code: CodeText,
    key: Annotated[str, Query(max_length=300, description="As the copy lists it.")],
    repository: Annotated[Name, Query(description="As the copy lists it.")],
    who: Reader,
    edge: AtHand,
    *,
    sending: Sending,
    part: Annotated[
        str | None, Header(alias="Range", max_length=60, description="As `bytes=4096-`.")
    ] = None,
    held: Annotated[str | None, Header(alias="If-None-Match", max_length=200)] = None,
) -> Response:
    """One object of the member's own copy, sealed as it lies there; with `Range`, a part of it (RFC 9110
    §14). Its ETag is the hash that its bytes must have."""
    with edge.store.read() as tx:
        tenant = _own(tx, code, who)
        if not may_be_read(key, tenant):
            raise not_found("backup-copy-object", key)
        place = tx.repository(RepositoryId(repository), tenant).place
    with sending.unless_kept(who.token):
        try:
            objects = edge.world.objects(place)
            etag, size = _facts(objects, key, tenant)
            start, end = _range(part, size)
            headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Cache-Control": "private"}
            if part is None and held is not None and f'"{etag}"' in held:
                return _Sent(b"", 304, headers, sending, who.token)
            data = objects.get(key, start=start, length=end - start)
        except NoSuchObject:
            raise not_found("backup-copy-object", key) from None
        except ObjectStoreError:
            raise refused(
                "repository-away",
                f"Repository '{repository}' does not answer now: try again later.",
                f"リポジトリ「{repository}」が応答しません。後でもう一度試してください。",
                503,
                repository=repository,
            ) from None
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return _Sent(data, 200 if part is None else 206, headers, sending, who.token)


@router.post("/taken")
@audited("backup-copy.taken", "member")
def tell_member_copy(
    code: CodeText, body: CopyTakenIn, who: Reader, edge: AtHand, once: Once
) -> Response:
    """That the member has these points whole at home now, as its own people say: `yui backup pull` does
    once it has fetched and checked all of it."""

    def work(remember: Remember) -> CopiesTaken:
        with edge.store.write() as tx:
            tenant = _own(tx, code, who)
            now = edge.clock.now()
            with named_in_body():
                points = [tx.recovery_point(RecoveryPointId(id), tenant) for id in body.points]
            kept = [
                tx.put_member_copy(
                    MemberCopy(point.system, tenant, point.id, point.taken_at, now, who.label)
                )
                for point in sorted(points, key=lambda one: one.taken_at)
            ]
            tell(
                tx,
                who,
                "backup-copy.taken",
                f"member:{tenant}",
                at=now,
                said=(
                    f"{who.label} took a copy of {tenant}'s own home ({len(points)} recovery points).",
                    f"{who.label} さんが、参加団体 {tenant} の手元コピーを取得しました(復元ポイント {len(points)} 件)。",
                ),
                tenant=tenant,
                fields={"points": sorted(point.id for point in points)},
            )
            answer = CopiesTaken(
                items=[
                    MemberCopyTold(
                        system=one.system,
                        point=one.point,
                        taken_at=one.taken_at,
                        told_at=one.told_at,
                        told_by=one.told_by,
                    )
                    for one in kept
                ]
            )
            remember(tx, answer)
        return answer

    return once.run(work)


class _Sent(Response):
    """Gives its slot back when it has gone out, or its reader has."""

    def __init__(
        self, data: bytes, status: int, headers: dict[str, str], slots: Slots, token: str
    ) -> None:
        super().__init__(data, status, headers, media_type="application/octet-stream")
        self._slots = slots
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.give_back(self._token)


def _own(tx: Snapshot, code: str, who: Principal) -> MunicipalityCode:
    """Raises `tenant-not-found`, and `members-own-copy` for all who are not the member's."""
    tenant = MunicipalityCode(code)
    if who.tenant is not None and who.tenant != tenant:
        raise not_found("tenant", code)
    found = tx.tenant(tenant).code
    if who.tenant is None:
        raise refused(
            "members-own-copy",
            "Only the member itself fetches its copy: sign in as one of its people, or as its service account.",
            "コピーを取得できるのは団体自身だけです。団体の利用者またはサービスアカウントで実行してください。",
            403,
        )
    return found


def _place_of(key: str | None) -> tuple[str | None, int]:
    """The listing that a cursor goes on with, and behind how many objects. Raises `cursor-invalid`."""
    if key is None:
        return None, 0
    parts = _PLACE.fullmatch(key)
    if parts is None:
        raise YuiError(
            "cursor-invalid",
            en="This cursor is none of ours: take `next` of the page before, or leave it out.",
            ja="カーソルが正しくありません。前のページの next を指定するか、省略してください。",
        )
    return parts[1], int(parts[2])


def _page(contents: Contents, start: int, limit: int) -> MemberCopyOut:
    choice: Choice = contents.choice
    end = start + limit
    more = end < len(contents.objects)
    return MemberCopyOut(
        items=[
            CopyObjectOut(key=each.key, bytes=each.size, hash=each.hash, repository=each.repository)
            for each in contents.objects[start:end]
        ],
        next=cursor_to(f"{choice.name}/{end}") if more else None,
        objects=len(contents.objects),
        bytes=sum(each.size for each in contents.objects),
        points=[
            CopiedPointOut(
                id=one.point.id,
                system=one.point.system,
                system_name=one.point.system_name,
                taken_at=one.point.taken_at,
                manifests=[server.point for server in one.point.servers],
            )
            for one in choice.wanted
        ],
        without_points=list(choice.without),
    )


def _facts(objects: ObjectStore, key: str, tenant: MunicipalityCode) -> tuple[str, int]:
    """(hash, size). Names tell the hash of all that is sealed. What is larger than any such is none. Raises
    NoSuchObject."""
    kind = kind_of(key, tenant.text)
    size = objects.stat(key).size
    if size > (LARGEST_SMALL if kind is None else kind.largest):
        raise NoSuchObject(f"{key} in {objects.name} is larger than any that is written.")
    if kind is not None:
        return re.split(r"[/.]", key)[-1], size
    data = objects.get(key, length=size)
    return object_id(data).hex(), len(data)


def _range(part: str | None, size: int) -> tuple[int, int]:
    """Raises `range-not-there` (416) for what is no single part of an object of that size."""
    if part is None:
        return 0, size
    found = _PART.fullmatch(part.strip())
    if found is None or int(found[1]) >= size or (found[2] and int(found[2]) < int(found[1])):
        raise YuiError(
            "range-not-there",
            en=f"The object has {size:,} bytes and no such part: ask for one as Range: bytes=4096-, within it.",
            ja=f"オブジェクトは {size:,} バイトで、指定された範囲はありません。Range: bytes=4096- のように範囲内を指定してください。",
            status=416,
            fields={"size": size},
        )
    return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
