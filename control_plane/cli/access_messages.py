"""What `yui` says about people, programs and emergencies, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

SUBJECT_THERE = _M("SUBJECT", "サブジェクト")
EMAIL = _M("E-MAIL", "メール")
DISABLED = _M("DISABLED", "無効")
SCOPES = _M("MAY", "権限")
LAST_USED = _M("LAST USED", "最終利用")
REASON = _M("REASON", "理由")
OPENED_BY = _M("OPENED BY", "開いた人")
KIND_OF_ASKER = _M("SIGNED IN AS", "種別")

NO_USERS = _M("There are no users.", "利用者はいません。")
USER_ADDED = _M("{name} may sign in now; the user is {id}.", "{name} さんがログインできるようになりました(利用者 {id})。")  # fmt: skip
USER_CHANGED = _M("The user {id} is changed.", "利用者 {id} を変更しました。")
USER_REMOVED = _M("The user {id} is deleted.", "利用者 {id} を削除しました。")
ACCOUNT_ADDED = _M(
    "The service account is {id}; issue a token with `yui account token {id}`.",
    "サービスアカウント {id} を登録しました。`yui account token {id}` でトークンを発行してください。",
)
ACCOUNT_REMOVED = _M(
    "The service account {id} and its tokens are deleted.",
    "サービスアカウント {id} とそのトークンを削除しました。",
)
BREAK_GLASS_OPENED = _M(
    "Break-glass {id} is open until {until}. The member concerned and all operators have been told. Use it with: export YUI_BREAK_GLASS={id}",
    "非常時アクセス {id} を {until} まで開きました。該当する団体と運用担当者全員に通知しました。使うには: export YUI_BREAK_GLASS={id}",
)
BREAK_GLASS_CLOSED = _M("Break-glass {id} is closed.", "非常時アクセス {id} を閉じました。")

SIGN_IN_AT = _M(
    "Open {address} in a browser and enter the code {code}. Waiting…",
    "ブラウザーで {address} を開き、コード {code} を入力してください。待っています…",
)
SIGNED_IN = _M(
    "You are signed in; the token is kept in {path}.", "ログインしました。トークンは {path} に保存しました。"
)  # fmt: skip
SIGNED_OUT = _M("The token was deleted from this machine.", "この端末からトークンを削除しました。")
NOT_SIGNED_IN = _M("You were not signed in.", "ログインしていません。")
ISSUER = _M("PROVIDER", "プロバイダー")
USER_REMOVE_ASK = _M("Delete the user {id}?", "利用者 {id} を削除しますか")
ACCOUNT_REMOVE_ASK = _M(
    "Delete the service account {id} and all of its tokens?",
    "サービスアカウント {id} とそのトークンをすべて削除しますか",
)
