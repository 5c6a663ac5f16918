"""Sees to it that one process alone uses a SQLite file: a second control plane is turned away."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.store.failures import state_full, state_read_only


class OnlyOne:
    """An exclusive lock on a file beside the database, which the kernel lets go of when its process
    ends in whatever way. The file itself stays, since to remove it would race."""

    def __init__(self, database: Path) -> None:
        """`database` is its real name, behind symbolic links. Raises `state-in-use`, `state-several-names`,
        `state-folder-missing`, `state-read-only`, `state-disk-full`."""
        path = database.with_name(database.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _refused(error, database) from error
        try:
            # SQLite gives its files the rights of the first: nobody else reads the state.
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            names = database.stat().st_nlink
        except OSError as error:
            os.close(self._descriptor)
            raise _refused(error, database) from error
        if names > 1:
            os.close(self._descriptor)
            raise _several_names(database)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(self._descriptor)
            os.close(self._descriptor)
            raise _in_use(database, holder) from error
        # Who holds it is told for convenience: on a full disk the lock alone must do.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def _holder(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else None


def _refused(error: OSError, database: Path) -> YuiError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return state_full(str(database))
        case errno.ENOENT | errno.ENOTDIR:
            return YuiError(
                "state-folder-missing",
                en=f"There is no folder {database.parent} to keep the state {database.name} in: make it, or name another place.",
                ja=f"状態データベース {database.name} を置くフォルダー {database.parent} がありません。フォルダーを作成するか、別の場所を指定してください。",
                status=503,
                fields={"state": str(database)},
            )
        case _:
            return state_read_only(str(database))


def _several_names(database: Path) -> YuiError:
    """The lock is beside one name, and so is SQLite's own journal (https://sqlite.org/howtocorrupt.html, "Multiple
    links to the same file")."""
    return YuiError(
        "state-several-names",
        en=f"The state {database} has another name too (a hard link), under which somebody else could use it: remove that name, or start with a copy.",
        ja=f"状態データベース {database} には別の名前(ハードリンク)があり、他のプロセスがその名前で使用するおそれがあります。その名前を削除するか、複製したファイルで起動してください。",
        status=503,
        fields={"state": str(database)},
    )


def _in_use(database: Path, holder: int | None) -> YuiError:
    by_en = f"process {holder}" if holder else "another process"
    by_ja = f"プロセス {holder}" if holder else "別のプロセス"
    return YuiError(
        "state-in-use",
        en=f"The state {database} is in use by {by_en}: stop that control plane first, or use PostgreSQL to run several.",
        ja=f"状態データベース {database} は{by_ja}が使用中です。先にそのコントロールプレーンを停止してください。複数を動かす場合は PostgreSQL を使用してください。",
        status=503,
        fields={"state": str(database), "pid": holder},
    )
