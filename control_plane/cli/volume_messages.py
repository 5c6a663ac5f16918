"""What `yui volume` and `yui snapshot` say, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

NO_VOLUMES = _M("There are no volumes.", "ボリュームはありません。")
NO_SNAPSHOTS = _M("There are no snapshots.", "スナップショットはありません。")
VOLUME = _M("VOLUME", "ボリューム")
SNAPSHOT = _M("SNAPSHOT", "スナップショット")
NAME = _M("NAME", "名前")
SIZE = _M("GiB", "GiB")
STATUS = _M("STATUS", "状態")
SERVER = _M("SERVER", "サーバー")
DEVICE = _M("DEVICE IN THE GUEST", "ゲスト内のデバイス")
PROTECTED = _M("PROTECTED", "削除保護")
MADE = _M("MADE", "作成日時")
TAKEN = _M("TAKEN", "取得日時")
CONSISTENCY = _M("CONSISTENCY", "整合性")
DISKS = _M("DISKS", "ディスク")
VOLUME_DELETE_ASK = _M(
    "Delete volume {volume} and all that is on it?",
    "ボリューム {volume} とその内容をすべて削除しますか?",
)
SNAPSHOT_DELETE_ASK = _M(
    "Delete snapshot {snapshot}? Its server and volumes stay as they are.",
    "スナップショット {snapshot} を削除しますか?サーバーとボリュームはそのまま残ります。",
)
RESTORE_ASK = _M(
    "Make the disks of {server} what they were at {at}? All that was written since then is lost.",
    "{server} のディスクを {at} の状態に戻しますか?それ以降に書き込まれた内容はすべて失われます。",
)
VOLUME_PROTECTED = _M(
    "{volume} is protected against being deleted.", "{volume} を削除から保護しました。"
)
VOLUME_UNPROTECTED = _M("{volume} may be deleted.", "{volume} の削除保護を解除しました。")
VOLUME_DESCRIBED = _M("{volume} is described anew.", "{volume} の名前や説明を変更しました。")
NOT_ATTACHED = _M(
    "Volume '{volume}' is attached to no server.",
    "ボリューム「{volume}」はどのサーバーにも接続されていません。",
)
