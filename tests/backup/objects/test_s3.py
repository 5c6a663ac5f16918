"""A bucket as an object store, against Ceph's own gateway."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import botocore.session
import pytest

from backup.objects.places import S3Place
from backup.objects.s3 import S3Store
from control_plane.drivers.real.clock import SystemClock
from control_plane.model.units import Seconds
from tests.backup.objects.contract import ObjectStoreContract
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


@pytest.fixture(scope="session")
def user(ceph: Ceph) -> S3User:
    return ceph.new_user()


def make_bucket(
    ceph: Ceph, user: S3User, credentials: Path, *, lock: bool = False, prefix: str = "yui/"
) -> S3Place:
    name = f"bucket{next(_NUMBERS)}"
    client(ceph, user).create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
    credentials.write_text(f"{user.access_key}:{user.secret_key}\n")
    return S3Place(name, prefix, "us-east-1", f"file:{credentials}", ceph.endpoint)


def client(ceph: Ceph, user: S3User):
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=ceph.endpoint,
        region_name="us-east-1",
        aws_access_key_id=user.access_key,
        aws_secret_access_key=user.secret_key,
    )


@pytest.fixture(scope="module", params=["object lock", "plain"])
def bucket(
    request: pytest.FixtureRequest,
    ceph: Ceph,
    user: S3User,
    tmp_path_factory: pytest.TempPathFactory,
) -> S3Place:
    credentials = tmp_path_factory.mktemp("secrets") / "credentials"
    return make_bucket(ceph, user, credentials, lock=request.param == "object lock")


@pytest.fixture
def place(request: pytest.FixtureRequest, bucket: S3Place) -> Bucket:
    lock = "object lock" in request.node.callspec.id
    if not lock and "retention" in request.function.__name__:
        pytest.skip("needs a bucket with object lock")
    return Bucket(replace(bucket, prefix=f"test{next(_NUMBERS)}/"), lock)


class TestS3(ObjectStoreContract):
    pass
