"""The API's second door: a socket in the file system, for programs of the same user on this machine.

Agents of hosts that are namespaces of one machine ask there, without a network between. It opens for
whoever may open the file, so the file is its owner's alone; tokens are needed there as everywhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane.model.errors import YuiError

_LONGEST = 107
"""Bytes of a socket's path on Linux; unix(7)."""


@contextmanager
def local_socket(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path` with mode 600, removed afterwards. What an earlier process left
    there gives way. Raises `socket-in-use`, `socket-unavailable`."""
    if len(os.fsencode(path)) > _LONGEST:
        raise _unavailable(path, f"its path is longer than {_LONGEST} bytes")
    _make_way(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # It must never be there with wider permissions, and a chmod would come after the bind.
        before = os.umask(0o177)
        try:
            bound.bind(str(path))
        finally:
            os.umask(before)
        bound.listen(2048)
        made = path.stat().st_ino
    except OSError as error:
        bound.close()
        raise _unavailable(path, error.strerror or "unknown reason") from None
    try:
        yield bound
    finally:
        bound.close()
        with contextlib.suppress(OSError):
            if path.stat().st_ino == made:
                path.unlink()


def _make_way(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unavailable(path, error.strerror or "unknown reason") from None
    if not stat.S_ISSOCK(mode):
        raise _unavailable(path, "something else is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise _unavailable(path, error.strerror or "unknown reason") from None
        else:
            raise YuiError(
                "socket-in-use",
                en=f"Another program answers at the socket {path}: stop it, or choose another path.",
                ja=f"ソケット {path} では別のプログラムが応答しています。停止するか、別のパスを指定してください。",
                status=409,
                fields={"socket": str(path)},
            )
    path.unlink(missing_ok=True)


def _unavailable(path: Path, why: str) -> YuiError:
    return YuiError(
        "socket-unavailable",
        en=f"No socket can be made at {path} ({why}): give a path in a folder that this user may write to.",
        ja=f"{path} にソケットを作れません({why})。このユーザーが書き込めるフォルダーのパスを指定してください。",
        fields={"socket": str(path)},
    )
