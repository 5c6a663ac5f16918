"""Why a backup could not be made, in sentences: one that names machines and places, one for members."""

from __future__ import annotations

from dataclasses import dataclass

from backup.keeper.hooks import DumpFailed
from control_plane.drivers.objects import (
    NoSuchObject,
    ObjectExists,
    ObjectLocked,
    ObjectStoreError,
    StoreFull,
    StoreRefused,
)
from control_plane.drivers.protocol import DriverError
from control_plane.model.backup.work import Trouble
from control_plane.model.errors import YuiError

EXPECTED = (DriverError, ObjectStoreError, YuiError, OSError, TimeoutError)
"""What may befall a backup through no defect of ours."""


class NotWanted(Exception):
    """What is under way is not to go on: somebody wants something else of its servers, or another
    control plane keeps backups now."""

    def __init__(self, why: Trouble) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True, slots=True)
class Setback:
    """`member` is what a member may read, who has no business with machines."""

    full: Trouble
    member: Trouble


_DISKS = Trouble(
    "The disks of its servers could not be read just now.",
    "現在、サーバーのディスクを読み取れません。",
)
_STORE = Trouble(
    "The repository could not be written just now.",
    "現在、バックアップのリポジトリに書き込めません。",
)
_LOCKED = Trouble(
    "What is to be replaced or removed in the repository is under object lock, which nobody can end early: it goes once that has ended.",
    "リポジトリで置き換えまたは削除する対象がオブジェクトロックで保護されています。解除は早められないため、期限が過ぎてから処理します。",
)


def setback_of(error: BaseException) -> Setback:
    match error:
        case NotWanted() | DumpFailed():
            return Setback(error.why, error.why)
        case YuiError():
            return _alike(error.en, error.ja)
        case ObjectLocked():
            return Setback(_LOCKED, _LOCKED)
        case StoreFull():
            return Setback(
                Trouble(str(error), f"リポジトリの空き容量がありません({error})。"), _STORE
            )
        case StoreRefused():
            return Setback(Trouble(str(error), f"リポジトリに拒否されました({error})。"), _STORE)
        case NoSuchObject() | ObjectExists():
            return Setback(
                Trouble(str(error), f"リポジトリの内容が想定と異なります({error})。"), _STORE
            )
        case ObjectStoreError():
            return Setback(Trouble(str(error), f"リポジトリが応答しません({error})。"), _STORE)
        case DriverError():
            return Setback(
                Trouble(str(error), f"サーバーのディスクを読み取れませんでした({error})。"), _DISKS
            )
        case _:
            said = str(error) or type(error).__name__
            return _alike(said, f"想定外の問題が起きました({said})。")


def _alike(en: str, ja: str) -> Setback:
    return Setback(Trouble(en, ja), Trouble(en, ja))
