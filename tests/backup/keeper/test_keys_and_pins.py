"""What is asked for of members' keys is done, and a declared disaster keeps what lies near it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from backup.keeper.vaults import Vaults
from backup.repository.escrow import open_escrow
from control_plane.model.backup.declaration import DisasterDeclaration
from control_plane.model.backup.ids import DeclarationId, KeyTaskId, RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.backup.points import Expired
from control_plane.model.backup.policy import BackupPlace
from control_plane.model.backup.work import Agreed, Carried, Failed, KeyErrand, KeyTask
from control_plane.model.membership import Person
from control_plane.model.units import Seconds
from tests.backup.keeper.stand import FAR, NIGHTLY, SLOWLY, Stand
from tests.scenarios.joining import MEMBER

MINUTE = timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SATO, SUZUKI = Person("user-1", "佐藤"), Person("user-2", "鈴木")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path)
    stand.keep(MINUTE, Seconds(20))
    assert len(stand.points()) == 1
    yield stand
    stand.close()


def carried(
    stand: Stand,
    errand: KeyErrand,
    recipient: str | None = None,
    repository: RepositoryId | None = None,
) -> Carried | Failed | Agreed:
    with stand.store.write() as tx:
        now = stand.world.clock.now()
        id = KeyTaskId(f"task-{errand}-{now:%H%M%S}")
        standing = Agreed(now, SATO, SUZUKI)
        task = KeyTask(id, MEMBER.code, errand, "It is time.", standing, now)
        tx.add_key_task(replace(task, recipient=recipient, repository=repository))
    stand.keep(2 * MINUTE, Seconds(20))
    with stand.store.read() as tx:
        found = tx.key_task(id).standing
    assert isinstance(found, Carried | Failed | Agreed)
    return found


def test_keys_are_rotated_exported_to_their_keeper_and_destroyed(stand: Stand) -> None:
    before = stand.points()
    assert isinstance(carried(stand, KeyErrand.ROTATE), Carried)
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.insist_on_bytes(stand.points()) == 4
    keeper = X25519PrivateKey.generate()
    public = base64.b64encode(keeper.public_key().public_bytes_raw()).decode()
    escrow = carried(stand, KeyErrand.ESCROW, public)
    assert isinstance(escrow, Carried)
    assert escrow.result is not None
    with stand.vault() as vault:
        opened = open_escrow(base64.b64decode(escrow.result), keeper)
        assert opened.secret_json() == vault.keyring.secret_json()
        assert len(opened.seal_keys) == 2
    destroyed = carried(stand, KeyErrand.DESTROY)
    assert isinstance(destroyed, Carried)
    told = json.loads(destroyed.result or "")
    assert told[FAR]["points"] == 4
    # Nothing that can't be read any more is said to be there.
    with stand.store.read() as tx:
        points = [tx.recovery_point(point.id) for point in before]
        trail = [entry for entry in tx.audit(0, 100) if entry.action == "backup.keys-destroy"]
    assert all(isinstance(point.standing, Expired) for point in points)
    assert len(trail) == 1
    assert len(stand.events("backup.keys-destroy")) == 1


def test_an_escrow_for_what_is_no_key_is_refused(stand: Stand) -> None:
    refused = carried(stand, KeyErrand.ESCROW, "bm8ga2V5")
    assert isinstance(refused, Failed)
    assert "X25519" in refused.trouble.en


def test_keys_wait_for_a_repository_that_is_away(stand: Stand) -> None:
    stand.bucket.cut_link()
    assert isinstance(carried(stand, KeyErrand.ROTATE), Agreed)
    stand.bucket.restore_link()
    stand.keep(3 * MINUTE, Seconds(20))
    assert len(stand.events("backup.keys-rotate")) == 1


@pytest.mark.long
def test_what_was_taken_near_a_disaster_stays_until_the_declaration_is_revoked(
    stand: Stand,
) -> None:
    (near,) = stand.points()
    around = timedelta(hours=6)
    with stand.store.write() as tx:
        now = stand.world.clock.now()
        declared = tx.add_disaster(
            DisasterDeclaration(
                DeclarationId("quake"), near.taken_at, around, around, "An earthquake.", "Sato", now
            )
        )
    refused = carried(stand, KeyErrand.DESTROY)
    assert isinstance(refused, Failed)
    assert "quake" in refused.trouble.en
    stand.keep(4 * DAY, SLOWLY)
    assert near.id in {point.id for point in stand.points()}
    with stand.store.write() as tx:
        tx.save_disaster(declared.revoke(stand.world.clock.now(), "Sato", "It is over."))
    stand.keep(2 * HOUR, SLOWLY)
    assert near.id not in {point.id for point in stand.points()}


def test_a_second_repository_receives_the_keys_that_the_member_has(stand: Stand) -> None:
    (nightly,) = NIGHTLY.copies
    region, site = stand.pool.regions[0].id, stand.pool.sites[0].id
    near = Repository(
        RepositoryId("kyoto"),
        "京都",
        "s3://yui-kyoto/backups",
        f"file:{stand.key}",
        "京都府",
        region,
        site,
    )
    with stand.store.write() as tx:
        tx.add_repository(near)
    both = (BackupPlace.ON_SITE, BackupPlace.OTHER_REGION)
    stand.set_policy(replace(NIGHTLY, copies=(replace(nightly, places=both),)))
    stand.bucket.cut_link()
    # Keys of its own would part it from the other for good.
    stand.ask()
    stand.keep(2 * MINUTE, Seconds(20))
    assert stand.world.bucket(near.place).keys("tenants/") == []
    stand.bucket.restore_link()
    stand.keep(10 * MINUTE, Seconds(60))
    assert stand.points()[-1].copy_in(near.id) is not None
    with stand.vault() as far, Vaults(stand.world).open(near, MEMBER.code).vault as vault:
        assert vault.keyring.secret_json() == far.keyring.secret_json()
    # What is destroyed in one place stays destroyed there, whatever the other holds.
    assert isinstance(carried(stand, KeyErrand.DESTROY, repository=FAR), Carried)
    stand.keep(10 * MINUTE, Seconds(60))
    assert stand.bucket.keys(f"tenants/{MEMBER.code}/keyring/") == []
    assert {point.held_in() for point in stand.points()} == {(near.id,)}
