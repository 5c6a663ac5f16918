"""Places in a real data centre."""

from __future__ import annotations

from pathlib import Path

from backup.objects.places import S3Place
from backup.objects.s3_asking import Patience
from control_plane.model.units import Seconds
from tests.ceph import Ceph, S3User

STUBBORN = Patience(tries=60, first=Seconds(0.05), longest=Seconds(1.0))
"""Enough for a gateway to be started again."""


def new_place(ceph: Ceph, user: S3User, credentials: Path, *, object_lock: bool = False) -> S3Place:
    """An empty one in a bucket of its own. `credentials` is the file that its secret is kept in."""
    write_credentials(credentials, user)
    bucket = ceph.new_bucket(user, object_lock=object_lock)
    return S3Place(bucket, "yui/", "us-east-1", f"file:{credentials}", ceph.endpoint)


def write_credentials(file: Path, user: S3User) -> None:
    file.write_text(f"{user.access_key}:{user.secret_key}\n")
