"""The folder with a member's own copy: objects under the names that they have in a repository, so that
the stand-alone reader finds them.

An object has its name once its bytes are what the name says; before, it is beside it as `.part`, where
the next attempt goes on. Manifests come last of all: a point that is not all here does not exist here."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from backup.api.copy_models import CopyObjectOut
from control_plane.model.errors import YuiError

_KEY = re.compile(
    r"repository\.json|tenants/\d{6}/(?:packs/[0-9a-f]{2}/[0-9a-f]{64}|points/[a-z0-9-]{1,63}/[0-9A-Za-z-]{1,40}\.[0-9a-f]{64})"
)
_AT_ONCE = 1 << 20
_TRIES = 3

Parts = Callable[[CopyObjectOut, int], Iterable[bytes]]
"""An object's bytes from an offset on."""


@dataclass(frozen=True, slots=True)
class CopyFolder:
    """Every method raises YuiError where the folder can't be written."""

    root: Path

    @contextmanager
    def ours(self) -> Iterator[None]:
        """While nobody else fetches into it. Raises `copy-folder-in-use`."""
        with _writing(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.root / ".pull.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise YuiError(
                    "copy-folder-in-use",
                    en=f"Another `yui backup pull` fetches into {self.root}: wait until it ends.",
                    ja=f"別の `yui backup pull` が {self.root} に取得中です。終わるまで待ってください。",
                    status=409,
                ) from None
            yield
        finally:
            os.close(lock)

    def place(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise YuiError(
                "copy-object-unknown",
                en="The list names an object that no copy holds: the API and this yui are of different versions, so update yui.",
                ja="一覧に未知のオブジェクトがあります。API とバージョンが異なるようです。yui を更新してください。",
                status=502,
            )
        return self.root / key

    def has(self, one: CopyObjectOut, *, read: bool = False) -> bool:
        """By its size, since what has its name was compared when it came; with `read`, by its bytes. Which
        repository's description it is is all the same."""
        place = self.place(one.key)
        try:
            if one.key == "repository.json" and place.stat().st_size:
                return True
            if place.stat().st_size != one.bytes:
                return False
            return not read or _hash(place) == one.hash
        except OSError:
            return False

    def fetch(self, one: CopyObjectOut, parts: Parts) -> None:
        """Goes on with what an earlier attempt left. Damaged bytes are thrown away and fetched anew.
        Raises `copy-object-spoiled`, and whatever `parts` raises."""
        place = self.place(one.key)
        part = place.with_name(place.name + ".part")
        for _ in range(_TRIES):
            with _writing(place):
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                digest = self._gone_on_with(one, part, parts)
                if digest == one.hash:
                    os.replace(part, place)
                    return
                part.unlink()
        raise YuiError(
            "copy-object-spoiled",
            en=f"{one.key} arrived damaged {_TRIES} times and was thrown away: tell the operator, who has it healed, and run this again.",
            ja=f"{one.key} が {_TRIES} 回とも壊れて届いたため破棄しました。運用者に修復を依頼し、後でもう一度実行してください。",
        )

    def superfluous(self, wanted: Iterable[str]) -> list[str]:
        """Keys of objects that are here and not `wanted`: manifests first, the order to remove them in."""
        kept = set(wanted)
        found = [
            path.relative_to(self.root).as_posix()
            for path in self.root.glob("tenants/*/*/*/*")
            if path.is_file()
        ]
        gone = [key for key in found if _KEY.fullmatch(key.removesuffix(".part"))]
        return sorted(
            (key for key in gone if key not in kept), key=lambda key: ("/points/" not in key, key)
        )

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            with _writing(self.root / key):
                (self.root / key).unlink(missing_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """A file beside the objects, whole or not at all."""
        place = self.root / name
        part = place.with_name(name + ".part")
        with _writing(place):
            if place.is_file() and place.read_bytes() == data:
                return
            part.write_bytes(data)
            part.chmod(0o600)
            os.replace(part, place)

    def _gone_on_with(self, one: CopyObjectOut, part: Path, parts: Parts) -> str:
        """The hash of what is there in the end."""
        hasher = blake3()
        with part.open("a+b") as file:
            part.chmod(0o600)
            file.seek(0)
            held = 0
            while data := file.read(_AT_ONCE):
                hasher.update(data)
                held += len(data)
            if held < one.bytes:
                for data in parts(one, held):
                    file.write(data)
                    hasher.update(data)
            file.flush()
            os.fsync(file.fileno())
        return hasher.hexdigest()


def _hash(place: Path) -> str:
    hasher = blake3()
    with place.open("rb") as file:
        while data := file.read(_AT_ONCE):
            hasher.update(data)
    return hasher.hexdigest()


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise YuiError(
            "copy-not-kept",
            en=f"{place} can't be written ({error.strerror}): choose another folder, or make room. What has come stays.",
            ja=f"{place} に書き込めません({error.strerror})。別のフォルダーを指定するか、空きを確保してください。取得済みのものは残ります。",
        ) from None
