"""A process that serves a file as a disk, until it is killed: `python -m tests.drivers.libvirt.exporter FILE ADDRESS NAME`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from control_plane.drivers.nbd import NbdExports
from tests.drivers.libvirt.served import FileToServe


def main() -> None:
    file, address, name = sys.argv[1:]
    exports = NbdExports(address)
    with exports.serve(exports.place(name), FileToServe(Path(file)).served()):
        print("serving", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
