"""What members do with key pairs: add, make, find, remove."""

from __future__ import annotations

from dataclasses import dataclass, field

from control_plane.journal.operations import draw
from control_plane.model.errors import YuiError
from control_plane.model.ids import KeyPairId
from control_plane.model.keypair import KeyPair, ServerKey
from control_plane.model.tenant import MunicipalityCode
from control_plane.store import Snapshot, Transaction, not_found
from tenants.asking import Asker
from tenants.keypairs.models import KeyPairMade, KeyPairOut
from tenants.keypairs.public_keys import make_key, read_public_key

MOST_KEYPAIRS = 100
"""Of one member."""


@dataclass(frozen=True, slots=True)
class AddedKey:
    """`private` where the key was made here."""

    keypair: KeyPair
    private: str | None = field(default=None, repr=False)


def find_keypair(tx: Snapshot, named: str, tenant: MunicipalityCode | None) -> KeyPair:
    """By id, or by name. With `tenant`, another member's is not found. Raises `keypair-not-found`."""
    try:
        return tx.keypair(KeyPairId(named), tenant)
    except YuiError:
        found = tx.keypairs(tenant, named=named, limit=2)
        if len(found) != 1:
            raise
        return found[0]


def keypair_named(tx: Snapshot, name: str, tenant: MunicipalityCode) -> KeyPair:
    """By name alone. Raises `keypair-not-found`."""
    found = tx.keypairs(tenant, named=name, limit=1)
    if not found:
        raise not_found("keypair", name)
    return found[0]


def key_for(tx: Snapshot, named: str | None, tenant: MunicipalityCode) -> ServerKey | None:
    """What a new server is made with. Raises `keypair-not-found`."""
    if named is None:
        return None
    found = find_keypair(tx, named, tenant)
    return ServerKey(found.name, found.public_key)


def add_keypair(
    tx: Transaction, tenant: MunicipalityCode, name: str, public_key: str | None, asker: Asker
) -> AddedKey:
    """Without a public key one is made with its private half, which is told this once. Raises
    `keypair-exists`, `keypairs-too-many`, and what `read_public_key` raises."""
    if len(tx.keypairs(tenant, limit=MOST_KEYPAIRS)) >= MOST_KEYPAIRS:
        raise YuiError(
            "keypairs-too-many",
            en=f"There are {MOST_KEYPAIRS} key pairs already: remove one that no new server is to have.",
            ja=f"キーペアはすでに {MOST_KEYPAIRS} 個あります。今後使わないものを削除してください。",
            status=409,
            fields={"most": MOST_KEYPAIRS},
        )
    made = make_key() if public_key is None else None
    public = read_public_key(public_key) if public_key is not None else None
    key = public or (made.public if made is not None else None)
    assert key is not None  # noqa: S101 — one of the two is there
    keypair = tx.add_keypair(
        KeyPair(
            KeyPairId(f"key-{draw(10)}"),
            tenant,
            name,
            key.line,
            key.fingerprint,
            asker.who.user,
            asker.at,
        )
    )
    _tell(tx, "add", keypair, asker, ("was added", "を登録しました"))
    return AddedKey(keypair, None if made is None else made.private)


def remove_keypair(tx: Transaction, keypair: KeyPair, asker: Asker) -> None:
    """Servers that were made with it keep its public half."""
    tx.remove_keypair(keypair.id)
    _tell(tx, "remove", keypair, asker, ("was removed", "を削除しました"))


def keypair_out(keypair: KeyPair) -> KeyPairOut:
    return KeyPairOut(
        id=keypair.id,
        tenant=keypair.tenant.text,
        name=keypair.name,
        public_key=keypair.public_key,
        fingerprint=keypair.fingerprint,
        made_by=keypair.made_by,
        created_at=keypair.created_at,
    )


def keypair_made(added: AddedKey) -> KeyPairMade:
    return KeyPairMade(**keypair_out(added.keypair).model_dump(), private_key=added.private)


def _tell(
    tx: Transaction, did: str, keypair: KeyPair, asker: Asker, sentences: tuple[str, str]
) -> None:
    asker.tell_of(
        tx,
        f"keypair.{did}",
        f"keypair:{keypair.id}",
        keypair.tenant,
        what=(f"Key pair {keypair.name}", f"キーペア {keypair.name}"),
        did=sentences,
        fields={"name": keypair.name, "fingerprint": keypair.fingerprint},
    )
