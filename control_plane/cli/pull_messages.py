"""What `yui backup pull` says, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

AT_MEMBER = _M("AT THE MEMBER", "団体の手元")
NOTHING = _M(
    "There is no whole recovery point to copy yet: `yui backup status` says how far backups are.",
    "コピーできる復元ポイントがまだありません。`yui backup status` で状況を確認してください。",
)
WITHOUT = _M(
    "No recovery point yet, so not in this copy: {systems}",
    "復元ポイントがまだなく、このコピーに含まれません: {systems}",
)
BEING_LISTED = _M(
    "What the copy consists of is being found; with much data that takes minutes.",
    "コピーの内容を調べています。データが多いと数分かかります。",
)
FETCHED = _M(
    "Fetched {count} objects ({amount} MB); {there} were here already. {points} recovery points are whole in {folder}.",
    "オブジェクト {count} 件({amount} MB)を取得しました({there} 件は取得済み)。{folder} に復元ポイント {points} 件が完全な形であります。",
)
PRUNED = _M(
    "Removed {count} objects that this copy does not need.",
    "このコピーに不要なオブジェクト {count} 件を削除しました。",
)
PRUNE_ASK = _M(
    "Remove {count} older or other recovery points of servers from {folder}?",
    "{folder} から、古い、または対象外のサーバー復元ポイント {count} 件を削除しますか?",
)
NOT_PRUNED = _M("Nothing was removed.", "何も削除していません。")
ESCROW_HERE = _M(
    "The escrow file is there too (escrow.json). It opens with the private half of your key, and with nothing else.",
    "預託ファイル(escrow.json)も保存しました。開けるのは手元の秘密鍵だけです。",
)
ESCROW_OLD = _M(
    "The keys were changed after that escrow file was made. Have a new one made: yui backup-key escrow {code} --recipient PUBLIC-KEY --reason …",
    "預託ファイルの作成後に鍵が更新されています。新しいものを依頼してください: yui backup-key escrow {code} --recipient 公開鍵 --reason …",
)
ESCROW_NONE = _M(
    "Without an escrow file nobody can read this copy. Have one made, and pull again: yui backup-key escrow {code} --recipient PUBLIC-KEY --reason …",
    "預託ファイルがないと、このコピーは読めません。依頼してから再度取得してください: yui backup-key escrow {code} --recipient 公開鍵 --reason …",
)
HOW = _M(
    "To see what is in it, and to read it without Yui (README.txt says more):",
    "内容の確認と、Yui なしでの復元(詳しくは README.txt):",
)

README = _M(
    """\
This is {code}'s own copy of its backups. It can be read on any machine, without Yui and without the network.

Needed: Python 3.9 or newer with python3-cryptography and python3-zstandard (python3-blake3 makes it faster),
this folder, escrow.json, and the private half of the key that escrow.json was sealed for. Keep that half apart.

    python3 yui_restore.py list .
    python3 yui_restore.py check . --escrow escrow.json --private-key KEY-FILE
    python3 yui_restore.py restore . POINT --to DIRECTORY --escrow escrow.json --private-key KEY-FILE --format qcow2

What this copy holds (recovery point of the system, then of its servers):
{points}
""",
    """\
このフォルダーは、団体 {code} 自身のバックアップのコピーです。Yui やネットワークがなくても、どのコンピューターでも読めます。

必要なもの: Python 3.9 以降と python3-cryptography、python3-zstandard(python3-blake3 があると速くなります)、
このフォルダー、escrow.json、escrow.json の宛先となった鍵の秘密鍵。秘密鍵は別の場所に保管してください。

    python3 yui_restore.py list .
    python3 yui_restore.py check . --escrow escrow.json --private-key 秘密鍵ファイル
    python3 yui_restore.py restore . 復元ポイント --to 復元先 --escrow escrow.json --private-key 秘密鍵ファイル --format qcow2

このコピーの内容(システムの復元ポイントと、そのサーバーごとの復元ポイント):
{points}
""",
)
