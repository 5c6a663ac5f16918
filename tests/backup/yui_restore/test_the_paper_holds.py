"""docs/repository-format.md, against what Yui writes and reads: what only the paper's writer wrote, Yui reads;
and each field that the stand-alone reader never looks at is as the paper says.
"""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest
import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backup.objects.directory import DirectoryStore
from backup.repository import Keyring, Repository, RepositoryKey
from backup.repository.collector import Collector, CollectorTimes
from backup.repository.escrow import open_escrow
from control_plane.model.tenant import MunicipalityCode
from tests.backup.yui_restore.by_hand import CHUNK, TENANT, ByHand, derived, some_disk
from tests.backup.yui_restore.test_what_yui_writes import back_up

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_yui_reads_what_was_written_from_the_paper_alone(tmp_path: Path) -> None:
    hand = ByHand(tmp_path)
    disks = {"root": some_disk(1, 300, tail=512), "vol-1": some_disk(2, 40), "empty": b""}
    point_id = hand.point("web", "20260401T010000Z", disks, together="set-1")
    store = DirectoryStore(tmp_path)
    vault = Repository.open(store, RepositoryKey(hand.repository_key)).vault(
        MunicipalityCode(TENANT)
    )
    point = vault.point(point_id)
    assert vault.details(point)["名前"] == "住民記録"
    for name, data in disks.items():
        assert vault.read(point, name).read(0, len(data) + CHUNK) == data
    opened = open_escrow(
        hand.escrow("correct horse battery staple"), "correct horse battery staple"
    )
    assert opened.secret_json() == hand.secret


class Written:
    """A repository by Yui, on a disk."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.key = RepositoryKey.generate()
        self.vault = Repository.create(DirectoryStore(place), self.key).vault(
            MunicipalityCode(TENANT), create=True
        )
        self.keyring: Keyring = self.vault.keyring
        # Of the data, one pack; of the tree, another.
        self.point = back_up(self.vault, {"root": some_disk(3, 300)})

    def objects(self, kind: str) -> list[Path]:
        return sorted(p for p in (self.place / "tenants" / TENANT / kind).rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written(tmp_path_factory.mktemp("repository"))


def test_names_are_hashes_that_anybody_can_compute(written: Written) -> None:
    for path in (*written.objects("packs"), *written.objects("index")):
        assert blake3(path.read_bytes()).hexdigest() == path.name
    for path in written.objects("points"):
        assert path.name == f"{written.point.id}.{blake3(path.read_bytes()).hexdigest()}"


def test_the_plain_objects_have_their_members(written: Written) -> None:
    repository = json.loads((written.place / "repository.json").read_text())
    assert (repository["format"], repository["version"]) == ("yui-repository", 1)
    assert re.fullmatch("[0-9a-f]{32}", repository["id"])
    assert TIME.fullmatch(repository["created"])
    (ring,) = written.objects("keyring")
    assert ring.name == "00000001.json"
    told = json.loads(ring.read_text())
    assert (
        told["wrapped_by"] == derived(written.key.secret, "yui repository key id", length=8).hex()
    )
    assert (told["tenant"], told["generation"]) == (TENANT, 1)
    assert TIME.fullmatch(told["created"])
    point = json.loads(written.objects("points")[0].read_text())
    assert set(point) == {
        *("format", "version", "id", "tenant", "system", "server", "taken_at", "finished_at"),
        *("consistency", "set", "disks", "stored_bytes", "packs", "seal_key", "sealed", "mac"),
    }
    assert set(point["disks"][0]) == {
        *("name", "bytes", "chunk_bytes", "root", "how", "why", "read_bytes", "changed_bytes"),
    }
    assert point["packs"] == [path.name for path in _by_id(written, point["packs"])]
    sizes = sum(path.stat().st_size for path in _by_id(written, point["packs"]))
    assert point["stored_bytes"] == sizes


def _by_id(written: Written, packs: list[str]) -> list[Path]:
    return [written.place / "tenants" / TENANT / "packs" / pack[:2] / pack for pack in packs]


def test_headers_ends_and_the_index_lie_where_the_paper_says(written: Written) -> None:
    for path, magic in (
        *((path, b"YUIPACK\x01") for path in written.objects("packs")),
        *((path, b"YUIINDX\x01") for path in written.objects("index")),
    ):
        data = path.read_bytes()
        assert data[:8] == magic
        assert data[8:16] == TENANT.encode() + bytes(2)
        assert data[16:24].hex() == written.keyring.sealing.id
        assert data[56:64] == bytes(8)
    named = {}
    for path in written.objects("index"):
        data = path.read_bytes()
        key = derived(written.keyring.sealing.secret, "yui index", data[24:56])
        opened = AESGCM(key).decrypt(bytes(12), data[64:], data[24:56] + b"index")
        payload = zstandard.ZstdDecompressor().decompress(opened)
        (count,) = struct.unpack_from(">I", payload)
        at = 4
        for _ in range(count):
            pack, length = struct.unpack_from(">32sI", payload, at)
            at += 36
            named[pack.hex()] = (length, payload[at : at + _footer_length(payload, at)])
            at += _footer_length(payload, at)
        assert at == len(payload)
    for path in written.objects("packs"):
        data = path.read_bytes()
        assert data[-8:] == b"YUIPEND\x01"
        (sealed,) = struct.unpack(">Q", data[-16:-8])
        key = derived(written.keyring.sealing.secret, "yui pack", data[24:56])
        footer = AESGCM(key).decrypt(
            b"\xff" * 4 + bytes(8), data[-16 - sealed : -16], data[24:56] + b"footer"
        )
        plain = zstandard.ZstdDecompressor().decompress(footer)
        assert named[path.name] == (len(data), plain)
        kinds = {plain[at] for at in _segments(plain)}
        assert len(kinds) == 1, "data and trees lie in different packs"


def _segments(footer: bytes) -> list[int]:
    (count,) = struct.unpack_from(">I", footer)
    found, at = [], 4
    for _ in range(count):
        found.append(at)
        at += 20 + 40 * struct.unpack_from(">H", footer, at + 2)[0]
    return [*found]


def _footer_length(payload: bytes, start: int) -> int:
    (count,) = struct.unpack_from(">I", payload, start)
    at = start + 4
    for _ in range(count):
        at += 20 + 40 * struct.unpack_from(">H", payload, at + 2)[0]
    return at - start


def test_marks_tell_their_time(tmp_path: Path) -> None:
    written = Written(tmp_path)
    vault = written.vault
    times = CollectorTimes(young=CollectorTimes().young * 0)
    Collector(vault.objects, vault.index, still_mine=lambda: True, times=times).run(
        [written.point.id]
    )
    marks = sorted((tmp_path / "condemned" / TENANT).iterdir())
    assert [mark.name for mark in marks] == sorted(path.name for path in written.objects("packs"))
    for mark in marks:
        told = json.loads(mark.read_text())
        assert set(told) == {"since"}
        assert TIME.fullmatch(told["since"])
