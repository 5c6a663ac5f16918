"""What `yui server` and `yui system` say of making, changing and removing, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

ADDED = _M("added", "追加")
REMOVED = _M("removed", "削除")
REPLACED = _M("{before} → {to}", "{before} → {to}")
CHANGE = _M("CHANGE", "変更")
WHAT = _M("WHAT", "対象")
NOTHING_CHANGES = _M("Nothing would change.", "変更はありません。")
COST = _M(
    "Capacity: {vcpus} vCPU, {memory} GiB of memory, {disk} GiB of disk.",
    "容量: vCPU {vcpus}、メモリ {memory} GiB、ディスク {disk} GiB",
)
PROMISE_HOLDS = _M(
    "Certificate: valid; {count} refuges change; kept free for failures: {before} → {after} hosts.",
    "証明書: 有効(避難先の変更 {count} 件、障害用に空けておく容量: ホスト {before} → {after} 台分)",
)
PROMISE_BROKEN = _M(
    "Certificate: the region's promise does not hold at the moment: see 'yui certificate check'.",
    "証明書: リージョンの保証が現在成り立っていません。「yui certificate check」で確認してください。",
)
ASKED = _M("Asked for: operation {operation}.", "受け付けました(操作 {operation})。")
ALL_DONE = _M("Done.", "完了しました。")
GOES_ON = _M(
    "It goes on by itself: 'yui operation show {operation}' tells how far it is.",
    "処理は続いています。「yui operation show {operation}」で進み具合を確認できます。",
)
SERVER_DELETE_ASK = _M(
    "Delete server {server} and all that is on its disk?",
    "サーバー {server} とそのディスクの内容をすべて削除しますか?",
)
SYSTEM_DELETE_ASK = _M(
    "Delete system {system} with all its servers and their disks?",
    "システム {system} とそのサーバー・ディスクをすべて削除しますか?",
)
REBUILD_ASK = _M(
    "All that is on the disk of {server} will be lost. Type its name ({name}) to go on",
    "{server} のディスクの内容はすべて失われます。続けるにはサーバー名({name})を入力してください",
)
REBUILD_NAME_WRONG = _M(
    "That is not the name of {server}: nothing was changed.",
    "{server} の名前と一致しないため、何も変更していません。",
)
PROTECTED = _M("{server} is protected against being deleted.", "{server} を削除から保護しました。")
UNPROTECTED = _M("{server} may be deleted.", "{server} の削除保護を解除しました。")
USER_DATA_UNREADABLE = _M(
    "The file {path} can't be read as text: {reason}.",
    "ファイル {path} をテキストとして読めません({reason})。",
)
SERVERS = _M("SERVERS", "サーバー数")
BLUEPRINT = _M("BLUEPRINT", "ブループリント")
