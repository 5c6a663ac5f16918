"""A bucket as an object store, against Ceph's own gateway."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count

import pytest

from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.units import Seconds
from tests.backup.objects.buckets import new_place
from tests.backup.objects.contract import ObjectStoreContract, RetentionContract
from tests.ceph import Ceph, S3User

pytestmark = pytest.mark.hypervisor

_NUMBERS = count()


@dataclass
class Bucket:
    place: S3Place
    keeps_versions: bool
    shortest_retention: Seconds = Seconds(3.0)

    def __post_init__(self) -> None:
        self.objects = self.another()

    def another(self) -> S3Store:
        return S3Store(self.place, SystemClock(), page=3)

    def wait(self, seconds: Seconds) -> None:
        time.sleep(seconds)


@pytest.fixture(scope="module")
def user(ceph: Ceph) -> S3User:
    return ceph.new_user()


class TestPlainBucket(ObjectStoreContract):
    @pytest.fixture(scope="class")
    def bucket(self, ceph: Ceph, user: S3User, tmp_path_factory: pytest.TempPathFactory) -> S3Place:
        return new_place(ceph, user, tmp_path_factory.mktemp("secrets") / "credentials")

    @pytest.fixture
    def place(self, bucket: S3Place) -> Bucket:
        return Bucket(replace(bucket, prefix=f"test{next(_NUMBERS)}/"), keeps_versions=False)


class TestBucketWithObjectLock(ObjectStoreContract, RetentionContract):
    @pytest.fixture(scope="class")
    def bucket(self, ceph: Ceph, user: S3User, tmp_path_factory: pytest.TempPathFactory) -> S3Place:
        credentials = tmp_path_factory.mktemp("secrets") / "credentials"
        return new_place(ceph, user, credentials, object_lock=True)

    @pytest.fixture
    def place(self, bucket: S3Place) -> Bucket:
        return Bucket(replace(bucket, prefix=f"test{next(_NUMBERS)}/"), keeps_versions=True)
