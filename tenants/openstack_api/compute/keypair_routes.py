"""Key pairs (Compute API, "Keypairs"): a member's, the same in every region."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from control_plane.http.auth import needs
from control_plane.http.bounds import RequestBody
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.keypair import KeyPair
from tenants.asking import Asker
from tenants.keypairs.keypairs import add_keypair, keypair_named, remove_keypair
from tenants.keypairs.models import KeyPairName, PublicKeyText
from tenants.keypairs.routes import shown_once
from tenants.openstack_api.answers import Answer, emptied
from tenants.openstack_api.compute.bad_requests import bad_request
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.paging import Limit, Marker, next_link, page_of
from tenants.openstack_api.compute.server_models import Short
from tenants.openstack_api.compute.server_view import Json, View
from tenants.openstack_api.compute.unsupported import refuse_later, unsupported
from tenants.openstack_api.compute.versions import since
from tenants.openstack_api.microversions import Version
from tenants.openstack_api.services import Service, in_region
from tenants.openstack_api.times import without_zone

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

Reader = Annotated[Principal, needs(Permission.SERVERS_READ)]
Writer = Annotated[Principal, needs(Permission.SERVERS_WRITE)]
KeyName = Annotated[str, Path(max_length=255, description="A key pair's name.")]
User = Annotated[str | None, Query(max_length=255)]


class KeyPairIn(RequestBody):
    """Without `public_key`, before 2.92, a key is made, and its private half is in the answer alone."""

    name: KeyPairName
    public_key: PublicKeyText | None = None
    type: Short | None = None
    user_id: Short | None = None


class NewKeyPair(RequestBody):
    keypair: KeyPairIn


@router.get("/os-keypairs")
async def read_keypairs(
    request: Request,
    who: Reader,
    view: View,
    edge: AtHand,
    *,
    limit: Limit = None,
    marker: Marker = None,
    user_id: User = None,
) -> Response:
    """The member's key pairs by name."""
    _refuse_others(who, user_id)
    paged = since(view.version, 35)
    keypairs = await edge.look(lambda tx: tx.keypairs(view.tenant))
    by_name = sorted(keypairs, key=lambda one: one.name)
    page, following = page_of(
        by_name, limit if paged else None, marker if paged else None, lambda one: one.name
    )
    body: Json = {"keypairs": [{"keypair": _brief(one, view.version)} for one in page]}
    if paged and following is not None:
        body["keypairs_links"] = next_link(request, following)
    return told(body)


@router.post("/os-keypairs")
@audited("keypair.add", "keypair")
def create_keypair(body: NewKeyPair, who: Writer, view: View, edge: AtHand, once: Once) -> Response:
    """Adds a public key; before 2.92 and without one, has a key made, whose private half is told once."""
    wanted = body.keypair
    refuse_later(wanted, view.version, {"type": 2, "user_id": 10})
    _refuse_others(who, wanted.user_id)
    if wanted.type not in (None, "ssh"):
        raise unsupported("type", "a key pair is of type ssh", "キーペアの type は ssh だけです")
    if wanted.public_key is None and since(view.version, 92):
        raise YuiError(
            "public-key-missing",
            en="'public_key' is a required property: from microversion 2.92 on keys are made by whoever owns them.",
            ja="public_key を指定してください。マイクロバージョン 2.92 以降、鍵は利用者が作成します。",
            status=400,
        )

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx, bad_request(*_UNFIT):
            asker = Asker(who, edge.clock.now())
            made = add_keypair(tx, view.tenant, wanted.name, wanted.public_key, asker)
            shown = _made(made.keypair, view.version)
            remember(tx, Answer({"keypair": shown}))
        private = {} if made.private is None else {"private_key": made.private}
        return Answer({"keypair": {**shown, **private}})

    status = 201 if since(view.version, 2) else 200
    replay = _shown_once if wanted.public_key is None else None
    return once.run(work, status=status, replay=replay)


@router.get("/os-keypairs/{keypair}")
async def read_keypair(
    keypair: KeyName, who: Reader, view: View, edge: AtHand, user_id: User = None
) -> Response:
    """One key pair."""
    _refuse_others(who, user_id)
    found = await edge.look(lambda tx: keypair_named(tx, keypair, view.tenant))
    return told({"keypair": _detail(found, view.version)})


@router.delete("/os-keypairs/{keypair}")
@audited("keypair.remove", "keypair")
def delete_keypair(
    keypair: KeyName, who: Writer, view: View, edge: AtHand, once: Once, *, user_id: User = None
) -> Response:
    """Removes a key pair; servers that were made with it keep the key."""
    _refuse_others(who, user_id)

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            found = keypair_named(tx, keypair, view.tenant)
            remove_keypair(tx, found, Asker(who, edge.clock.now()))
            remember(tx, Answer({}))
        return Answer({})

    status = 204 if since(view.version, 2) else 202
    return emptied(once.run(work), status)


_UNFIT = ("public-key-unreadable", "public-key-unsupported", "public-key-too-short")


def _brief(keypair: KeyPair, version: Version) -> Json:
    shown: Json = {
        "name": keypair.name,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
    }
    if since(version, 2):
        shown["type"] = "ssh"
    return shown


def _made(keypair: KeyPair, version: Version) -> Json:
    return {**_brief(keypair, version), "user_id": keypair.made_by}


def _detail(keypair: KeyPair, version: Version) -> Json:
    """Nova numbers them; here the number follows from the id."""
    digest = hashlib.blake2b(keypair.id.encode(), digest_size=4, person=b"yui keypair").digest()
    return {
        **_made(keypair, version),
        "id": int.from_bytes(digest) >> 1,
        "created_at": without_zone(keypair.created_at),
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }


def _refuse_others(who: Principal, user: str | None) -> None:
    """Key pairs are the member's, whoever of it added them."""
    if user is not None and user != who.user:
        raise YuiError(
            "user-foreign",
            en="Key pairs belong to the member, not to one of its users: leave user_id out.",
            ja="キーペアは利用者ごとではなく団体ごとに登録されます。user_id を省略してください。",
            status=403,
        )


def _shown_once(answer: Mapping[str, Any]) -> Response:
    return shown_once(answer["keypair"])
