"""Runs other programs with a time limit, and turns what goes wrong into one sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds


def require(programs: Mapping[str, str]) -> None:
    """Raise YuiError("program-missing") unless every program is there.

    `programs` maps a program's name to the Debian package that brings it."""
    missing = {name: package for name, package in programs.items() if shutil.which(name) is None}
    if not missing:
        return
    names, packages = ", ".join(sorted(missing)), " ".join(sorted(set(missing.values())))
    raise YuiError(
        "program-missing",
        en=f"This machine lacks {names}: install it with 'apt-get install {packages}'.",
        ja=f"{names} がありません。「apt-get install {packages}」で導入してください。",
        status=503,
        fields={"programs": sorted(missing), "packages": sorted(set(missing.values()))},
    )


def bounded(
    command: Sequence[str],
    *,
    cpu: Seconds,
    memory_bytes: int,
    file_bytes: int,
) -> list[str]:
    """The command with limits on processor time, address space, and the length of any file that it
    writes. For programs that read what a stranger made."""
    limits = (f"--as={memory_bytes}", f"--cpu={cpu:g}", f"--fsize={file_bytes}", "--core=0")
    return ["prlimit", *limits, "--nofile=64", "--", *command]


def run(
    command: Sequence[str],
    *,
    limit: Seconds,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | Path | None = None,
    into: Path | None = None,
    fine: frozenset[int] = frozenset({0}),
) -> bytes:
    """The program's standard output, which `into` takes instead where it is given. Raises
    YuiError("program-failed") with the last line it wrote to standard error, or when it has not
    ended within `limit`. `fine` are the statuses of success. No shell is involved."""
    with ExitStack() as opened:
        source = opened.enter_context(stdin.open("rb")) if isinstance(stdin, Path) else None
        output = subprocess.PIPE if into is None else opened.enter_context(into.open("wb"))
        given = subprocess.PIPE if isinstance(stdin, bytes) else source or subprocess.DEVNULL
        process = opened.enter_context(
            subprocess.Popen(  # noqa: S603
                command, cwd=cwd, env=env, stdin=given, stdout=output, stderr=subprocess.PIPE
            )
        )
        try:
            out, complaint = process.communicate(
                stdin if isinstance(stdin, bytes) else None, timeout=limit
            )
        except subprocess.TimeoutExpired as expired:
            process.kill()
            raise YuiError(
                "program-failed",
                en=f"{command[0]} did not end within {limit:g} seconds and was stopped.",
                ja=f"{command[0]} が {limit:g} 秒以内に終わらなかったため停止しました。",
                status=500,
            ) from expired
        except BaseException:
            process.kill()
            raise
    if process.returncode not in fine:
        said = complaint.decode(errors="replace").strip().splitlines() or ["no message"]
        raise YuiError(
            "program-failed",
            en=f"{command[0]} failed with status {process.returncode}: {said[-1][:300]}",
            ja=f"{command[0]} が終了コード {process.returncode} で失敗しました: {said[-1][:300]}",
            status=500,
        )
    return out or b""
