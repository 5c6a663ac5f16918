"""Who can read what, and what becomes of it when keys change hands, are renewed, or are no more."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from backup.repository import Damaged, Repository, RepositoryKey
from backup.repository.escrow import open_escrow
from backup.repository.keys import Keyring, salvaged
from control_plane.drivers.objects import ObjectExists
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode
from tests.backup.repository.sparse_disks import (
    CHUNK,
    PLACE,
    TENANT,
    Disk,
    Place,
    assert_reads_as,
    back_up,
    noise,
)

DISK = Disk(3 * CHUNK, {0: noise(1), 2: noise(2)})
OTHER_DISK = Disk(3 * CHUNK, {0: noise(1), 1: noise(3)})
KEYRING = f"tenants/{TENANT}/keyring/00000001.json"


def test_a_repository_key_is_read_as_hexadecimal_and_as_base64() -> None:
    key = RepositoryKey(bytes(range(32)))
    assert RepositoryKey.parse(bytes(range(32)).hex() + "\n") == key
    assert RepositoryKey.parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == key
    assert len(key.id) == 16


@pytest.mark.parametrize("text", ["", "hunter2", "00" * 31, "zz" * 32, "AAEC"])
def test_what_is_no_repository_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(YuiError, match="32 bytes") as refused:
        RepositoryKey.parse(text)
    assert not text or text not in refused.value.en


def test_keys_show_no_secret_when_they_are_printed() -> None:
    place = Place()
    ring = place.vault.keyring
    told = repr((place.key, ring, place.repository))
    for secret in (place.key.secret, ring.id_key, ring.sealing.secret):
        assert repr(secret) not in told
        assert secret.hex() not in told


def test_a_wrong_repository_key_is_told_in_one_sentence() -> None:
    place = Place()
    other = RepositoryKey.generate()
    with pytest.raises(YuiError) as refused:
        Repository.open(place.objects, other).vault(TENANT)
    assert refused.value.type == "backup-wrong-key"
    assert place.key.id in refused.value.en
    assert other.id in refused.value.ja
    assert refused.value.en.count(". ") == 0


def test_a_tenant_without_a_keyring_has_no_vault() -> None:
    with pytest.raises(YuiError) as refused:
        Place().repository.vault(MunicipalityCode("261009"))
    assert refused.value.type == "backup-vault-absent"


def test_a_place_without_a_repository_says_so() -> None:
    with pytest.raises(YuiError) as refused:
        Repository.open(SimulatedWorld().objects(PLACE), RepositoryKey.generate())
    assert refused.value.type == "backup-repository-absent"


def test_a_repository_is_not_created_over_another() -> None:
    place = Place()
    with pytest.raises(YuiError) as refused:
        Repository.create(place.objects, place.key)
    assert refused.value.type == "backup-repository-exists"


def test_a_repository_of_a_later_version_is_left_alone() -> None:
    place = Place()
    value = json.loads(place.objects.get("repository.json")) | {"version": 2}
    place.objects.put("repository.json", json.dumps(value).encode())
    with pytest.raises(YuiError) as refused:
        place.again()
    assert refused.value.type == "backup-version-unknown"


def test_two_who_create_a_vault_at_once_have_the_same_keys() -> None:
    place = Place()
    tenant = MunicipalityCode("261009")
    first = place.repository.vault(tenant, create=True)
    data = place.objects.get(f"tenants/{tenant}/keyring/00000001.json")
    place.objects.delete(f"tenants/{tenant}/keyring/00000001.json")
    place.bucket.let_another_put_first(f"tenants/{tenant}/keyring/00000001.json", data)
    second = place.repository.vault(tenant, create=True)
    assert second.keyring == first.keyring


def test_equal_data_of_two_tenants_has_nothing_in_common() -> None:
    place = Place()
    back_up(place.vault, DISK)
    with place.repository.vault(MunicipalityCode("261009"), create=True) as other:
        point = back_up(other, DISK)
        assert point.stored_bytes > 2 * CHUNK
        assert point.disks[0].root != place.vault.point(place.vault.points()[0]).disks[0].root
    assert place.repository.tenants() == ["261009", "434311"]


def test_after_a_rotation_new_packs_have_the_new_key_and_old_ones_stay_readable() -> None:
    place = Place()
    old = back_up(place.vault, DISK)
    first = place.vault.keyring.sealing.id
    place.vault.rotate()
    second = place.vault.keyring.sealing.id
    new = back_up(place.vault, OTHER_DISK, base=old)
    headers = {
        place.bucket.bytes_of(key)[16:24].hex(): key.rpartition("/")[2]
        for key in place.keys("packs")
        if key.rpartition("/")[2] in {pack.hex() for pack in new.packs}
    }
    assert set(headers) == {second} != {first}
    vault = place.again()
    assert vault.keyring.generation == 2
    assert_reads_as(vault.read(vault.point(old.id), "root"), DISK)
    assert_reads_as(vault.read(vault.point(new.id), "root"), OTHER_DISK)
    # What was stored under the old key is not stored again.
    assert new.stored_bytes < 2 * CHUNK


def test_two_rotations_at_once_both_count() -> None:
    place = Place()
    here, there = place.again(), place.again()
    here.rotate()
    there.rotate()
    keys = place.again().keyring.seal_keys
    assert len(keys) == 3
    assert set(keys) == {*here.keyring.seal_keys, *there.keyring.seal_keys}


def test_a_new_repository_key_opens_all_and_the_old_one_nothing() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    new = RepositoryKey.generate()
    both = Repository.open(place.objects, replace(new, former=place.key)).vault(TENANT)
    assert_reads_as(both.read(both.point(point.id), "root"), DISK)
    assert both.rewrap(new)
    with pytest.raises(YuiError, match=new.id):
        place.again()
    # Once more changes nothing.
    assert not Repository.open(place.objects, new).vault(TENANT).rewrap(new)
    vault = Repository.open(place.objects, new).vault(TENANT)
    assert_reads_as(vault.read(vault.point(point.id), "root"), DISK)
    assert len(place.keys("keyring")) == 1


def test_what_the_key_before_still_opens_is_saved_from_a_damaged_keyring() -> None:
    place = Place()
    damaged = place.bucket.bytes_of(place.keys("keyring")[0]).replace(
        b"yui-keyring", b"yui-keyrinG"
    )
    new = RepositoryKey.generate()
    for key, found in ((replace(new, former=place.key), place.vault.keyring), (new, None)):
        assert salvaged(damaged, key, tenant=str(TENANT), generation=1) == found


def test_another_repository_receives_the_keys_under_its_own() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    far = SimulatedWorld().objects(PLACE)
    copy = Repository.create(far, RepositoryKey.generate())
    for _ in range(2):
        copy.receive_keyring(place.vault.keyring)
    for kind in ("packs", "points"):
        for key in place.keys(kind):
            far.put(key, place.bucket.bytes_of(key))
    vault = copy.vault(TENANT)
    assert_reads_as(vault.read(vault.point(point.id), "root"), DISK)
    place.vault.rotate()
    copy.receive_keyring(place.vault.keyring)
    assert copy.vault(TENANT).keyring == place.vault.keyring
    with pytest.raises(ObjectExists):
        copy.receive_keyring(Keyring.generate(str(TENANT), far.now()))


@pytest.mark.parametrize("how", ["passphrase", "key"])
def test_what_is_in_escrow_opens_the_backups_without_the_operator(how: str) -> None:
    place = Place()
    place.vault.rotate()
    private = X25519PrivateKey.generate()
    secret: str | X25519PrivateKey
    if how == "passphrase":
        held = place.vault.escrow(secret := "阿蘇の山に雲はやし風かおる")
    else:
        secret = private
        held = place.vault.escrow(private.public_key())
    assert open_escrow(held, secret) == place.vault.keyring
    assert place.vault.keyring.sealing.secret not in held


def test_full_and_half_width_letters_of_a_passphrase_agree() -> None:
    held = Place().vault.escrow("ＡＢＣ１２３アイウエオカ")
    assert open_escrow(held, "ABC123アイウエオカ").tenant == str(TENANT)


@pytest.mark.parametrize(
    ("change", "type"),
    [
        pytest.param({"generation": 2}, "escrow-secret-wrong", id="another generation"),
        pytest.param({"tenant": "261009"}, "escrow-secret-wrong", id="another tenant"),
        pytest.param({"format": "yui-keyring"}, "escrow-malformed", id="another format"),
        pytest.param({"sealed": "AAAA"}, "escrow-secret-wrong", id="cut"),
        pytest.param({"nonce": 1}, "escrow-malformed", id="no nonce"),
    ],
)
def test_an_altered_escrow_file_does_not_open(change: dict[str, object], type: str) -> None:
    private = X25519PrivateKey.generate()
    held = json.loads(Place().vault.escrow(private.public_key())) | change
    with pytest.raises(YuiError) as refused:
        open_escrow(json.dumps(held).encode(), private)
    assert refused.value.type == type


def test_escrow_opens_for_nobody_else() -> None:
    held = Place().vault.escrow(X25519PrivateKey.generate().public_key())
    for wrong in (X25519PrivateKey.generate(), "a passphrase of some length"):
        with pytest.raises(YuiError):
            open_escrow(held, wrong)


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(YuiError, match="at least 12"):
        Place().vault.escrow("short")


@pytest.mark.long
def test_destroyed_keys_leave_a_record_and_nothing_readable() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    place.vault.rotate()
    keys = [key.id for key in place.vault.keyring.seal_keys]
    held = place.vault.escrow("the last of its kind")
    vault = place.again()
    record = vault.destroy()
    assert (record.tenant, record.generations) == (str(TENANT), (1, 2))
    assert (list(record.seal_keys), record.points) == (keys, 1)
    assert record.at == place.objects.now()
    assert place.keys("keyring") == []
    for attempt in (
        lambda: vault.read(point, "root"),
        lambda: vault.point(point.id),
        vault.rotate,
        lambda: vault.escrow("another passphrase"),
        lambda: vault.begin("web", "residents"),
    ):
        with pytest.raises(YuiError) as refused:
            attempt()
        assert refused.value.type == "backup-vault-destroyed"
    with pytest.raises(YuiError) as refused:
        place.again()
    assert refused.value.type == "backup-vault-absent"
    # New keys for the same tenant open nothing of the old.
    with pytest.raises(Damaged):
        place.repository.vault(TENANT, create=True).point(point.id)
    # Only the member's own file still does.
    assert open_escrow(held, "the last of its kind").seal_keys


def test_whoever_opened_the_vault_earlier_can_not_write_after_its_keys_were_destroyed() -> None:
    place = Place()
    writer = place.again().begin("web", "residents")
    place.vault.destroy()
    taken = writer.disk("root", CHUNK, chunk_bytes=CHUNK)
    taken.put(0, noise(1))
    taken.close()
    with pytest.raises(YuiError) as refused:
        writer.commit(consistency="crash", details={})
    assert refused.value.type == "backup-vault-destroyed"
    assert place.keys("points") == []


def test_whoever_opened_the_vault_before_a_rotation_reads_what_came_after() -> None:
    place = Place()
    early = place.again()
    back_up(early, DISK)
    place.vault.rotate()
    point = back_up(place.again(), OTHER_DISK)
    assert_reads_as(early.read(early.point(point.id), "root"), OTHER_DISK)
    assert early.details(point) == place.vault.details(point)
    assert early.index.damaged == {}


def test_an_escrow_file_holds_the_newest_key_whoever_made_it() -> None:
    place = Place()
    early = place.again()
    place.vault.rotate()
    private = X25519PrivateKey.generate()
    assert open_escrow(early.escrow(private.public_key()), private) == place.vault.keyring


def test_a_vault_that_another_destroyed_is_known_to_be_no_more() -> None:
    place = Place()
    point = back_up(place.vault, DISK)
    early = place.again()
    place.vault.destroy()
    place.repository.vault(TENANT, create=True)
    with pytest.raises(YuiError) as refused:
        early.read(point, "root")
    assert refused.value.type == "backup-vault-destroyed"
