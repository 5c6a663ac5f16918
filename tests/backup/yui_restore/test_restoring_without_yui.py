"""A member with a copy, an escrow file and one program gets every byte back, or is told which it does not."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backup.yui_restore import main
from tests.backup.yui_restore.by_hand import CHUNK, TENANT, ByHand, some_disk
from tests.backup.yui_restore.carried import Carried, carried

PASSPHRASE = "山鹿 lantern 2011"  # noqa: S105


@dataclass
class Member:
    """What a member holds: a copy, keys, a place to restore to, and what the disks had been."""

    place: Path
    escrow: tuple[object, ...]
    run: Carried
    first: str
    second: str
    beside: str
    disks: dict[str, bytes]
    hand: ByHand

    @property
    def packs(self) -> list[Path]:
        """The largest first."""
        return sorted(
            (self.place / "tenants" / TENANT / "packs").glob("*/*"), key=lambda p: -p.stat().st_size
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carried(tmp_path_factory.mktemp("carried"), with_blake3=True)


@pytest.fixture
def member(tmp_path: Path, run: Carried) -> Member:
    hand = ByHand(tmp_path / "copy")
    disks = {"root": some_disk(1, 300, tail=512), "vol-1": some_disk(2, 40), "empty": b""}
    first = hand.point("web", "20260401T010000Z", disks, together="set-1")
    changed = bytearray(disks["root"])
    changed[CHUNK * 299 : CHUNK * 300] = b"\x55" * CHUNK
    second = hand.point("web", "20260402T010000Z", {"root": bytes(changed)})
    beside = hand.point("db", "20260401T010000Z", {"root": disks["root"][: CHUNK * 256]}, "set-1")
    (tmp_path / "escrow.json").write_bytes(hand.escrow(PASSPHRASE))
    # Written with a Japanese keyboard in full width: the same passphrase.
    (tmp_path / "passphrase").write_text("山鹿 ｌａｎｔｅｒｎ ２０１１\n")
    escrow = ("--escrow", tmp_path / "escrow.json", "--passphrase-file", tmp_path / "passphrase")
    return Member(
        tmp_path / "copy",
        escrow,
        run,
        first,
        second,
        beside,
        disks | {"later": bytes(changed)},
        hand,
    )


def test_every_disk_of_a_server_comes_back_byte_for_byte_and_sparse(
    member: Member, tmp_path: Path
) -> None:
    ended = member.run(
        "restore", member.place, member.first, "--to", tmp_path / "out", *member.escrow
    )
    assert ended.status == 0, ended.err
    assert (tmp_path / "out/web-root.raw").read_bytes() == member.disks["root"]
    assert (tmp_path / "out/web-vol-1.raw").read_bytes() == member.disks["vol-1"]
    assert (tmp_path / "out/web-empty.raw").read_bytes() == b""
    assert json.loads((tmp_path / "out/web.json").read_text())["名前"] == "住民記録"
    assert (tmp_path / "out/web-root.raw").stat().st_blocks * 512 < len(member.disks["root"])
    assert not list((tmp_path / "out").glob(".*"))


def test_qcow2_holds_the_same_bytes_and_is_sound(member: Member, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = member.run(
        "restore", member.place, "--server", "web", "--date", "2026-04-02", "--format", "qcow2",
        "--to", out, *member.escrow,
    )  # fmt: skip
    assert ended.status == 0, ended.err
    image = out / "web-root.qcow2"
    subprocess.run(["qemu-img", "check", image], check=True, capture_output=True)
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, out / "raw"], check=True)
    assert (out / "raw").read_bytes() == member.disks["later"]


def test_a_set_brings_all_servers_that_were_taken_together(member: Member, tmp_path: Path) -> None:
    ended = member.run(
        "restore", member.place, "--set", "set-1", "--disk", "root", "--to", tmp_path / "out", *member.escrow
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert (tmp_path / "out/web-root.raw").read_bytes() == member.disks["root"]
    assert (tmp_path / "out/db-root.raw").read_bytes() == member.disks["root"][: CHUNK * 256]


def test_the_list_and_a_points_facts_need_no_keys_and_all_agrees(member: Member) -> None:
    listed = member.run("list", member.place, "--json")
    assert [row["point"] for row in json.loads(listed.out)] == sorted(
        [member.first, member.second, member.beside],
        key=lambda point: (point[:16], point),
    )
    shown = member.run("show", member.place, member.second)
    assert json.loads(shown.out)["disks"][0]["bytes"] == len(member.disks["later"])
    checked = member.run("check", member.place, *member.escrow)
    assert checked.status == 0, checked.err + checked.out


def test_the_operators_key_and_a_private_key_open_it_too(member: Member, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(member.hand.repository_key.hex() + "\n")
    operator = member.run("check", member.place, "--repository-key", tmp_path / "key")
    assert operator.status == 0, operator.err
    mine = X25519PrivateKey.generate()
    public = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (tmp_path / "sealed.json").write_bytes(member.hand.escrow(None, public))
    (tmp_path / "mine").write_bytes(mine.private_bytes_raw())
    shown = member.run(
        "show", member.place, member.first, "--escrow", tmp_path / "sealed.json", "--private-key", tmp_path / "mine"
    )  # fmt: skip
    assert json.loads(shown.out)["description"]["名前"] == "住民記録"


def test_a_wrong_passphrase_is_said_in_the_readers_language_and_writes_nothing(
    member: Member, tmp_path: Path
) -> None:
    (tmp_path / "passphrase").write_text("something else")
    ended = member.run(
        "restore",
        member.place,
        member.first,
        "--to",
        tmp_path / "out",
        *member.escrow,
        language="ja",
    )
    assert ended.status == 3
    assert "パスフレーズ" in ended.err
    assert not (tmp_path / "out").exists()


def test_it_needs_no_library_of_blake3(member: Member, tmp_path: Path) -> None:
    run = carried(tmp_path / "carried", with_blake3=False)
    ended = run("restore", member.place, member.first, "--to", tmp_path / "out", *member.escrow)
    assert ended.status == 0, ended.err
    assert (tmp_path / "out/web-root.raw").read_bytes() == member.disks["root"]
    assert run("check", member.place, *member.escrow).status == 0


def test_a_terminal_without_japanese_letters_stops_nothing(member: Member) -> None:
    for command in ("list", "check"):
        ended = member.run(command, member.place, language="ja", encoding="ascii")
        assert ended.status == 0, ended.err
        assert "\\u" in ended.out


@pytest.mark.parametrize("keys", [False, True])
def test_a_flipped_byte_anywhere_is_found_and_its_object_named(
    member: Member, keys: bool, subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (p for p in (member.place / "tenants" / TENANT).rglob("*") if p.is_file()):
        if path.parent.name == "keyring":
            continue
        with subtests.test(path.parent.name):
            whole = path.read_bytes()
            at = (len(whole) * 7) // 11
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            keyed = member.escrow if keys else ()
            status = main(["check", str(member.place), *map(str, keyed)])
            path.write_bytes(whole)
            assert status == 1
            assert path.name in capsys.readouterr().err


def test_what_is_missing_is_named_and_the_same_command_finishes_once_it_is_back(
    member: Member, tmp_path: Path
) -> None:
    command = ("restore", member.place, member.first, "--to", tmp_path / "out", *member.escrow)
    pack = member.packs[0]
    away = pack.rename(tmp_path / "away")
    ended = member.run(*command)
    assert ended.status == 1
    assert "pieces of root" in ended.err
    assert not (tmp_path / "out/web-root.raw").exists()
    assert (tmp_path / "out/web-empty.raw").exists()
    for finished in (tmp_path / "out").glob("web-*.raw"):
        finished.unlink()

    away.rename(pack)
    assert member.run(*command).status == 0
    assert (tmp_path / "out/web-root.raw").read_bytes() == member.disks["root"]


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_an_interrupted_restore_goes_on_and_believes_nothing_that_it_finds(
    member: Member, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "out"
    command = (
        "restore", member.place, member.second, "--format", form, "--to", out, *member.escrow,
    )  # fmt: skip
    assert member.run(*command).status == 0
    image = out / f"web-root.{form}"
    right = image.read_bytes()
    torn = bytearray(right)
    torn[-CHUNK * 8 :] = b"\x77" * (CHUNK * 8)
    part = out / f".web-root.{form}.{member.second}.part"
    part.write_bytes(torn)
    image.unlink()
    ended = member.run(*command)
    assert ended.status == 0, ended.err
    assert "earlier run" in ended.err
    restored = image.read_bytes()
    if form == "qcow2":
        subprocess.run(["qemu-img", "convert", "-O", "raw", image, out / "raw"], check=True)
        restored = (out / "raw").read_bytes()
    assert restored == member.disks["later"]


def test_holes_are_accepted_only_when_asked_and_are_listed(member: Member, tmp_path: Path) -> None:
    pack = member.packs[0]
    data = bytearray(pack.read_bytes())
    data[80] ^= 1
    pack.write_bytes(data)
    ended = member.run(
        "restore", member.place, member.first, "--to", tmp_path / "out", "--accept-holes", *member.escrow
    )  # fmt: skip
    assert ended.status == 1
    restored = (tmp_path / "out/web-root.raw").read_bytes()
    listed = json.loads((tmp_path / "out/web-root.raw.holes.json").read_text())["holes"]
    assert listed
    expected = bytearray(member.disks["root"])
    for offset, length in listed:
        expected[offset : offset + length] = bytes(length)
    assert restored == bytes(expected)


def test_what_cannot_be_read_at_all_is_named_and_the_rest_is_restored(
    member: Member, tmp_path: Path
) -> None:
    pack = member.packs[0]
    pack.unlink()
    pack.mkdir()
    ended = member.run(
        "restore", member.place, member.first, "--to", tmp_path / "out", "--accept-holes", *member.escrow
    )  # fmt: skip
    assert ended.status == 1
    assert f"{pack} can not be read" in ended.err
    assert (tmp_path / "out/web-root.raw").stat().st_size == len(member.disks["root"])
    assert (tmp_path / "out/web-root.raw.holes.json").exists()
    checked = member.run("check", member.place, language="ja")
    assert checked.status == 1
    assert f"{pack} を読めません" in checked.err


def test_mistakes_are_one_sentence_and_their_own_status(
    member: Member, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/web-root.raw").write_bytes(b"mine")
    for status, *command in (
        (2, "restore", member.place, "--to", tmp_path / "x", *member.escrow),
        (2, "restore", member.place, member.first, "--disk", "nope", "--to", tmp_path / "x", *member.escrow),
        (2, "show", member.place, "2026"),
        (3, "restore", member.place, member.first, "--to", tmp_path / "x"),
        (4, "show", member.place, "1999"),
        (4, "list", tmp_path),
        (5, "restore", member.place, member.first, "--to", tmp_path / "out", *member.escrow),
    ):  # fmt: skip
        assert main(list(map(str, command))) == status, command
        said = capsys.readouterr().err
        assert said.strip()
        assert "\n" not in said.strip()
    assert (tmp_path / "out/web-root.raw").read_bytes() == b"mine"
