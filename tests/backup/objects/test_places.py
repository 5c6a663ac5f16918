"""Places as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup.objects.directory import DirectoryStore
from backup.objects.places import FolderPlace, Places, S3Place, parse_place
from control_plane.drivers.real import RealWorld
from control_plane.drivers.system_clock import SystemClock
from control_plane.model.errors import YuiError

S3 = "s3://backups/kyoto?endpoint=https://s3.kyoto.example:8443&region=kyoto&credentials=env:KYOTO"


def test_places_that_people_write_are_understood() -> None:
    assert parse_place("file:///srv/backups") == FolderPlace(Path("/srv/backups"))
    assert parse_place("file:///srv/my%20backups") == FolderPlace(Path("/srv/my backups"))
    kyoto = S3Place("backups", "kyoto/", "kyoto", "env:KYOTO", "https://s3.kyoto.example:8443")
    assert parse_place(S3) == kyoto
    assert kyoto.name == "s3://backups/kyoto"
    assert parse_place("s3://backups?credentials=file:/etc/yui/s3&ca=/etc/yui/ca.pem") == S3Place(
        *("backups", "", "us-east-1", "file:/etc/yui/s3", None, Path("/etc/yui/ca.pem"))
    )
    for here in ("http://127.0.0.1:7480", "http://localhost", "http://[::1]:80"):
        assert parse_place(f"s3://bbb?endpoint={here}&credentials=env:X").endpoint == here  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("", "neither file:/// nor s3://"),
        ("/srv/backups", "neither"),
        ("https://s3.example/bucket", "neither"),
        ("file://host/path", "a folder is named as file:///path"),
        ("file:///", "is '/'"),
        ("file:///srv/../etc", r"'\.\.'"),
        ("file:///srv?mode=1", "and nothing else"),
        ("file:///a%00b", "and nothing else"),
        ("s3://b?credentials=env:X", "the bucket's name"),
        ("s3://UPPER?credentials=env:X", "the bucket's name"),
        ("s3://bucket:80/?credentials=env:X", "the bucket's name"),
        ("s3://bucket", "names no credentials"),
        ("s3://bucket?credentials=AKIA:hunter2", "names no credentials"),
        ("s3://bucket?credentials=env:X&credentials=env:Y", "each once"),
        ("s3://bucket?credentials=env:X&acl=public", "it takes endpoint"),
        ("s3://bucket?credentials", "not name=value"),
        ("s3://bucket?credentials=env:X&region=a/b", "region"),
        ("s3://bucket?credentials=env:X&ca=ca.pem", "ca is no absolute path"),
        ("s3://bucket/a/../b?credentials=env:X", "cannot begin"),
        ("s3://bucket?credentials=env:X&endpoint=http://s3.example", "not encrypted"),
        ("s3://bucket?credentials=env:X&endpoint=http://127.0.0.1.example", "not encrypted"),
        ("s3://bucket?credentials=env:X&endpoint=https://u:p@s3.example", "endpoint is not"),
        ("s3://bucket?credentials=env:X&endpoint=https://s3.example/path", "endpoint is not"),
        ("s3://bucket?credentials=env:X&endpoint=https://s3.example:99999", "endpoint is not"),
        ("s3://bucket?credentials=env:X&endpoint=ftp://s3.example", "endpoint is not"),
        ("s3://AKIA:hunter2@bucket?credentials=env:X", "credentials do not belong in it"),
        ("s3://bucket?credentials=env:X#a", "after '#'"),
        ("s3://bucket?credentials=env:" + "X" * 3000, "too long"),
        ("s3://バケット?credentials=env:X", "other than ASCII"),
        ("s3://[?credentials=env:X", "no URL"),
    ],
)
def test_what_is_no_place_is_refused_in_two_languages_and_without_secrets(
    place: str, why: str
) -> None:
    with pytest.raises(YuiError, match=why) as refused:
        Places(SystemClock()).open(place)
    assert refused.value.type == "place-invalid"
    assert "保存先として正しくありません" in refused.value.ja
    assert "hunter2" not in refused.value.en + refused.value.ja


def test_a_world_opens_each_place_once(tmp_path: Path) -> None:
    clock = SystemClock()
    world = RealWorld(clock=clock, objects=Places(clock).open)
    store = world.objects(tmp_path.as_uri())
    assert isinstance(store, DirectoryStore)
    assert world.objects(tmp_path.as_uri()) is store
    world.close()


def test_a_world_without_stores_says_so() -> None:
    world = RealWorld()
    with pytest.raises(YuiError, match="without object stores"):
        world.objects("file:///srv/backups")
    world.close()
