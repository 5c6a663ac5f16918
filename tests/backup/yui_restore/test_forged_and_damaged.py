"""Whoever can write into a copy without its keys can spoil what he touches, and nothing else: it is named,
and all the rest is listed, checked and restored.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backup.yui_restore import main
from tests.backup.yui_restore.by_hand import CHUNK, ByHand, canonical, some_disk

WEB, DB = some_disk(1, 12, tail=100), some_disk(2, 9)
THEN, LATER = "20260401T010000Z", "20260405T010000Z"
FORGED = "20260401T010000Z-01234567"


@dataclass
class Town:
    hand: ByHand
    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def place(self) -> Path:
        return self.hand.place

    @property
    def points(self) -> Path:
        return self.hand.tenant / "points"

    def run(self, command: str, *arguments: object) -> tuple[int, str, str]:
        key = self.folder / "key"
        key.write_bytes(self.hand.repository_key)
        given = [command, self.place, *arguments, "--repository-key", key]
        status = main(list(map(str, given)))
        said = self.capsys.readouterr()
        return status, said.out, said.err

    def restore(self, *arguments: object) -> tuple[int, str, str]:
        return self.run("restore", *arguments, "--to", self.folder / "out")

    def restored(self) -> dict[str, bytes]:
        found = sorted((self.folder / "out").glob("*.raw"))
        return {path.name: path.read_bytes() for path in found}

    def manifest(self, server: str, when: str) -> Path:
        (found,) = (self.points / server).glob(f"{when}*")
        return found

    def told(self, server: str, when: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.manifest(server, when).read_bytes())
        return told


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)


@pytest.fixture
def town(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Town:
    hand = ByHand(tmp_path / "copy")
    hand.point("web", THEN, {"root": WEB}, "set-1")
    hand.point("db", THEN, {"root": DB}, "set-1")
    hand.point("web", LATER, {"root": DB})
    return Town(hand, tmp_path, capsys)


BOTH = {"web-root.raw": WEB, "db-root.raw": DB}


def test_a_damaged_manifest_of_another_day_is_named_and_keeps_no_set_from_coming_back(
    town: Town,
) -> None:
    damaged = town.manifest("web", LATER)
    spoil(damaged)
    status, _, said = town.restore("--set", "set-1")
    assert status == 0, said
    assert town.restored() == BOTH
    assert damaged.name in said
    status, shown, said = town.run("show", "--set", "set-1")
    assert status == 0
    assert shown.count('"description"') == 2
    assert damaged.name in said


@pytest.mark.parametrize("tells_its_servers", [False, True])
def test_a_set_that_may_lack_a_server_brings_the_others_and_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tells_its_servers: bool
) -> None:
    hand = ByHand(tmp_path / "copy")
    servers = ("web", "db", "mail") if tells_its_servers else ()
    hand.point("web", THEN, {"root": WEB}, "set-1", servers)
    hand.point("db", THEN, {"root": DB}, "set-1", servers)
    # Of another system, taken at the same time.
    beside = hand.point("tax", THEN, {"root": DB}, "set-2")
    other = town_of(hand, tmp_path, capsys)
    told = other.told("tax", THEN) | {"system": "taxes", "id": beside[:-1] + "x"}
    hand.put("tax", f"{LATER}-00000000", canonical(told | {"id": f"{LATER}-00000000"}))
    other.manifest("tax", THEN).unlink()
    spoil(hand.put("tax", beside, canonical(told)))
    spoil(other.manifest("db", THEN))
    status, _, said = other.restore("--set", "set-1")
    assert status == 1
    assert other.restored() == {"web-root.raw": WEB}
    lacking = [line for line in said.splitlines() if "Set set-1" in line]
    if tells_its_servers:
        assert [line.split(":")[0] for line in lacking] == [
            "Set set-1 lacks server db",
            "Set set-1 lacks server mail",
        ]
    else:
        assert [line.split(":")[0] for line in lacking] == ["Set set-1 may lack server db"]
    status, _, _ = other.run("show", "--set", "set-1", "--server", "web")
    assert status == 0


def town_of(hand: ByHand, folder: Path, capsys: pytest.CaptureFixture[str]) -> Town:
    return Town(hand, folder, capsys)


def test_a_forged_member_of_a_set_is_passed_over_and_a_set_of_which_nothing_can_be_read_is_told(
    town: Town,
) -> None:
    told = town.told("web", THEN) | {"id": FORGED, "server": "evil"}
    forged = town.hand.put("evil", FORGED, canonical(told))
    status, _, said = town.restore("--set", "set-1")
    assert status == 1, "that it stands for a server can't be known"
    assert town.restored() == BOTH
    assert forged.name in said
    shutil.rmtree(town.folder / "out")
    for server in ("web", "db"):
        spoil(town.manifest(server, THEN))
    forged.unlink()
    status, _, said = town.restore("--set", "set-1")
    assert status == 1
    assert "may be" in said
    assert town.manifest("db", THEN).name in said
    assert not (town.folder / "out").exists()
    assert town.restore("--set", "set-9", "--server", "nobody")[0] == 4


@pytest.mark.parametrize(
    "points",
    [
        {"web": {"1-root": WEB}, "web-1": {"root": DB}},
        {"web": {"a/b": WEB, "a_b": DB}},
        {"Web": {"root": WEB}, "web": {"root": DB}},
        {"web": {"root": WEB, "root_1": DB, "ROOT": WEB}},
    ],
)
def test_two_disks_of_one_name_become_two_files_and_it_is_told_which_is_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], points: dict[str, dict[str, bytes]]
) -> None:
    hand = ByHand(tmp_path / "copy")
    for server, disks in points.items():
        hand.point(server, THEN, disks, "set-1")
    town = town_of(hand, tmp_path, capsys)
    status, said, trouble = town.restore("--set", "set-1")
    assert status == 0, trouble
    files = town.restored()
    expected = [data for disks in points.values() for data in disks.values()]
    assert sorted(files.values()) == sorted(expected)
    assert len({name.lower() for name in files}) == len(files)
    assert len({path.name.lower() for path in (tmp_path / "out").glob("*.json")}) == len(points)
    told = {}
    for line in said.splitlines():
        if " is disk " in line:
            path, _, rest = line.partition(" is disk ")
            disk, _, server = rest.partition(" (")[0].partition(" of ")
            told[Path(path).name] = points[server][disk]
    assert told.items() <= files.items()
    assert len(told) >= 2


def forged(town: Town, **changed: object) -> Path:
    told = town.told("web", LATER) | {"id": FORGED, "server": "evil"}
    text = json.dumps(told | changed)
    return town.hand.put("evil", FORGED, text.replace('"1e999"', "1e999").encode())


def disk_of(size: object, name: object = "root") -> list[dict[str, object]]:
    return [{"name": name, "bytes": size, "chunk_bytes": CHUNK, "root": "0" * 64}]


@pytest.mark.parametrize(
    "changed",
    [
        {"disks": disk_of("1e999")},
        {"disks": disk_of(9e300)},
        {"disks": disk_of(10**30)},
        {"disks": disk_of(True)},
        {"consistency": "\ud800"},
        {"mac": "é"},
        {"sealed": 7},
        {"disks": 7},
        {"server": "web"},
        {"packs": json.loads("[" * 200 + "]" * 200)},
    ],
    ids=lambda changed: str(changed)[:30],
)
def test_a_forged_manifest_is_named_and_the_rest_is_listed_and_checked(
    town: Town, changed: dict[str, object]
) -> None:
    path = forged(town, **changed)
    status, shown, said = town.run("list")
    assert (status, len(shown.splitlines())) == (1, 1 + 4)
    assert path.name in said
    status, shown, said = town.run("check", "--json")
    assert status == 1
    objects = {damage["object"] for damage in json.loads(shown)["damages"]}
    assert objects == {path.relative_to(town.hand.tenant).as_posix()}
    assert path.name in said


def test_json_that_is_too_deep_is_named_wherever_it_lies(town: Town) -> None:
    deep = b"[" * 200_000
    manifest = town.hand.put("evil", FORGED, deep)
    ring = town.hand.tenant / "keyring/00000009.json"
    ring.write_bytes(deep)
    (town.place / "repository.json").write_bytes(deep)
    status, shown, _ = town.run("check", "--json")
    assert status == 1
    assert {damage["object"] for damage in json.loads(shown)["damages"]} == {
        "repository.json",
        "keyring/00000009.json",
        f"points/evil/{manifest.name}",
    }
    status, _, said = town.restore("--set", "set-1")
    assert (status, town.restored()) == (0, BOTH), "what was never a point is none of the set"
    assert manifest.name in said


def test_what_a_terminal_would_obey_is_shown_and_not_sent(town: Town) -> None:
    screen = "\x1b[2J\x9b31m\u202e\x07\n住民 "
    told = town.told("web", LATER)
    for server, changed in (
        ("evil", {"server": "evil", "consistency": screen, "taken_at": screen * 99, "set": screen}),
        (screen, {"server": screen}),
        ("none", {"server": "none", "consistency": "unreadable"}),
        ("form", {"server": "form", "format": screen}),
    ):
        town.hand.put(server, FORGED, canonical(told | {"id": FORGED} | changed))
    place = str(town.place)
    for command in (["list"], ["list", "--json"], ["check"], ["show", FORGED, "--server", "evil"]):
        status = main([command[0], place, *command[1:]])
        said = town.capsys.readouterr()
        assert status in {0, 1}
        assert "\\u001b[2J\\u009b31m\\u202e\\u0007" in said.out + said.err
        lines = [*said.out.split("\n"), *said.err.split("\n")]
        assert all(line.isprintable() for line in lines)
        if "--json" not in command and command[0] == "list":
            assert max(map(len, said.out.split("\n"))) < 400


def test_an_older_keyring_opens_where_the_newest_is_junk(town: Town) -> None:
    rings = town.hand.tenant / "keyring"
    first = rings / "00000001.json"
    for junk in (b"{}", b"\xff", b"[" * 100_000, first.read_bytes()):
        (rings / "00000009.json").write_bytes(junk)
        status, _, said = town.restore("--server", "web", "--date", "2026-04-02")
        assert status == 0, said
        assert str(first) in said
        shutil.rmtree(town.folder / "out")
        status, shown, _ = town.run("check", "--json")
        assert status == 1
        assert [d["object"] for d in json.loads(shown)["damages"]] == ["keyring/00000009.json"]
    first.unlink()
    assert town.restore("--server", "web")[0] == 4


def test_a_size_beyond_all_measure_is_refused_before_anything_is_laid_out(town: Town) -> None:
    told = town.told("web", LATER) | {"id": FORGED, "disks": disk_of(1 << 62)}
    town.hand.put("web", FORGED, canonical(told | {"mac": town.hand.mac(told)}))
    status, _, said = town.restore(FORGED, "--format", "qcow2")
    assert status == 2
    assert "--format raw" in said
    assert not (town.folder / "out").exists()


def test_a_description_that_cannot_be_opened_keeps_nothing_else_from_being_shown(
    town: Town,
) -> None:
    told = town.told("db", THEN) | {"sealed": "AAAA"}
    town.manifest("db", THEN).unlink()
    town.hand.put("db", told["id"], canonical(told | {"mac": town.hand.mac(told)}))
    status, shown, said = town.run("show", "--set", "set-1")
    assert status == 1
    assert shown.count('"taken_at"') == 2
    assert told["id"] in said
    status, _, said = town.restore("--set", "set-1")
    assert status == 1
    assert town.restored() == BOTH
    assert (town.folder / "out/web.json").exists()


def test_a_folder_or_a_link_in_an_objects_place_is_named_and_the_rest_goes_on(town: Town) -> None:
    packs = town.hand.tenant / "packs"
    (packs / "aa").mkdir(exist_ok=True)
    (packs / "aa" / ("aa" * 32)).mkdir()
    (packs / "aa" / ("ab" * 32)).symlink_to(town.folder / "nowhere")
    (town.points / "loose").write_bytes(b"")
    status, shown, _ = town.run("check", "--json")
    assert status == 1
    told = json.loads(shown)
    assert {damage["object"][-64:] for damage in told["damages"]} == {"aa" * 32, "ab" * 32}
    assert told["points"] == 3
    assert town.restore("--set", "set-1")[0] == 0
    assert town.restored() == BOTH


@pytest.mark.parametrize(
    "wrong",
    [
        ("--set", "set-1", "--workers", "0"),
        ("--set", "set-1", "--workers", "-1"),
        ("--set", "set-1", "--workers", "99999999999999999999"),
        ("--set", "set-1", "--workers", "\x1b[2J"),
        ("--passphrase-fd", "-1"),
        ("--server", "web", "--date", "0001-01-01T00:00+09:00"),
    ],
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_arguments_out_of_bounds_are_a_mistake_in_the_command(
    town: Town, wrong: tuple[str, ...], language: str
) -> None:
    try:
        status, _, said = town.restore("--language", language, *wrong)
    except SystemExit as ended:
        status, said = ended.code, town.capsys.readouterr().err
    assert status == 2
    assert "\x1b" not in said
    assert not (town.folder / "out").exists()


odd = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, 10**400, -1, 0, 1 << 62]),
        st.floats(),
        st.text(st.characters(codec=None, exclude_categories=()), max_size=5),
        st.sampled_from(["\ud800", "\x1b[2J", "set-1", "root", "web", "0" * 64, "a" * 9000]),
    ),
    lambda below: st.one_of(
        st.lists(below, max_size=3), st.dictionaries(st.sampled_from(["a", "\udc00"]), below)
    ),
    max_leaves=5,
)


@st.composite
def altered(draw: st.DrawFn, told: dict[str, Any]) -> dict[str, Any]:
    """The same with some members of it, or of one of its disks, replaced or gone."""
    changed = json.loads(json.dumps(told))
    for _ in range(draw(st.integers(1, 2))):
        inner = changed
        if "disks" in changed and draw(st.booleans()):
            inner = changed["disks"][0] if isinstance(changed["disks"], list) else changed
        if not isinstance(inner, dict) or not inner:
            inner = changed
        name = draw(st.sampled_from(sorted(inner) or ["a"]))
        if draw(st.integers(0, 4)):
            inner[name] = draw(odd)
        else:
            inner.pop(name, None)
    return changed


@st.composite
def torn(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    length = draw(st.integers(0, 40))
    return data[:at] + draw(st.binary(max_size=40)) + data[at + length :]


@pytest.mark.long
def test_whatever_lies_in_a_copy_each_command_ends_as_it_was_designed_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hand = ByHand(tmp_path / "copy")
    hand.point("web", THEN, {"root": WEB[: CHUNK * 3]}, "set-1", ("web",))
    town = town_of(hand, tmp_path, capsys)
    sound = town.told("web", THEN)
    ring_path = hand.tenant / "keyring/00000001.json"
    ring = ring_path.read_bytes()
    pack = next((hand.tenant / "packs").glob("*/*")).read_bytes()

    def put(name: str, data: bytes) -> Path:
        path = hand.tenant / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.data())
    def whatever(data: st.DataObject) -> None:
        match data.draw(st.sampled_from(["point", "torn point", "ring", "pack", "index"])):
            case "point":
                told = data.draw(altered(sound | {"id": FORGED}))
                if data.draw(st.booleans()):
                    with contextlib.suppress(ValueError):  # As if by somebody who has the keys.
                        told["mac"] = hand.mac(told)
                path = hand.put("web", FORGED, json.dumps(told).encode())
            case "torn point":
                path = hand.put("web", FORGED, data.draw(torn(canonical(sound))))
            case "ring":
                told = data.draw(altered(json.loads(ring) | {"generation": 2}))
                path = put("keyring/00000002.json", json.dumps(told).encode())
            case "pack":
                content = data.draw(torn(pack))
                name = blake3(content).hexdigest()
                path = put(f"packs/{name[:2]}/{name}", content)
            case _:
                content = data.draw(torn(b"YUIINDX\x01" + pack[8:]))
                path = put(f"index/{blake3(content).hexdigest()}", content)
        there = path.read_bytes() == pack
        try:
            for command, *rest in (
                ("list",),
                ("check", "--json"),
                ("show", "--set", "set-1"),
                ("restore", "--set", "set-1", "--to", tmp_path / "out"),
                ("restore", FORGED, "--to", tmp_path / "out"),
            ):
                shutil.rmtree(tmp_path / "out", ignore_errors=True)
                status, out, said = town.run(command, *rest)
                assert status in {0, 1, 2, 3, 4, 5}
                assert status == 0 or command == "check" or said.strip()
                (out + said).encode()
        finally:
            if not there:
                path.unlink()

    whatever()
    assert town.run("check")[0] == 0, "the copy was sound but for what was put there"
