"""What `yui network`, `yui security-group` and `yui binding` say, in both languages side by side."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

# Heads of columns
ADDRESSES = _M("ADDRESSES", "アドレス")
OFFICES = _M("OFFICES", "庁内ネットワーク")
IN_EFFECT = _M("ON HOSTS", "ホストへの反映")
PLANNED = _M("PLANNED", "計画")
APPLIED = _M("MADE SO", "反映済みの計画")
SEGMENT = _M("SEGMENT", "セグメント")
RULES = _M("RULES", "ルール")
FOR = _M("FOR", "用途")
GROUPS = _M("SECURITY GROUPS", "セキュリティグループ")
PROVIDER = _M("PROVIDER", "提供団体")
CONSUMER = _M("CONSUMER", "利用団体")
SERVICE = _M("SERVICE", "サービス")
REASON = _M("REASON", "理由")

# What stands in place of something
SHARED = _M("the site's shared network", "サイトの共有ネットワーク")

# Sentences
NO_NETWORKS = _M(
    "There is no network yet: each zone gets one with its first server, or before with `yui network create ZONE`.",
    "ネットワークはまだありません。ゾーンに最初のサーバーを作成したとき、または `yui network create ZONE` で用意されます。",
)
NO_BINDINGS = _M("There is no binding.", "サービス公開はありません。")
NETWORK_MADE = _M("Network {network} is made.", "ネットワーク {network} を作成しました。")
NETWORK_RENAMED = _M(
    "Network {network} is called {name} now.",
    "ネットワーク {network} の名前を {name} にしました。",
)
NETWORK_REMOVED = _M("Network {network} is removed.", "ネットワーク {network} を削除しました。")
NETWORK_REMOVE_ASK = _M(
    "Remove network {network}, its addresses and the offices that were declared for it?",
    "ネットワーク {network} を、アドレスと庁内ネットワークの設定とともに削除しますか?",
)
OFFICES_SET = _M(
    "Declared. Hosts make it so within a minute; `yui network show {network}` says when.",
    "設定しました。1分ほどでホストに反映されます。`yui network show {network}` で確認できます。",
)
GROUP_MADE = _M("Security group {group} is made.", "セキュリティグループ {group} を作成しました。")
GROUP_SET = _M(
    "Security group {group} has these rules now.",
    "セキュリティグループ {group} のルールを設定しました。",
)
GROUP_REMOVED = _M(
    "Security group {group} is removed.", "セキュリティグループ {group} を削除しました。"
)
GROUP_REMOVE_ASK = _M(
    "Remove security group {group}?", "セキュリティグループ {group} を削除しますか?"
)
GROUPS_ASSIGNED = _M(
    "Server {server} is in: {groups}.",
    "サーバー {server} のセキュリティグループを {groups} にしました。",
)
REQUESTED = _M(
    "Asked for, as {binding}. An approver decides; nothing passes before.",
    "{binding} として申請しました。承認されるまで通信はできません。",
)
APPROVED = _M(
    "Binding {binding} is approved. Hosts let it pass within a minute; `yui binding show {binding}` says when.",
    "サービス公開 {binding} を承認しました。1分ほどでホストに反映されます。`yui binding show {binding}` で確認できます。",
)
REFUSED = _M("Binding {binding} is refused.", "サービス公開 {binding} を却下しました。")
REVOKED = _M(
    "Binding {binding} is revoked. Hosts stop it within a minute; `yui binding show {binding}` says when.",
    "サービス公開 {binding} を取り消しました。1分ほどで通信が止まります。`yui binding show {binding}` で確認できます。",
)
REVOKE_ASK = _M(
    "Revoke binding {binding}? Whoever uses the service is cut off.",
    "サービス公開 {binding} を取り消しますか? 利用中の通信は切断されます。",
)
RULE_WRONG = _M(
    "'{rule}' is no rule: write it like 'in tcp/443 offices', 'in any default', 'out any' or 'in tcp/8000-8010 10.20.0.0/16'.",
    "「{rule}」はルールとして読めません。「in tcp/443 offices」「in any default」「out any」「in tcp/8000-8010 10.20.0.0/16」のように書いてください。",
)
