"""Key pairs over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.listing import LIST_ANSWERS, IfNoneMatch, OfMember, listed, page_bytes
from control_plane.http.paging import Cursor, Limit, Page, behind
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.ids import KeyPairId
from control_plane.model.keypair import KeyPair
from control_plane.model.tenant import MunicipalityCode
from control_plane.pool.plan import added, removed
from control_plane.store import Snapshot, Transaction
from tenants.asking import Asker, member_asking
from tenants.keypairs.keypairs import add_keypair, keypair_made, keypair_out, remove_keypair
from tenants.keypairs.models import KeyPairMade, KeyPairOut, KeyPairPlan, NewKeyPairIn
from tenants.record_change import change_record

router = APIRouter(prefix="/v1/keypairs", tags=["key pairs"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]


@router.get("", response_model=Page[KeyPairOut], responses=LIST_ANSWERS)
async def read_keypairs(
    who: Reader,
    edge: AtHand,
    *,
    tenant: OfMember = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Key pairs by id, in pages; a member's token gets its own alone."""
    after = behind(cursor)

    def page(tx: Snapshot) -> bytes:
        rows = tx.keypairs(
            who.tenant,
            also=tenant,
            after=None if after is None else KeyPairId(after),
            limit=limit + 1,
        )
        return page_bytes(
            rows,
            limit,
            lambda one: keypair_out(one).model_dump(mode="json"),
            key=lambda one: one.id,
        )

    return listed(await edge.look(page), if_none_match)


@router.get("/{keypair}")
def read_keypair(keypair: Name, who: Reader, edge: AtHand) -> KeyPairOut:
    with edge.store.read() as tx:
        return keypair_out(tx.keypair(KeyPairId(keypair), who.tenant))


@router.post(
    "",
    status_code=201,
    response_model=KeyPairMade,
    responses={200: {"model": KeyPairPlan, "description": "With `dry_run`."}},
)
@audited("keypair.add", "keypair")
def create_keypair(
    body: NewKeyPairIn, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Add a public key, or have a key made: its private half is in this answer and nowhere else, not even
    in the record of answers that Idempotency-Key works by."""

    def rehearse(_: Remember) -> KeyPairPlan:
        with edge.rehearsable(dry_run=True) as tx:
            add_keypair(tx, _member(who), body.name, body.public_key, Asker(who, edge.clock.now()))
        return KeyPairPlan(diff=[added(f"/keypairs/{body.name}", {"name": body.name})])

    def work(remember: Remember) -> KeyPairMade:
        with edge.store.write() as tx:
            asker = Asker(who, edge.clock.now())
            made = add_keypair(tx, _member(who), body.name, body.public_key, asker)
            remember(tx, KeyPairMade(**keypair_out(made.keypair).model_dump()))
        return keypair_made(made)

    if dry_run:
        return once.run(rehearse)
    return once.run(work, status=201, replay=shown_once if body.public_key is None else None)


@router.delete("/{keypair}", response_model=KeyPairOut | KeyPairPlan)
@audited("keypair.remove", "keypair")
def delete_keypair(
    keypair: Name, who: Writer, edge: AtHand, once: Once, *, dry_run: DryRun = False
) -> Response:
    """Remove it; servers that were made with it keep the key. Answers it as it was."""

    def change(tx: Transaction) -> KeyPair:
        found = tx.keypair(KeyPairId(keypair), who.tenant)
        remove_keypair(tx, found, Asker(who, edge.clock.now()))
        return found

    return change_record(
        edge,
        once,
        change,
        answer=keypair_out,
        rehearsal=lambda found: KeyPairPlan(diff=[removed(f"/keypairs/{found.name}")]),
        dry_run=dry_run,
    )


def shown_once(made: Mapping[str, Any]) -> Response:
    """Raises `private-key-shown-once` (409)."""
    raise YuiError(
        "private-key-shown-once",
        en=f"Key pair '{made['name']}' was made for this Idempotency-Key already, and its private key is shown only once: remove it if that was lost, and make another with a new key.",
        ja=f"この Idempotency-Key ではキーペア「{made['name']}」を作成済みで、秘密鍵の再表示はできません。紛失した場合は削除し、新しいキーで作り直してください。",
        status=409,
        fields={"name": made["name"]},
    )


def _member(who: Principal) -> MunicipalityCode:
    return member_asking(who, "A key pair belongs to a member", "キーペアは団体ごとに登録します")
