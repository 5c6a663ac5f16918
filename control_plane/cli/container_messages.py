"""What `yui container-group` says, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

NAME = _M("NAME", "名前")
SYSTEM = _M("SYSTEM", "システム")
REPLICAS = _M("COPIES", "複製数")
SIZE = _M("SIZE", "大きさ")
CONTAINER = _M("CONTAINER", "コンテナー")
NO_GROUPS = _M("There are no container groups.", "コンテナーグループはありません。")
WAITS = _M(
    "The group is on record. It runs once the pool has a platform for containers; until then it holds no room, and counts against the quota.",
    "コンテナーグループを登録しました。コンテナーのプラットフォームが提供されるまでは動かず、資源も確保しませんが、クォータには数えます。",
)
SURE = _M("Delete container group {group}?", "コンテナーグループ {group} を削除しますか。")
DELETED = _M("Container group {group} was deleted.", "コンテナーグループ {group} を削除しました。")
