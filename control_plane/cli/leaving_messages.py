"""What `yui member` says of leaving, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

FILE = _M("FILE", "ファイル")
BYTES = _M("BYTES", "バイト数")
STEP = _M("STEP", "段階")
OF = _M("OF", "対象")
DONE = _M("DONE", "進み")
ADMINS = _M("FIRST ADMINS", "最初の管理者")
ADMIN_INVALID = _M(
    "--admin-user takes NAME=SUBJECT or NAME=ADDRESS, such as 鈴木=suzuki@city.example.jp.",
    "--admin-user は 名前=サブジェクト または 名前=メールアドレス の形(例: 鈴木=suzuki@city.example.jp)で指定してください。",
)
QUOTA_INVALID = _M(
    "--quota takes three numbers, such as 40/80/500: vCPU, GiB of memory, GiB of disk.",
    "--quota は 40/80/500 のように、vCPU、メモリ GiB、ディスク GiB の3つの数で指定してください。",
)
LEAVE_ASKED = _M(
    "It is asked that {code} leaves. Where it takes two persons, an approver agrees with `yui member approve-leave {code}`.",
    "{code} の脱退を申請しました。二人での承認が必要な場合は、承認者が `yui member approve-leave {code}` を実行します。",
)
LEAVE_APPROVED = _M(
    "{name} ({code}) leaves: its servers are being stopped, then its disks and data are exported. Follow it with `yui member show {code}`.",
    "{name}({code})の脱退手続きを始めました。サーバーを停止し、ディスクとデータを書き出します。`yui member show {code}` で進みを確認できます。",
)
STAYS = _M("{name} ({code}) stays.", "{name}({code})は脱退しません。")
FETCHED = _M(
    "All {count} files are in {folder}, and each is as it was exported.",
    "{count} 件のファイルをすべて {folder} に取得し、検査しました。",
)
NO_DISK = _M(
    "{path} is not there: its server has no disk, because it was never started or lost it.",
    "{path} はありません。サーバーが一度も起動していないか、ディスクが失われています。",
)
CONFIRM_ASK = _M(
    "All disks, accounts and exports of {code} are removed for good. Go on?",
    "{code} のディスク、アカウント、書き出しをすべて完全に削除します。続けますか",
)
BEING_REMOVED = _M(
    "Everything of {name} ({code}) is being removed.", "{name}({code})のすべてを削除しています。"
)
STEPS = {
    "approved": _M("approved", "承認"),
    "built": _M("built", "構築"),
    "connected": _M("connected", "接続"),
    "hosted": _M("hosted", "稼働"),
    "stopped": _M("servers stopped", "サーバー停止"),
    "exported": _M("disk exported", "ディスク書き出し"),
    "described": _M("data exported", "データ書き出し"),
    "confirmed": _M("confirmed", "受領確認"),
    "removed": _M("servers removed", "サーバー削除"),
    "left": _M("left", "脱退完了"),
}
