"""What `yui audit` says by itself, in both languages side by side."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

# Heads of columns
ACTION = _M("ACTION", "操作")
BY = _M("BY", "実行者")
CHAIN = _M("CHAIN", "チェーン")
HASH = _M("HASH", "ハッシュ")
KEY = _M("KEY", "鍵")
NUMBER = _M("NO.", "番号")
OUTCOME = _M("OUTCOME", "結果")

# Sentences
EXPORTED = _M("The audit trail is in {path} ({lines} lines).", "監査記録を {path} に書き出しました({lines} 行)。")  # fmt: skip
WHOLE = _M("The audit trail is as it was written (entries: {entries}, chains: {chains}).", "監査記録は書かれたときのままです({entries} 件、チェーン {chains} 本)。")  # fmt: skip
EDITED = _M("The audit trail is not as it was written.", "監査記録は書かれたときのままではありません。")  # fmt: skip
MORE = _M("And {more} more places of these kinds.", "同様の箇所がほかに {more} 件あります。")
NOTE = _M("Note: {text}", "注意: {text}")
SIGNING = _M("The audit trail is signed with the key {key} (in {path}).", "監査記録には鍵 {key} で署名します({path})。")  # fmt: skip
NOT_SIGNING = _M("The audit trail is not signed, since no key is named: use --audit-key.", "署名鍵の指定がないため、監査記録に署名しません。--audit-key で指定してください。")  # fmt: skip
NO_HEADS = _M("Nothing is signed yet.", "署名はまだありません。")
