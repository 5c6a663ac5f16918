"""Why a restore could not go on, in sentences: one that names machines and places, one for members."""

from __future__ import annotations

from backup.keeper.trouble import Setback, setback_of
from control_plane.drivers.objects import ObjectStoreError
from control_plane.drivers.protocol import DriverError
from control_plane.model.backup.work import Trouble

_DISKS = Trouble("Its disks could not be written just now.", "現在、ディスクに書き込めません。")
_STORE = Trouble(
    "No repository that holds the point could be read just now.",
    "現在、復元ポイントを保管しているリポジトリを読み取れません。",
)


def setback_of_restore(error: BaseException) -> Setback:
    match error:
        case DriverError():
            said = Trouble(str(error), f"ディスクに書き込めませんでした({error})。")
            return Setback(said, _DISKS)
        case ObjectStoreError():
            said = Trouble(str(error), f"リポジトリを読み取れませんでした({error})。")
            return Setback(said, _STORE)
        case OSError():
            said = Trouble(str(error), f"ファイルに書き込めませんでした({error})。")
            return Setback(said, _DISKS)
        case _:
            return setback_of(error)
