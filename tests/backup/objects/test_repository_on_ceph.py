"""A repository in real data centres: what befalls a gateway in mid-backup costs time, or a clear error,
and never a hole."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from backup.repository import DiskReader, RecoveryPoint, Repository, RepositoryKey, Vault
from backup.repository.heal import HealOutcome, heal
from backup.repository.scrub import scrub
from control_plane.drivers.objects import ObjectLocked, StoreFull, StoreRefused
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.tenant import MunicipalityCode
from tests.backup.objects.buckets import STUBBORN, new_place, write_credentials
from tests.backup.objects.troublesome_proxy import troublesome_proxy
from tests.backup.repository.copying import copy_tenant
from tests.ceph import Ceph, S3User

pytestmark = pytest.mark.hypervisor

TENANT = MunicipalityCode("131016")
CHUNK = 65_536
CHUNKS = 768
KEY = RepositoryKey(bytes(range(32)))


@dataclass
class Place:
    s3: S3Place
    user: S3User
    credentials: Path

    def vault(self, *, create: bool = False, endpoint: str | None = None) -> Vault:
        place = self.s3 if endpoint is None else replace(self.s3, endpoint=endpoint)
        store = S3Store(place, SystemClock(), patience=STUBBORN)
        repository = Repository.create(store, KEY) if create else Repository.open(store, KEY)
        return repository.vault(TENANT, create=create)


@pytest.fixture
def place(request: pytest.FixtureRequest, ceph: Ceph, tmp_path: Path) -> Place:
    user, credentials = ceph.new_user(), tmp_path / "credentials"
    lock = "attack" in request.function.__name__
    return Place(new_place(ceph, user, credentials, object_lock=lock), user, credentials)


@pytest.fixture(scope="module")
def disk() -> bytes:
    """Of 48 MiB, which fill several packs."""
    return os.urandom(CHUNK * CHUNKS)


def changed(disk: bytes, seed: int) -> tuple[bytes, list[int]]:
    """With 8 chunks of other content, and which."""
    chance = random.Random(seed)  # noqa: S311
    numbers = sorted(chance.sample(range(CHUNKS), 8))
    pieces = [disk[at : at + CHUNK] for at in range(0, len(disk), CHUNK)]
    for number in numbers:
        pieces[number] = chance.randbytes(CHUNK)
    return b"".join(pieces), numbers


def back_up(
    vault: Vault,
    runs: Iterator[tuple[int, bytes]],
    base: RecoveryPoint | None = None,
    locked_for: timedelta | None = None,
) -> RecoveryPoint:
    until = None if locked_for is None else SystemClock().now() + locked_for
    with vault.begin("web", "residents", base=base, locked_until=until) as writer:
        taken = writer.disk(
            "root",
            CHUNK * CHUNKS,
            base_disk="root" if base else None,
            chunk_bytes=CHUNK,
            how="changed" if base else "full",
        )
        for offset, data in runs:
            taken.put(offset, data)
        taken.close()
        return writer.commit(consistency="crash", details={})


def whole(disk: bytes) -> Iterator[tuple[int, bytes]]:
    for at in range(0, len(disk), 16 * CHUNK):
        yield at, disk[at : at + 16 * CHUNK]


def bytes_of(reader: DiskReader) -> bytes:
    found = bytearray(reader.size)
    for offset, data in reader.stream():
        found[offset : offset + len(data)] = data
    return bytes(found)


def test_a_backup_whose_gateway_is_killed_is_whole_all_the_same(
    ceph: Ceph, place: Place, disk: bytes
) -> None:
    vault = place.vault(create=True)

    def runs() -> Iterator[tuple[int, bytes]]:
        for at, data in whole(disk):
            if at == len(disk) // 2:
                ceph.kill_gateway()
                died.set()
            yield at, data

    died = threading.Event()
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(back_up, vault, runs())
        assert died.wait(60)
        ceph.start()
        point = writing.result(timeout=120)
    again = place.vault()
    assert [facts.id for facts in again.points()] == [point.id]
    assert bytes_of(again.read(again.point(point.id), "root")) == disk


def test_backups_and_restores_over_a_bad_link_are_right_byte_for_byte(
    ceph: Ceph, place: Place, disk: bytes
) -> None:
    later, numbers = changed(disk, seed=3)
    with troublesome_proxy(ceph.port, seed=5, long_lives=True) as proxy:
        vault = place.vault(create=True, endpoint=proxy.endpoint)
        first = back_up(vault, whole(disk))
        runs = ((n * CHUNK, later[n * CHUNK : (n + 1) * CHUNK]) for n in numbers)
        second = back_up(vault, runs, base=first)
        restored = bytes_of(vault.read(second, "root"))
        assert proxy.happened.total() > proxy.happened["none"]
    assert restored == later
    directly = place.vault()
    assert bytes_of(directly.read(directly.point(first.id), "root")) == disk


def test_credentials_revoked_in_mid_backup_leave_no_point_and_the_next_backup_is_whole(
    ceph: Ceph, place: Place, disk: bytes
) -> None:
    vault = place.vault(create=True)
    other = ceph.new_credentials(place.user)

    def runs() -> Iterator[tuple[int, bytes]]:
        for at, data in whole(disk):
            if at == len(disk) // 2:
                ceph.revoke(place.user)
            yield at, data

    with pytest.raises(StoreRefused, match="does not accept the credentials") as refused:
        back_up(vault, runs())
    assert place.user.secret_key not in str(refused.value)
    write_credentials(place.credentials, other)
    again = place.vault()
    assert list(again.points()) == []
    point = back_up(again, whole(disk))
    assert bytes_of(again.read(point, "root")) == disk


def test_a_bucket_that_fills_up_in_mid_backup_keeps_older_points_and_gets_no_broken_one(
    ceph: Ceph, place: Place, disk: bytes
) -> None:
    vault = place.vault(create=True)
    first = back_up(vault, whole(disk))
    ceph.limit(place.user, place.s3.bucket, 56 << 20)
    other = os.urandom(len(disk))
    with pytest.raises(StoreFull, match="is full"):
        back_up(vault, whole(other))
    again = place.vault()
    assert [facts.id for facts in again.points()] == [first.id]
    assert bytes_of(again.read(again.point(first.id), "root")) == disk
    ceph.lift_limit(place.user, place.s3.bucket)
    second = back_up(again, whole(other))
    assert bytes_of(again.read(second, "root")) == other


def test_after_an_attack_with_the_control_planes_own_credentials_points_restore(
    ceph: Ceph, place: Place, disk: bytes
) -> None:
    vault = place.vault(create=True)
    point = back_up(vault, whole(disk), locked_for=timedelta(hours=1))
    attacker = ceph.client(place.user)
    hidden = refused = 0
    listed = attacker.list_object_versions(Bucket=place.s3.bucket, Prefix="yui/tenants/")
    for version in listed["Versions"]:
        where = {"Bucket": place.s3.bucket, "Key": version["Key"]}
        if "/keyring/" in version["Key"]:
            continue
        try:
            attacker.delete_object(**where, VersionId=version["VersionId"])
        except attacker.exceptions.ClientError:
            refused += 1
        attacker.delete_object(**where)
        hidden += 1
    assert refused == hidden > 3
    store = S3Store(place.s3, SystemClock(), patience=STUBBORN)
    assert not [o for o in store.list("tenants/") if "/keyring/" not in o.key]

    assert store.uncover("") == hidden
    again = place.vault()
    assert [facts.id for facts in again.points()] == [point.id]
    assert bytes_of(again.read(again.point(point.id), "root")) == disk
    with pytest.raises(ObjectLocked):
        again.forget(point.id)


def test_the_other_data_centre_restores_what_is_cut_off_and_heals_what_rotted(
    ceph: Ceph, second_ceph: Ceph, place: Place, disk: bytes, tmp_path: Path
) -> None:
    vault = place.vault(create=True)
    point = back_up(vault, whole(disk))
    user, credentials = second_ceph.new_user(), tmp_path / "others"
    elsewhere = Place(
        new_place(second_ceph, user, credentials, object_lock=True), user, credentials
    )
    there = S3Store(elsewhere.s3, SystemClock(), patience=STUBBORN)
    copy_tenant(vault, Repository.create(there, KEY), str(TENANT))

    ceph.kill()
    copy = elsewhere.vault()
    assert bytes_of(copy.read(copy.point(point.id), "root")) == disk
    ceph.start()

    here = S3Store(place.s3, SystemClock(), patience=STUBBORN)
    chance, rotted = random.Random(1), []  # noqa: S311
    for found in list(here.list(f"tenants/{TENANT}/")):
        if "/keyring/" not in found.key:
            data = bytearray(here.get(found.key))
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            here.put(found.key, bytes(data))
            rotted.append(found.key)
    told = scrub(here, str(TENANT), budget=1 << 30)
    assert sorted(damage.object for damage in told.findings) == rotted
    for key in rotted:
        assert heal(here, key, [there]).outcome is HealOutcome.HEALED
    assert scrub(here, str(TENANT), budget=1 << 30).findings == ()
    again = place.vault()
    assert bytes_of(again.read(again.point(point.id), "root")) == disk
