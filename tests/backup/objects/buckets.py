"""Places in a real data centre."""

from __future__ import annotations

from pathlib import Path

from backup.objects.places import S3Place
from tests.ceph import Ceph, S3User


def new_place(ceph: Ceph, user: S3User, credentials: Path, *, object_lock: bool = False) -> S3Place:
    """An empty one in a bucket of its own. `credentials` is the file that its secret is kept in."""
    write_credentials(credentials, user)
    bucket = ceph.new_bucket(user, object_lock=object_lock)
    return S3Place(bucket, "yui/", "us-east-1", f"file:{credentials}", ceph.endpoint)


def write_credentials(file: Path, user: S3User) -> None:
    file.write_text(f"{user.access_key}:{user.secret_key}\n")
