"""What only a real gateway can show: that it refuses, forgets, fills up and dies, and what then."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from backup.objects.check import check
from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from backup.objects.s3_asking import Patience
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectLocked,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.units import Seconds
from tests.backup.objects.buckets import STUBBORN, new_place, write_credentials
from tests.backup.objects.contract import AN_HOUR, MIB
from tests.backup.objects.troublesome_proxy import troublesome_proxy
from tests.ceph import Ceph, S3User

pytestmark = pytest.mark.hypervisor

BRIEF = Patience(tries=2, first=Seconds(0.01), read=Seconds(5.0))


def store(place: S3Place, patience: Patience = STUBBORN) -> S3Store:
    return S3Store(place, SystemClock(), patience=patience)


@pytest.fixture
def user(ceph: Ceph) -> S3User:
    return ceph.new_user()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    return tmp_path / "credentials"


@pytest.fixture
def plain(ceph: Ceph, user: S3User, credentials: Path) -> S3Place:
    return new_place(ceph, user, credentials)


@pytest.fixture
def locking(ceph: Ceph, user: S3User, credentials: Path) -> S3Place:
    return new_place(ceph, user, credentials, object_lock=True)


def test_whoever_signs_with_another_secret_is_refused(
    user: S3User, plain: S3Place, credentials: Path
) -> None:
    store(plain).put("k", b"1")
    write_credentials(credentials, replace(user, secret_key="wrong"))  # noqa: S106
    with pytest.raises(StoreRefused, match="SignatureDoesNotMatch"):
        store(plain).get("k")


def test_whoever_has_other_credentials_has_no_access(
    ceph: Ceph, plain: S3Place, credentials: Path
) -> None:
    store(plain).put("k", b"1")
    write_credentials(credentials, ceph.new_user())
    for call in (
        lambda: store(plain).get("k"),
        lambda: store(plain).put("k", b"2"),
        lambda: list(store(plain).list("")),
        lambda: store(plain).delete("k"),
        lambda: store(plain).stat("k"),
    ):
        with pytest.raises(StoreRefused, match=r"AccessDenied|403"):
            call()


def test_credentials_that_are_revoked_in_mid_work_end_it_and_new_ones_let_it_go_on(
    ceph: Ceph, user: S3User, plain: S3Place, credentials: Path
) -> None:
    objects = store(plain)
    objects.put("packs/1", b"1", only_new=True)
    other = ceph.new_credentials(user)
    ceph.revoke(user)
    for call in (
        lambda: objects.put("packs/2", b"2", only_new=True),
        lambda: objects.get("packs/1"),
        lambda: list(objects.list("")),
        objects.now,
    ):
        with pytest.raises(StoreRefused, match="does not accept the credentials") as refused:
            call()
        assert user.secret_key not in str(refused.value)
    write_credentials(credentials, other)
    objects.put("packs/2", b"2", only_new=True)
    assert [o.key for o in objects.list("")] == ["packs/1", "packs/2"]


def test_a_bucket_that_is_full_keeps_what_it_has_and_nothing_by_halves(
    ceph: Ceph, user: S3User, plain: S3Place
) -> None:
    objects = store(plain)
    ceph.limit(user, plain.bucket, 3 * MIB)
    taken = []

    def put_all() -> None:
        for number in range(8):
            objects.put(f"packs/{number}", bytes([number]) * MIB, only_new=True)
            taken.append(f"packs/{number}")

    with pytest.raises(StoreFull, match=r"is full: it did not take packs/\d+ \(403 QuotaExceeded"):
        put_all()
    assert 1 <= len(taken) < 8
    with pytest.raises(NoSuchObject):
        objects.get(f"packs/{len(taken)}")
    assert [o.key for o in objects.list("")] == taken
    for number, key in enumerate(taken):
        assert objects.get(key) == bytes([number]) * MIB
    ceph.lift_limit(user, plain.bucket)
    objects.put(f"packs/{len(taken)}", b"fits", only_new=True)


def test_nobody_ends_a_retention_not_even_with_the_credentials(
    ceph: Ceph, user: S3User, locking: S3Place
) -> None:
    objects = store(locking)
    until = (objects.now() + AN_HOUR).replace(microsecond=0)
    objects.put("k", b"kept", only_new=True, locked_until=until)
    attacker = ceph.client(user)
    where = {"Bucket": locking.bucket, "Key": "yui/k"}
    version = attacker.head_object(**where)["VersionId"]
    earlier = {"Mode": "COMPLIANCE", "RetainUntilDate": until - timedelta(minutes=30)}
    governance = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    for attempt in (
        lambda: attacker.delete_object(**where, VersionId=version),
        lambda: attacker.delete_object(**where, VersionId=version, BypassGovernanceRetention=True),
        lambda: attacker.put_object_retention(**where, VersionId=version, Retention=earlier),
        lambda: attacker.put_object_retention(
            **where, VersionId=version, Retention=earlier, BypassGovernanceRetention=True
        ),
        lambda: attacker.put_object_retention(**where, VersionId=version, Retention=governance),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|InvalidRequest|InvalidArgument"):
            attempt()
    with pytest.raises(ObjectLocked):
        objects.delete("k")
    assert objects.get("k") == b"kept"
    assert objects.stat("k").locked_until == until


def test_what_an_attacker_hid_is_uncovered(ceph: Ceph, user: S3User, locking: S3Place) -> None:
    objects = store(locking)
    until = (objects.now() + AN_HOUR).replace(microsecond=0)
    data = {f"packs/{n}": b"pack %d" % n for n in range(4)}
    for key, content in data.items():
        objects.put(key, content, only_new=True, locked_until=until)
    objects.put("unlocked", b"not under retention")
    attacker = ceph.client(user)
    where = {"Bucket": locking.bucket}
    attacker.delete_object(**where, Key="yui/packs/0")
    attacker.put_object(**where, Key="yui/packs/1", Body=b"ransom")
    attacker.put_object(
        **where,
        Key="yui/packs/2",
        Body=b"ransom",
        ContentMD5=base64.b64encode(hashlib.md5(b"ransom").digest()).decode(),  # noqa: S324
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until + AN_HOUR,
    )
    attacker.delete_object(**where, Key="yui/packs/2")
    attacker.delete_object(**where, Key="yui/unlocked")
    assert [o.key for o in objects.list("")] == ["packs/1", "packs/3"]

    assert objects.uncover("") == 3
    assert {o.key: objects.get(o.key) for o in objects.list("")} == data
    for key in data:
        with pytest.raises(ObjectLocked):
            objects.delete(key)
    assert objects.uncover("") == 0


def test_retention_where_the_bucket_knows_none_is_refused_with_the_reason(plain: S3Place) -> None:
    objects = store(plain)
    with pytest.raises(StoreRefused, match="made without object lock"):
        objects.put("k", b"", locked_until=objects.now() + AN_HOUR)
    objects.put("k", b"")
    with pytest.raises(StoreRefused, match="made without object lock"):
        objects.lock("k", objects.now() + AN_HOUR)


def test_a_bucket_that_is_not_there_is_no_empty_bucket(plain: S3Place) -> None:
    objects = store(replace(plain, bucket="nobodys-bucket"))
    for call in (
        lambda: objects.get("k"),
        lambda: objects.stat("k"),
        lambda: list(objects.list("")),
        lambda: objects.put("k", b""),
        lambda: objects.delete("k"),
        objects.now,
    ):
        with pytest.raises(StoreRefused, match="has no bucket: make it first"):
            call()


def test_what_a_bucket_lacks_is_found_out(plain: S3Place, locking: S3Place) -> None:
    clock = SystemClock()
    assert [s.code for s in check(store(plain), clock)] == ["no-object-lock"]
    # This gateway looks for the new version where it should look for any.
    found = {s.code for s in check(store(locking), clock)}
    assert found <= {"no-conditional-writes"}
    assert [o.key for o in store(plain).list("")] == []


def test_a_gateway_that_is_killed_in_mid_put_costs_nothing_but_time(
    ceph: Ceph, plain: S3Place
) -> None:
    objects = store(plain)
    data = {f"packs/{n}": os.urandom(8 * MIB) for n in range(10)}
    some_are_there = threading.Semaphore(0)

    def put_all() -> None:
        for key, content in data.items():
            objects.put(key, content, only_new=True)
            some_are_there.release()

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(put_all)
        for _ in range(3):
            assert some_are_there.acquire(timeout=60)
        ceph.kill_gateway()
        with pytest.raises(StoreUnavailable, match="no connection, after 2 tries"):
            store(plain, BRIEF).get("packs/0")
        ceph.start()
        writing.result(timeout=120)
    assert [o.key for o in objects.list("")] == sorted(data)
    for key, content in data.items():
        assert objects.get(key) == content


def test_what_was_acknowledged_outlives_a_power_cut_and_the_other_data_centre_serves_meanwhile(
    ceph: Ceph, second_ceph: Ceph, plain: S3Place, tmp_path: Path
) -> None:
    there = store(new_place(second_ceph, second_ceph.new_user(), tmp_path / "others"))
    here = store(plain)
    data = {f"packs/{n}": os.urandom(MIB) for n in range(6)}
    for key, content in data.items():
        here.put(key, content, only_new=True)
        there.put(key, content, only_new=True)
    ceph.kill()
    with pytest.raises(StoreUnavailable):
        store(plain, BRIEF).get("packs/0")
    assert {o.key: there.get(o.key) for o in there.list("")} == data
    ceph.start()
    assert {o.key: here.get(o.key) for o in here.list("")} == data


@pytest.mark.parametrize("lock", [False, True], ids=["plain", "object lock"])
def test_over_a_bad_link_nothing_is_lost_doubled_or_made_up(
    ceph: Ceph, user: S3User, credentials: Path, lock: bool
) -> None:
    place = new_place(ceph, user, credentials, object_lock=lock)
    chance = random.Random(7)  # noqa: S311
    truth: dict[str, bytes] = {}
    with troublesome_proxy(ceph.port, seed=7) as proxy:
        objects = store(replace(place, endpoint=proxy.endpoint))
        for _ in range(60):
            key = f"packs/{chance.randrange(12)}"
            match chance.choice(["put", "new", "new", "get", "part", "delete", "list"]):
                case "put":
                    truth[key] = chance.randbytes(chance.choice([0, 1000, 300_000]))
                    objects.put(key, truth[key])
                case "new":
                    data = chance.randbytes(chance.choice([0, 1000, 300_000]))
                    if key in truth:
                        with pytest.raises(ObjectExists):
                            objects.put(key, data, only_new=True)
                    else:
                        objects.put(key, data, only_new=True)
                        truth[key] = data
                case "get" if key in truth:
                    assert objects.get(key) == truth[key]
                case "part" if key in truth:
                    assert objects.get(key, start=500, length=1000) == truth[key][500:1500]
                case "get" | "part":
                    with pytest.raises(NoSuchObject):
                        objects.get(key)
                case "delete":
                    objects.delete(key)
                    truth.pop(key, None)
                case "list":
                    assert [o.key for o in objects.list("packs/")] == sorted(truth)
        for trouble in ("500", "503", "cut going", "cut coming", "lost answer", "slow"):
            assert proxy.happened[trouble] > 0, proxy.happened
    directly = store(place)
    assert {o.key: directly.get(o.key) for o in directly.list("")} == truth
