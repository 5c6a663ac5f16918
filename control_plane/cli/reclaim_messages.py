"""What `yui quota reclaim` and its like say by themselves, in both languages side by side."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

UNTIL = _M("UNTIL (UTC)", "期限(UTC)")
GIVE_BACK = _M("TO GIVE BACK", "返却分")
MAY_USE = _M("MAY USE THEN", "返却後の上限")
SERVERS = _M("ELSE SHELVED", "未返却時に休止")

NO_NOTICES = _M("No room is asked back.", "返却を求められている容量はありません。")
ASKED = _M(
    "{id}: the borrowers have been told; they have until {at} UTC.",
    "{id}: 借用中の団体に通知しました。期限は {at}(UTC)です。",
)
WOULD_END = _M(
    "They would have until {at} UTC. If nobody gave anything back:",
    "期限は {at}(UTC)になります。返却されない場合は次のとおりです。",
)
CARRY_OUT_ASK = _M(
    "Shelve the servers that {id} names and that are still needed?",
    "{id} の対象で、まだ返却されていないサーバーを休止しますか?",
)
CARRIED_OUT = _M(
    "{id}: what was not given back is being shelved.", "{id}: 未返却分のサーバーを休止します。"
)
WITHDRAWN = _M("{id}: withdrawn; borrowers keep what they have.", "{id}: 取り下げました。")
