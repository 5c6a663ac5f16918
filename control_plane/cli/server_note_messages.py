"""What `yui server rename`, `notes` and `note` say, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

MADE = _M("MADE", "作成日時")
MADE_BY = _M("MADE BY", "作成者")
DESCRIPTION = _M("DESCRIPTION", "説明")
LABELS = _M("LABELS", "ラベル")
TAGS = _M("TAGS", "タグ")
SITES = _M("ONLY AT", "配置先の限定")
RENAMED = _M(
    "Server {server} is now called {name}.", "サーバー {server} の名前を {name} にしました。"
)
LABEL_UNCLEAR = _M(
    "A label is written KEY=VALUE, and KEY= takes it off.",
    "ラベルは KEY=VALUE の形で指定してください。KEY= とすると削除します。",
)
