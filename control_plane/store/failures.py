"""What a database says when something is wrong, in words for a person or for a caller that retries."""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError

from control_plane.model.errors import YuiError

_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}

# PostgreSQL's SQLSTATE codes (its manual, appendix A) that mean: another transaction was there
# first. A value that had to be unique, or a row that was referred to, changed under this one.
_OVERTAKEN = "40001"
_RACES = {"40001", "40P01", "55P03", "23505", "25P03"}
_FOREIGN_KEY = "23503"
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_NO_CONNECTION = ("08", "57", "28", "3D", "53")


class LostRace(YuiError):
    """Another transaction changed what this one decided by. Nothing of this one remains: read
    again, decide again."""

    def __init__(self, subject: str) -> None:
        super().__init__(
            "lost-race",
            en=f"The change was not made, because {subject} changed in the meantime: try again.",
            ja=f"処理中に別の変更が行われたため、変更を取り消しました({subject})。もう一度実行してください。",
            status=409,
            fields={"subject": subject},
        )


class LeaseLost(YuiError):
    """Another holder has taken the lease over, so nothing was written under it."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            "lease-lost",
            en=f"'{holder}' no longer holds the lease '{name}', so nothing was written: leave the work to its new holder.",
            ja=f"「{holder}」はリース「{name}」を失ったため、何も書き込みませんでした。処理は新しい保持者が引き継ぎます。",
            status=503,
            fields={"lease": name, "holder": holder},
        )


def state_full(place: str) -> YuiError:
    return YuiError(
        "state-disk-full",
        en=f"The disk that holds the state {place} is full, so nothing was written: free some room and try again.",
        ja=f"状態データベース {place} のディスクに空きがないため、何も書き込みませんでした。空きを作ってからもう一度実行してください。",
        status=507,
        fields={"state": place},
    )


def state_read_only(place: str) -> YuiError:
    return YuiError(
        "state-read-only",
        en=f"The state {place} cannot be written: give this user the right to write the file and its folder, or mount its disk for writing.",
        ja=f"状態データベース {place} に書き込めません。ファイルとフォルダーの書き込み権限、またはディスクのマウント設定を確認してください。",
        status=503,
        fields={"state": place},
    )


def state_unreadable(place: str) -> YuiError:
    return YuiError(
        "state-unreadable",
        en=f"{place} is not a sound state database of Yui: name another file, or restore this one from its backup.",
        ja=f"{place} は正常な Yui の状態データベースではありません。別のファイルを指定するか、バックアップから復元してください。",
        status=503,
        fields={"state": place},
    )


def state_unreachable(place: str) -> YuiError:
    return YuiError(
        "state-unreachable",
        en=f"The state {place} does not answer: check that the database runs and that its address is right.",
        ja=f"状態データベース {place} に接続できません。データベースが動作しているか、接続先が正しいか確認してください。",
        status=503,
        fields={"state": place},
    )


def state_busy(place: str) -> YuiError:
    return YuiError(
        "state-busy",
        en=f"The state {place} is busy with other changes: try again in a moment.",
        ja=f"状態データベース {place} はほかの変更を処理中です。少し待ってからもう一度実行してください。",
        status=503,
        fields={"state": place},
    )


def value_refused(place: str) -> YuiError:
    return YuiError(
        "value-refused",
        en=f"The state {place} refused a value that is out of range or refers to something that does not exist: check the request.",
        ja=f"範囲外の値、または存在しないものへの参照が含まれているため、状態データベース {place} が受け付けませんでした。内容を確認してください。",
        status=422,
        fields={"state": place},
    )


def was_overtaken(error: DBAPIError) -> bool:
    """True when a row that PostgreSQL was asked to lock had changed under this snapshot."""
    return getattr(error.orig, "sqlstate", None) == _OVERTAKEN


def translate(error: DBAPIError | sqlite3.Error, place: str) -> YuiError:
    """The refusal behind a driver's exception; `place` names the database without secrets.

    Raises the exception itself where it is a defect of Yui and nobody's mistake.
    """
    cause = error if isinstance(error, sqlite3.Error) else error.orig
    if isinstance(cause, sqlite3.Error):
        refusal = _of_sqlite(cause, place)
    else:
        refusal = _of_postgresql(cause, place)
    if refusal is None:
        raise error
    return refusal


def _of_sqlite(cause: sqlite3.Error, place: str) -> YuiError | None:
    code = getattr(cause, "sqlite_errorcode", 0)
    if code in _UNIQUE:
        return LostRace("an entry of the same name")
    # The lowest byte is the primary result code (SQLite's "Result and Error Codes").
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return state_full(place)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return state_read_only(place)
        case sqlite3.SQLITE_CANTOPEN:
            return state_unreachable(place)
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_IOERR:
            return state_unreadable(place)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return state_busy(place)
        case sqlite3.SQLITE_CONSTRAINT | sqlite3.SQLITE_TOOBIG:
            return value_refused(place)
        case _:
            return None


def _of_postgresql(cause: BaseException | None, place: str) -> YuiError | None:
    code = getattr(cause, "sqlstate", None)
    if code in _RACES:
        return LostRace("something that it builds on")
    if code == _FOREIGN_KEY:
        return LostRace("something that it refers to")
    if code == _DISK_FULL:
        return state_full(place)
    if code == _READ_ONLY:
        return state_read_only(place)
    if isinstance(cause, psycopg.DataError | psycopg.IntegrityError):
        return value_refused(place)
    # A connection that broke or never came about carries no code, or one of these classes.
    if isinstance(cause, psycopg.OperationalError) and (
        code is None or code.startswith(_NO_CONNECTION)
    ):
        return state_unreachable(place)
    return None
