"""How Yui's backups compare with restic and borg: `python -m benchmarks.backup` writes `var/bench/backup.json`.

All of them keep the same disk image in one run, each step in a process of its own that is watched for time
and memory: full, after 1 % has changed, restored, verified. restic and borg read the whole image each
time; Yui is told what has changed, as a hypervisor's bitmap tells it, and once more is not.

Yui's scheduled backups are taken by a control plane that runs anyway, so `incremental_s` is what one takes
there, with the repository opened for it; `incremental_with_start_s` is the same from a process that is
started for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, cast

from benchmarks.disk_image import MIB, change, make

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parent.parent
_CHANGED = 0.01


class StepFailed(Exception):
    """A tool did not do what was asked."""


@dataclass(frozen=True, slots=True)
class Took:
    """`peak_rss` in bytes, of the largest process."""

    seconds: float
    peak_rss: int


class Tool(Protocol):
    """`repository` is where it keeps what it has; `folder` is its own for everything."""

    repository: Path

    def begin(self) -> None: ...

    def back_up(self, image: Path, changed: Sequence[tuple[int, int]] | None, /) -> Took:
        """The image, of which `changed` alone has changed since the last time; None: nobody knows."""
        ...

    def restore(self, image: Path, to: Path, /) -> Took: ...

    def verify(self) -> Took: ...


class Restic:
    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self._environment = {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(folder / "cache"),
        }

    def _run(self, *words: str) -> Took:
        return run(["restic", "--quiet", *words], self._environment)

    def begin(self) -> None:
        self._run("init")

    def back_up(self, image: Path, _: object, /) -> Took:
        return self._run("backup", str(image))

    def restore(self, image: Path, to: Path, /) -> Took:
        took = self._run("restore", "latest", "--target", str(to))
        (to / str(image).lstrip("/")).rename(to / "disk")
        return took

    def verify(self) -> Took:
        return self._run("check", "--read-data")


class Borg:
    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self._archives = 0
        self._environment = {
            "BORG_REPO": str(self.repository),
            "BORG_PASSPHRASE": "benchmark",
            "BORG_BASE_DIR": str(folder),
        }

    def _run(self, *words: str, at: Path | None = None) -> Took:
        return run(["borg", *words], self._environment, at)

    def begin(self) -> None:
        self._run("init", "--encryption", "repokey-blake2")

    def back_up(self, image: Path, _: object, /) -> Took:
        self._archives += 1
        return self._run("create", f"::{self._archives}", str(image))

    def restore(self, image: Path, to: Path, /) -> Took:
        took = self._run("extract", "--sparse", f"::{self._archives}", at=to)
        (to / str(image).lstrip("/")).rename(to / "disk")
        return took

    def verify(self) -> Took:
        return self._run("check", "--verify-data")


class Yui:
    _command = (sys.executable, "-m", "benchmarks.backup_steps")

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self._orders = {"repository": str(self.repository), "cache": str(folder / "cache")}

    def _run(self, step: str, **orders: Any) -> Took:
        told = json.dumps({**self._orders, "step": step, **orders})
        return run(self._command, {}, CHECKOUT, told)

    def begin(self) -> None:
        self._run("begin")

    def back_up(self, image: Path, changed: Sequence[tuple[int, int]] | None, /) -> Took:
        return self._run("back_up", image=str(image), changed=changed)

    def back_up_while_running(self, image: Path, changed: Sequence[tuple[int, int]]) -> Took:
        """By a process that was there before."""
        told = json.dumps(
            {**self._orders, "step": "back_up", "image": str(image), "changed": changed}
        )
        with subprocess.Popen(  # noqa: S603 — as `run`
            self._command,
            cwd=CHECKOUT,
            stdin=(ours := os.pipe())[0],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            os.close(ours[0])
            said = cast(IO[str], process.stdout)
            with os.fdopen(ours[1], "w") as orders:
                _expect(said.readline(), "ready")
                began = time.monotonic()
                print(told, file=orders, flush=True)
                _expect(said.readline(), "back_up")
                took = time.monotonic() - began
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return Took(took, used.ru_maxrss * 1024)

    def restore(self, _: Path, to: Path, /) -> Took:
        return self._run("restore", to=str(to / "disk"))

    def verify(self) -> Took:
        return self._run("verify")


def _expect(line: str, word: str) -> None:
    if line.strip() != word:
        raise StepFailed(f"Yui's step ended before it said {word}")


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    at: Path | None = None,
    told: str = "",
) -> Took:
    """Raises StepFailed with what it said last."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as orders:
        orders.write(told.encode())
        orders.seek(0)
        process = subprocess.Popen(  # noqa: S603 — the tools that are compared
            command,
            env={**os.environ, **environment},
            cwd=at,
            stdin=orders,
            stdout=said,
            stderr=said,
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            last = said.read()[-2000:].decode(errors="replace").strip()
            raise StepFailed(f"{command[0]} ended with {process.returncode}: {last}")
    return Took(took, used.ru_maxrss * 1024)


def measure(tool: Tool, image: Path, folder: Path, size: int) -> dict[str, Any]:
    """The figures of one tool. The image is made anew, so that each begins with the same."""
    _apart(make, image, size)
    _read(image)
    tool.begin()
    full = tool.back_up(image, None)
    full_bytes = stored(tool.repository)
    changed = _apart(change, image, int(size * _CHANGED))
    _read(image)
    found: dict[str, Any] = {}
    if isinstance(tool, Yui):
        incremental = tool.back_up_while_running(image, changed)
    else:
        incremental = tool.back_up(image, changed)
    incremental_bytes = stored(tool.repository) - full_bytes
    took = [full, incremental]
    if isinstance(tool, Yui):
        again = _apart(partial(change, seed=4), image, int(size * _CHANGED))
        _read(image)
        started = tool.back_up(image, again)
        took.append(started)
        found["incremental_with_start_s"] = round(started.seconds, 2)
        _apart(partial(change, seed=3), image, int(size * _CHANGED))
        _read(image)
        unaided = tool.back_up(image, None)
        took.append(unaided)
        found["incremental_without_bitmap_s"] = round(unaided.seconds, 2)
    target = folder / "restored"
    target.mkdir()
    restored = tool.restore(image, target)
    if not same(image, target / "disk"):
        raise StepFailed(f"{type(tool).__name__} did not restore what it was given")
    verified = tool.verify()
    shutil.rmtree(target)
    took += [restored, verified]
    return {
        "full_s": round(full.seconds, 2),
        "full_bytes": full_bytes,
        "incremental_s": round(incremental.seconds, 2),
        "incremental_bytes": incremental_bytes,
        "restore_s": round(restored.seconds, 2),
        "verify_s": round(verified.seconds, 2),
        "peak_rss_mib": round(max(each.peak_rss for each in took) / MIB, 1),
        "changed_bytes": sum(length for _, length in changed),
        **found,
    }


def measure_sparse(folder: Path, size: int, written: int) -> dict[str, Any]:
    """A disk of which next to nothing was ever written: what memory Yui needs for it."""
    image = folder / "sparse"
    with image.open("wb") as file:
        file.truncate(size)
    _apart(partial(change, run=MIB), image, written)
    tool = Yui(folder / "yui-sparse")
    tool.begin()
    full = tool.back_up(image, None)
    changed = _apart(partial(change, seed=5), image, written // 10)
    incremental = tool.back_up(image, changed)
    image.unlink()
    return {
        "sparse_gib": size // 2**30,
        "sparse_full_s": round(full.seconds, 2),
        "sparse_incremental_s": round(incremental.seconds, 2),
        "sparse_peak_rss_mib": round(max(full.peak_rss, incremental.peak_rss) / MIB, 1),
    }


def stored(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while piece := left.read(MIB):
            if piece != right.read(MIB):
                return False
    return True


def _apart(work: Callable[..., T], *given: object) -> T:
    """In a process of its own: those that are measured begin with the memory of the one that starts
    them."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(work, *given).result()


def _read(image: Path) -> None:
    """From memory for everybody, rather than from the disk for the first one."""
    with image.open("rb") as file:
        while file.read(MIB):
            pass
    # Points are named by whole seconds, and the last one is the base of the next.
    time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=4, help="The image's size.")
    parser.add_argument("--sparse-gib", type=int, default=64, help="The sparse image's size.")
    parser.add_argument("--folder", type=Path, help="Where to work; about four times the size.")
    parser.add_argument("--only", help="restic, borg or yui alone, on standard output.")
    asked = parser.parse_args()
    size = int(asked.gib * 2**30)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=asked.folder) as made:
        folder = Path(made)
        for name, kind in (("restic", Restic), ("borg", Borg), ("yui", Yui)):
            if asked.only not in (None, name):
                continue
            if name != "yui" and shutil.which(name) is None:
                raise SystemExit(f"There is no {name} here: apt-get install restic borgbackup.")
            own = folder / name
            own.mkdir()
            print(f"{name} …", file=sys.stderr, flush=True)
            figures[name] = measure(kind(own), folder / "disk", own, size)
            shutil.rmtree(own)
        if asked.only in (None, "yui"):
            (folder / "yui-sparse").mkdir()
            figures.update(measure_sparse(folder, asked.sparse_gib * 2**30, 256 * MIB))
    figures["image_bytes"] = size
    figures["changed_bytes"] = next(
        each["changed_bytes"] for each in figures.values() if isinstance(each, dict)
    )
    text = json.dumps(figures, indent=2)
    print(text)
    if asked.only is None:
        target = CHECKOUT / "var" / "bench" / "backup.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text + "\n")


if __name__ == "__main__":
    main()
