"""The reader as its bearer runs it: the file alone, on a Python that has nothing but what it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import zstandard

import backup

SITE = Path(zstandard.__file__).parent.parent
FILE = Path(backup.__file__).parent / "yui_restore.py"
ALLOWED = ("cryptography", "cffi", "_cffi_backend*", "zstandard")
RUN = "import runpy, sys; sys.path.append(sys.argv.pop(1)); sys.stdout.reconfigure(encoding=sys.argv.pop(1)); sys.argv[0] = sys.argv[1]; del sys.argv[1]; runpy.run_path(sys.argv[0], run_name='__main__')"


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Carried:
    folder: Path
    """Holds a copy of the one file, and links to the allowed packages."""

    def __call__(
        self, *arguments: object, language: str = "en", stdin: str = "", encoding: str = "utf-8"
    ) -> Ended:
        ended = subprocess.run(
            [
                *(sys.executable, "-I", "-S", "-c", RUN, str(self.folder / "packages"), encoding),
                str(self.folder / "yui_restore.py"),
                *map(str, arguments),
            ],
            capture_output=True,
            input=stdin,
            text=True,
            check=False,
            cwd=self.folder,
            env={"LANG": f"{language}_XX.UTF-8", "PYTHONIOENCODING": "utf-8", "PATH": os.defpath},
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)


def carried(folder: Path, *, with_blake3: bool) -> Carried:
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for pattern in (*ALLOWED, *(["blake3"] if with_blake3 else [])):
        for found in SITE.glob(pattern):
            (packages / found.name).symlink_to(found)
    (folder / "yui_restore.py").write_bytes(FILE.read_bytes())
    return Carried(folder)
