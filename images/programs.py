"""Runs other programs with a time limit, and turns what goes wrong into one sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
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


def run(
    command: Sequence[str],
    *,
    limit: Seconds,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> bytes:
    """The program's standard output. Raises YuiError("program-failed") with the last line it wrote
    to standard error, or when it has not ended within `limit`. No shell is involved."""
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=cwd, env=env, input=stdin, capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired as expired:
        raise YuiError(
            "program-failed",
            en=f"{command[0]} did not end within {limit:g} seconds and was stopped.",
            ja=f"{command[0]} が {limit:g} 秒以内に終わらなかったため停止しました。",
            status=500,
        ) from expired
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise YuiError(
            "program-failed",
            en=f"{command[0]} failed with status {done.returncode}: {said[-1][:300]}",
            ja=f"{command[0]} が終了コード {done.returncode} で失敗しました: {said[-1][:300]}",
            status=500,
        )
    return done.stdout
