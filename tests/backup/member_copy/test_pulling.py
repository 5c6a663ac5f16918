"""A member fetches its own copy over real HTTP, and reads it with the stand-alone program alone."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backup.copy_folder import CopyFolder
from backup.keeper.vaults import Vaults
from backup.member_copy import Choice, choose, contents_of
from control_plane.cli import pull_messages
from control_plane.cli.language import Message
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.errors import YuiError
from tests.backup.keeper.stand import FAR, RESIDENTS, NoBlueprints
from tests.backup.member_copy.home import (
    CODE,
    COPY,
    Home,
    at_home,
    insist_on_disks,
    objects_in,
    pull_until_killed,
)
from tests.backup.yui_restore.carried import FILE, Carried, carried
from tests.cli.running import CHECKOUT
from tests.scenarios.joining import MEMBER, OTHER

PAPER = CHECKOUT / "docs" / "backup.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with at_home(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carried(tmp_path_factory.mktemp("carried"), with_blake3=True)


@pytest.mark.long
def test_a_copy_that_was_killed_and_damaged_on_its_way_becomes_whole_and_reads_without_yui(
    home: Home, reader: Carried, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    pull_until_killed(home, copy)
    came = objects_in(copy)
    assert came
    assert not [key for key in came if "/points/" in key], "manifests come last"
    listed = home.get(COPY).json()["items"]
    lacking = [one for one in listed if "/packs/" in one["key"] and one["key"] not in came]
    assert len(lacking) >= 2
    half, spoiled = lacking[:2]
    for one, damage in ((half, b""), (spoiled, b"not what lies there")):
        part = copy / (one["key"] + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        whole = home.stand.bucket.bytes_of(one["key"])
        part.write_bytes(damage + whole[len(damage) : len(whole) // 2])
    inodes = {key: path.stat().st_ino for key, path in came.items()}

    told = home.pulled(copy)
    assert told["fetched_objects"] == len(listed) - len(came) - 1  # its description had come too
    assert {key: objects_in(copy)[key].stat().st_ino for key in inodes} == inodes
    assert set(objects_in(copy)) == {o["key"] for o in listed} - {"repository.json"}
    assert not list(copy.rglob("*.part"))
    for one in listed:
        assert (copy / one["key"]).read_bytes() == home.stand.bucket.bytes_of(one["key"])

    assert insist_on_disks(home, reader, copy, tmp_path, told["points"]) == 3
    manifests = [m for point in told["points"] for m in point["manifests"]]
    shown = reader("list", copy).out
    assert all(each in shown for each in manifests)
    assert all(each in (copy / "README.txt").read_text() for each in manifests)
    assert (copy / "yui_restore.py").read_bytes() == (reader.folder / "yui_restore.py").read_bytes()
    rotten = copy / half["key"]
    rotten.write_bytes(rotten.read_bytes()[:-1] + b"?")
    assert home.pulled(copy)["fetched_objects"] == 0
    assert home.pulled(copy, "--check")["fetched_objects"] == 1
    assert reader("check", copy).status == 0


@pytest.mark.long
def test_the_next_day_only_what_is_lacking_comes_and_older_points_go_when_told_to(
    home: Home, reader: Carried, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    home.pulled(copy)
    home.night()
    before = set(objects_in(copy))
    told = home.pulled(copy)
    new = set(objects_in(copy)) - before
    assert new
    assert told["fetched_objects"] == len(new) < told["objects"]
    assert insist_on_disks(home, reader, copy, tmp_path, told["points"]) == 3
    unasked = home.pull(copy, "--prune")
    assert "--yes" in unasked.stderr
    pruned = home.pulled(copy, "--prune", "--yes")
    assert pruned["removed_objects"] >= 3
    assert set(objects_in(copy)) == {o["key"] for o in home.get(COPY).json()["items"]} - {
        "repository.json"
    }
    assert reader("check", copy).status == 0

    status = {one["system"]: one for one in home.get("/v1/backup-status").json()["items"]}
    assert {one["member_copy_at"] for one in status.values()} == {
        one["newest_at"] for one in status.values()
    }
    (event,) = home.stand.events("backup-copy.taken")[-1:]
    assert "手元コピー" in event.ja
    trail = home.get("/v1/audit", params={"limit": 100}).json()["items"]
    (entry, *_) = (one for one in reversed(trail) if one["action"] == "backup-copy.taken")
    assert set(entry["fields"]["points"]) == {point["id"] for point in pruned["points"]}
    assert "団体の手元" in home.yui("--lang", "ja", "backup", "status").stdout


def test_what_rots_in_the_repository_is_refused_on_arrival_and_comes_once_it_is_healed(
    home: Home, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    listed = home.get(COPY).json()["items"]
    key = max((o for o in listed if "/packs/" in o["key"]), key=lambda o: o["bytes"])["key"]
    home.stand.bucket.flip(key, 70)
    try:
        ended = home.pull(copy)
        assert ended.returncode == 1
        assert key in ended.stderr
        assert "thrown away" in ended.stderr
        assert not (copy / key).exists()
        assert not list(copy.glob("tenants/*/points"))
    finally:
        home.stand.bucket.flip(key, 70)
    ended = home.pull(copy, "--system", "library")
    assert ended.returncode == 0, ended.stderr
    assert "yui_restore.py restore" in ended.stdout


def test_the_minimal_set_is_what_counters_need_while_cut_off(home: Home, tmp_path: Path) -> None:
    told = home.pulled(tmp_path / "least", "--minimal")
    assert [point["system"] for point in told["points"]] == [RESIDENTS]
    assert told["objects"] < home.get(COPY).json()["objects"]
    (library,) = home.pulled(tmp_path / "library", "--system", "library")["points"]
    again = home.pulled(tmp_path / "named", "--point", library["id"])
    assert [point["id"] for point in again["points"]] == [library["id"]]
    assert home.pull(tmp_path / "none", "--system", "nothing").returncode == 3


def test_nobody_gets_another_members_objects_or_any_key(home: Home, tmp_path: Path) -> None:
    items = home.get(COPY).json()["items"]
    one = next(each for each in items if "/packs/" in each["key"])
    where = {"key": one["key"], "repository": one["repository"]}
    theirs = f"/v1/members/{OTHER.code}/backup-copy"
    for path, params, token in (
        (COPY, {}, home.other),
        (f"{COPY}/object", where, home.other),
        (f"{theirs}/object", where, home.other),
        (f"{theirs}/object", where, home.token),
    ):
        assert home.get(path, token, params=params).status_code == 404, path
    for token_path in (COPY, f"{COPY}/object"):
        refused = home.get(token_path, home.operator, params=where)
        assert refused.json()["type"] == "urn:yui:problem:members-own-copy"
    rings = home.stand.bucket.keys(f"tenants/{CODE}/keyring/")
    assert rings
    tricks = (
        f"tenants/{CODE}/packs/../keyring/00000001.json",
        f"condemned/{CODE}/{'0' * 64}",
        f"tenants/{OTHER.code}/packs/00/{'0' * 64}",
        f"tenants/{CODE}/packs/00/{'0' * 64}",
    )
    for key in (*rings, *tricks):
        answer = home.get(f"{COPY}/object", params={**where, "key": key})
        assert (answer.status_code, answer.json()["type"]) == (
            404,
            "urn:yui:problem:backup-copy-object-not-found",
        )
    home.pulled(tmp_path / "copy")
    wrapped = [home.stand.bucket.bytes_of(ring) for ring in rings]
    for path in (tmp_path / "copy").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert data not in wrapped
            assert b"yui-keyring 1" not in data or path.name == "yui_restore.py"
            assert bytes.fromhex("11" * 32) not in data
            assert b"11" * 32 not in data


def test_objects_come_in_parts_under_their_hash_and_lists_in_pages(home: Home) -> None:
    whole = home.get(COPY).json()
    paged, cursor = [], None
    while True:
        page = home.get(COPY, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == whole["items"]
    assert (len(paged), sum(o["bytes"] for o in paged)) == (whole["objects"], whole["bytes"])
    one = next(each for each in paged if "/packs/" in each["key"])
    where = {"key": one["key"], "repository": one["repository"]}
    part = home.get(f"{COPY}/object", params=where, headers={"Range": "bytes=8-99"})
    truth = home.stand.bucket.bytes_of(one["key"])
    assert (part.status_code, part.content) == (206, truth[8:100])
    assert part.headers["content-range"] == f"bytes 8-99/{len(truth)}"
    assert part.headers["etag"] == f'"{one["hash"]}"'
    same = home.get(f"{COPY}/object", params=where, headers={"If-None-Match": f'"{one["hash"]}"'})
    assert (same.status_code, same.content) == (304, b"")
    beyond = home.get(f"{COPY}/object", params=where, headers={"Range": f"bytes={len(truth)}-"})
    assert beyond.status_code == 416
    alien = home.get(COPY, params={"cursor": "bm9uc2Vuc2U"})
    assert alien.json()["type"] == "urn:yui:problem:cursor-invalid"


def test_what_is_larger_than_any_that_is_written_is_not_sent(home: Home) -> None:
    (one,) = [each for each in home.get(COPY).json()["items"] if each["key"] == "repository.json"]
    bucket, where = home.stand.bucket, {name: one[name] for name in ("key", "repository")}
    said = bucket.bytes_of("repository.json")
    bucket.store("repository.json", said + b" " * (1 << 20), only_new=False, until=None)
    assert home.get(f"{COPY}/object", params=where).status_code == 404
    bucket.store("repository.json", said, only_new=False, until=None)
    assert home.get(f"{COPY}/object", params=where).content == said


def test_a_point_comes_from_the_next_repository_where_the_nearest_is_away(home: Home) -> None:
    with home.stand.store.read() as tx:
        choice = choose(tx, NoBlueprints(), MEMBER.code)
        near = replace(tx.repository(FAR), id=RepositoryId("near"), place="s3://yui-away/backups")
    vaults = Vaults(home.stand.world)

    def lying_in(*repositories: Repository) -> Choice:
        wanted = (replace(each, among=repositories) for each in choice.wanted)
        return replace(choice, wanted=tuple(wanted))

    (far,) = choice.wanted[0].among
    whole = contents_of(choice, vaults).objects
    assert {one.repository for one in whole} == {FAR}
    assert contents_of(lying_in(near, far), vaults).objects == whole
    with pytest.raises(YuiError, match="can be read as a whole now") as unreadable:
        contents_of(lying_in(near), vaults)
    assert unreadable.value.type == "backup-copy-unreadable"


def test_two_pulls_into_one_folder_do_not_meet(home: Home, tmp_path: Path) -> None:
    with CopyFolder(tmp_path / "copy").ours():
        ended = home.pull(tmp_path / "copy")
    assert ended.returncode == 6
    assert "Another" in ended.stderr
    assert os.listdir(tmp_path / "copy") == [".pull.lock"]


def test_what_the_paper_says_of_a_copy_of_ones_own_is_so(
    home: Home, reader: Carried, tmp_path: Path
) -> None:
    shown = re.findall(r"^ +((?:yui backup pull|python3) .*)$", PAPER.read_text(), re.MULTILINE)
    names = {
        "m012220-resident-records-database": "residents-db",
        "m012220-resident-records": RESIDENTS,
        "safe.key": str(home.folder / "safe.key"),
        "/srv/": f"{tmp_path}/",
    }
    assert len(shown) == 7
    for text in shown:
        typed = text
        for written, here in names.items():
            typed = typed.replace(written, here)
        words = shlex.split(typed)
        if words[0] == "yui":
            ended = home.yui(*words[1:])
            assert ended.returncode == 0, f"{typed}\n{ended.stderr}"
            assert "yui_restore.py restore" in ended.stdout
        else:
            assert Path(words[1]).read_bytes() == FILE.read_bytes()
            read = reader(*words[2:])
            assert read.status == 0, f"{typed}\n{read.err}"
    assert list((tmp_path / "restored").glob("*.qcow2"))


def test_pulling_speaks_both_languages() -> None:
    found = {n: m for n, m in vars(pull_messages).items() if isinstance(m, Message)}
    for name, message in found.items():
        assert set(re.findall(r"{(\w+)}", message.en)) == set(re.findall(r"{(\w+)}", message.ja)), (
            name
        )
