"""What Yui writes, the stand-alone reader reads: two programs, written apart from one page of paper."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from backup.objects.directory import DirectoryStore
from backup.repository import CHUNK_BYTES, RecoveryPoint, Repository, RepositoryKey, Vault
from control_plane.model.tenant import MunicipalityCode
from tests.backup.yui_restore.carried import Carried, carried

TENANT = MunicipalityCode("434311")
PASSPHRASE = "水害のあとでも読める 2011"  # noqa: S105


def back_up(
    vault: Vault, disks: dict[str, bytes], base: RecoveryPoint | None = None
) -> RecoveryPoint:
    """A whole read, or, with a base, only what changed."""
    before = {disk.name: vault.read(base, disk.name) for disk in base.disks} if base else {}
    with vault.begin("web", "resident-records", base=base) as writer:
        for name, data in disks.items():
            disk = writer.disk(name, len(data), base_disk=name if name in before else None)
            for start in range(0, len(data), CHUNK_BYTES):
                chunk = data[start : start + CHUNK_BYTES]
                if name not in before or before[name].read(start, len(chunk)) != chunk:
                    disk.put(start, chunk)
            disk.close()
        return writer.commit(consistency="quiesced", details={"name": "web", "用途": "住民記録"})


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    (tmp_path / "repository").mkdir()
    store = DirectoryStore(tmp_path / "repository")
    return Repository.create(store, RepositoryKey.generate()).vault(TENANT, create=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Carried:
    return carried(tmp_path_factory.mktemp("carried"), with_blake3=True)


@pytest.mark.long
def test_points_across_a_rotation_come_back_byte_for_byte(
    vault: Vault, run: Carried, tmp_path: Path
) -> None:
    draw = random.Random(4)  # noqa: S311
    # More than one level, mostly zeros, a short last chunk; a small disk beside, and an empty one.
    root = bytearray(CHUNK_BYTES * 300 + 1000)
    for chunk in (0, 1, 7, 255, 256, 299):
        root[chunk * CHUNK_BYTES : chunk * CHUNK_BYTES + 30_000] = draw.randbytes(30_000)
    root[-10:] = b"the end..."
    disks = {"root": bytes(root), "vol-1": draw.randbytes(100_000), "vol-2": b""}
    first = back_up(vault, disks)
    vault.rotate()
    root[CHUNK_BYTES * 256 : CHUNK_BYTES * 257] = bytes(CHUNK_BYTES)
    root[CHUNK_BYTES * 100 : CHUNK_BYTES * 101] = b"\x11" * CHUNK_BYTES
    later = disks | {"root": bytes(root)}
    second = back_up(vault, later, base=first)

    mine = X25519PrivateKey.generate()
    (tmp_path / "private").write_bytes(mine.private_bytes_raw())
    (tmp_path / "sealed").write_bytes(vault.escrow(mine.public_key()))
    (tmp_path / "escrow").write_bytes(vault.escrow(PASSPHRASE))
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    copy = tmp_path / "434311"
    shutil.copytree(tmp_path / "repository/tenants/434311", copy)
    shutil.rmtree(copy / "index")

    by_phrase = ("--escrow", tmp_path / "escrow", "--passphrase-file", tmp_path / "passphrase")
    by_key = ("--escrow", tmp_path / "sealed", "--private-key", tmp_path / "private")
    for point, expected, keys in ((first, disks, by_phrase), (second, later, by_key)):
        out = tmp_path / point.id
        ended = run("restore", copy, point.id, "--to", out, *keys)
        assert ended.status == 0, ended.err
        for name, data in expected.items():
            assert (out / f"web-{name}.raw").read_bytes() == data
        assert json.loads((out / "web.json").read_text())["用途"] == "住民記録"
    whole = run("check", tmp_path / "repository", *by_key)
    assert whole.status == 0, whole.err + whole.out


def test_an_escrow_file_from_before_a_rotation_says_that_a_newer_one_is_needed(
    vault: Vault, run: Carried, tmp_path: Path
) -> None:
    mine = X25519PrivateKey.generate()
    (tmp_path / "private").write_bytes(mine.private_bytes_raw())
    (tmp_path / "old").write_bytes(vault.escrow(mine.public_key()))
    vault.rotate()
    point = back_up(vault, {"root": b"\x01" * 5000})
    ended = run(
        "restore", tmp_path / "repository", point.id, "--to", tmp_path / "out",
        "--escrow", tmp_path / "old", "--private-key", tmp_path / "private",
    )  # fmt: skip
    assert ended.status != 0
    assert vault.keyring.sealing.id in ended.err
    assert "newer escrow file" in ended.err
