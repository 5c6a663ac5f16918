"""A bucket as an object store, against Ceph's own gateway."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count

import pytest

from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from control_plane.drivers.real.clock import SystemClock
from control_plane.model.units import Seconds
from tests.backup.objects.buckets import new_place
from tests.backup.objects.contract import ObjectStoreContract
from tests.ceph import Ceph

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


@pytest.fixture(scope="module", params=["object lock", "plain"])
def bucket(
    request: pytest.FixtureRequest, ceph: Ceph, tmp_path_factory: pytest.TempPathFactory
) -> tuple[S3Place, bool]:
    credentials = tmp_path_factory.mktemp("secrets") / "credentials"
    lock = request.param == "object lock"
    return new_place(ceph, ceph.new_user(), credentials, object_lock=lock), lock


@pytest.fixture
def place(request: pytest.FixtureRequest, bucket: tuple[S3Place, bool]) -> Bucket:
    whole, lock = bucket
    if not lock and "retention" in request.function.__name__:
        pytest.skip("only a bucket with object lock knows retention")
    return Bucket(replace(whole, prefix=f"test{next(_NUMBERS)}/"), lock)


class TestS3(ObjectStoreContract):
    pass
