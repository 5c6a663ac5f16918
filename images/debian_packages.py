"""Fetches Debian packages through apt, so that signatures and mirrors stay apt's business."""

from __future__ import annotations

import os
import re
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.units import Seconds
from images.programs import require, run

_NEEDED = {"apt-get": "apt", "apt-cache": "apt", "dpkg-deb": "dpkg"}


def candidate(package: str) -> str:
    """The version that apt would install. Raises YuiError("package-unavailable")."""
    require(_NEEDED)
    policy = run(["apt-cache", "policy", package], limit=Seconds(60), env=_environment()).decode()
    found = re.search(r"^ *Candidate: (\S+)$", policy, re.MULTILINE)
    if found is None or found[1] == "(none)":
        raise _unavailable(package)
    return found[1]


def current_kernel(meta_package: str) -> str:
    """The kernel package that a meta package such as linux-image-cloud-amd64 now stands for."""
    require(_NEEDED)
    said = run(["apt-cache", "depends", meta_package], limit=Seconds(60), env=_environment())
    found = re.search(r"^ *Depends: (linux-image-[0-9]\S+)$", said.decode(), re.MULTILINE)
    if found is None:
        raise _unavailable(meta_package)
    return found[1]


def unpack(package: str, version: str, cache: Path, into: Path) -> None:
    """Download the package into `cache`, unless it is there already, and unpack its files."""
    require(_NEEDED)
    # apt escapes the colon of an epoch in the file name.
    kept = cache / f"{package}_{version.replace(':', '%3a')}.deb"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fetching = cache / f"fetching-{os.getpid()}"
        fetching.mkdir()
        try:
            try:
                run(
                    ["apt-get", "download", "-q", f"{package}={version}"],
                    limit=Seconds(600),
                    cwd=fetching,
                    env=_environment(),
                )
            except YuiError as failed:
                raise _unavailable(package, failed.en) from failed
            next(fetching.glob("*.deb")).replace(kept)
        finally:
            for left in fetching.iterdir():
                left.unlink()
            fetching.rmdir()
    run(["dpkg-deb", "-x", str(kept), str(into)], limit=Seconds(120), env=_environment())


def _unavailable(package: str, why: str = "") -> YuiError:
    return YuiError(
        "package-unavailable",
        en=f"The Debian package {package} cannot be had here: run 'apt-get update' on a machine that reaches a Debian 12 mirror. {why}".strip(),
        ja=f"Debian パッケージ {package} を取得できません。Debian 12 のミラーに届くマシンで「apt-get update」を実行してください。{why}".strip(),
        status=503,
        fields={"package": package},
    )


def _environment() -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
