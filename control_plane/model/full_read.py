"""Why a disk is read whole for a backup although an earlier one of it exists: the word that is kept of
it, and the sentences that people read."""

from __future__ import annotations

from enum import StrEnum


class WhyFull(StrEnum):
    """What the hypervisor has kept of a disk's changes is believed only without any doubt."""

    FIRST = "first"
    UNKNOWN_HERE = "unknown-here"
    NEW_DISK = "new-disk"
    MADE_ANEW = "made-anew"
    RESIZED = "resized"
    TRACKING_LOST = "tracking-lost"
    DOUBTFUL = "doubtful"

    @property
    def en(self) -> str:
        return _SENTENCES[self][0]

    @property
    def ja(self) -> str:
        return _SENTENCES[self][1]


_SENTENCES = {
    WhyFull.FIRST: (
        "No earlier backup was named whose changes could be looked up, so the disk was read whole.",
        "差分の基準になる以前のバックアップがないため、ディスク全体を読み取りました。",
    ),
    WhyFull.UNKNOWN_HERE: (
        "This host has not kept track since the last backup, because the server was moved here or defined here anew, so the disk was read whole.",
        "サーバーがこのホストへ移動したか、あらためて定義されたため、前回のバックアップからの変更の記録がありません。ディスク全体を読み取りました。",
    ),
    WhyFull.NEW_DISK: (
        "The disk was given to the server after the last backup, so it was read whole.",
        "前回のバックアップより後に追加されたディスクのため、全体を読み取りました。",
    ),
    WhyFull.MADE_ANEW: (
        "The disk was rebuilt or restored after the last backup, so it was read whole.",
        "前回のバックアップより後に作り直されたか復元されたディスクのため、全体を読み取りました。",
    ),
    WhyFull.RESIZED: (
        "The disk's size has changed since the last backup, so it was read whole.",
        "前回のバックアップからディスクの容量が変わったため、全体を読み取りました。",
    ),
    WhyFull.TRACKING_LOST: (
        "What the hypervisor had kept of the disk's changes was lost or is incomplete, as after a crash, so the disk was read whole.",
        "異常停止などにより、ディスクの変更の記録が失われたか不完全なため、全体を読み取りました。",
    ),
    WhyFull.DOUBTFUL: (
        "The hypervisor could not vouch for what it had kept of the disk's changes, so the disk was read whole.",
        "ディスクの変更の記録が正しいとハイパーバイザーが保証できないため、全体を読み取りました。",
    ),
}
