"""The help texts of `yui network`, `yui security-group` and `yui binding` in Japanese, by their English."""

from __future__ import annotations

from collections.abc import Mapping

HELP_NETWORKS_JA: Mapping[str, str] = {
    # Networks
    "Members' networks: one for each zone.": "参加団体のネットワーク(ゾーンごとに一つ)",
    "List networks, with their offices and whether hosts have made them so.": "ネットワークを、庁内ネットワークとホストへの反映状況とともに一覧します。",
    "Show one network.": "ネットワークを一つ表示します。",
    "The network's id.": "ネットワークの ID",
    "Have the network of a zone ahead of its first server, with addresses of its own.": "最初のサーバーより先に、ゾーンのネットワークとアドレスを用意します。",
    "mynumber, lgwan or internet.": "mynumber、lgwan、internet のいずれか",
    "What the network is to be called.": "ネットワークの名前",
    "Which region; without it the one that serves you.": "リージョン(省略時は団体を担当するリージョン)",
    "Give a network another name.": "ネットワークの名前を変更します。",
    "Give back a network that no server is in, with its addresses and offices.": "サーバーのないネットワークを、アドレスと庁内ネットワークの設定とともに削除します。",
    "Declare which of your offices' networks may reach this one; those named take the place of all before.": "接続できる庁内ネットワークを設定します。以前の設定はすべて置き換えられます。",
    "An office's own network, such as 10.20.0.0/16. None: no office reaches it.": "庁内ネットワーク(例: 10.20.0.0/16)。指定しない場合は、どこからも接続できません。",
    "List which hosts have made their networks as planned.": "ネットワークの計画を反映済みのホストを一覧します。",
    # Security groups
    "Security groups: which conversations may begin with servers.": "セキュリティグループ(サーバーとの通信の許可)",
    "List security groups with their rules.": "セキュリティグループをルールとともに一覧します。",
    "Show one security group.": "セキュリティグループを一つ表示します。",
    "The group's id, or its name.": "グループの ID または名前",
    "Make a security group.": "セキュリティグループを作成します。",
    "What the group is to be called.": "グループの名前",
    "What may begin, such as 'in tcp/443 offices # portal' or 'out any'; may be repeated.": "許可する通信(例: 'in tcp/443 offices # ポータル'、'out any')。繰り返し指定できます。",
    "What the group is for.": "グループの用途",
    "Give a security group these rules in place of those it has.": "セキュリティグループのルールを置き換えます。",
    "A new name.": "新しい名前",
    "Remove a security group that nothing uses.": "使われていないセキュリティグループを削除します。",
    "Have a server in these groups and in no other.": "サーバーのセキュリティグループを、指定したものだけにします。",
    "The server's id, or its name.": "サーバーの ID または名前",
    "Groups, by id or name.": "グループ(ID または名前)",
    # Bindings
    "Bindings: services that members offer each other.": "団体間のサービス公開",
    "List the bindings that concern you.": "関係するサービス公開を一覧します。",
    "Only those that are so: requested, approved, refused or revoked.": "この状態のものだけ(requested、approved、refused、revoked)",
    "Show one binding.": "サービス公開を一つ表示します。",
    "The binding's id.": "サービス公開の ID",
    "Offer a service of your servers to another member; an approver decides.": "自団体のサーバーのサービスを別の団体に公開する申請をします。承認者が判断します。",
    "What the service is called.": "サービスの名前",
    "The member that is to use it (municipality code).": "利用する団体(団体コード)",
    "A server that offers it, by id or name; may be repeated.": "提供するサーバー(ID または名前)。繰り返し指定できます。",
    "The port that it is offered at.": "提供するポート番号",
    "tcp or udp.": "tcp または udp",
    "Why, in one sentence.": "理由を一文で。",
    "Let a binding pass. Whoever asked can't approve it.": "サービス公開を承認します。申請者本人は承認できません。",
    "Do not let a binding pass.": "サービス公開を却下します。",
    "End a binding, or take its request back.": "サービス公開を終了するか、申請を取り下げます。",
}
