"""What `yui keypair` and `yui server-group` say, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

FINGERPRINT = _M("FINGERPRINT (MD5)", "フィンガープリント(MD5)")
PUBLIC_KEY = _M("PUBLIC KEY", "公開鍵")
MADE = _M("MADE", "作成日時")
MADE_BY = _M("MADE BY", "作成者")
NO_KEYPAIRS = _M("There is no key pair.", "キーペアはありません。")
KEYPAIR_ADDED = _M("Key pair {keypair} is added.", "キーペア {keypair} を登録しました。")
KEYPAIR_MADE = _M(
    "Key pair {keypair} is made. Its private key is in {file} and nowhere else.",
    "キーペア {keypair} を作成しました。秘密鍵は {file} だけにあります。",
)
KEYPAIR_REMOVED = _M("Key pair {keypair} is removed.", "キーペア {keypair} を削除しました。")
KEYPAIR_REMOVE_ASK = _M(
    "Remove key pair {keypair}? Servers that were made with it keep the key.",
    "キーペア {keypair} を削除しますか?この鍵で作成済みのサーバーには鍵が残ります。",
)
KEYPAIR_ONE_OF = _M(
    "It is not clear which key: name its file with --public-key, or have one made with --make.",
    "鍵が指定されていません。--public-key で公開鍵のファイルを指定するか、--make で作成してください。",
)
KEY_FILE_UNREADABLE = _M(
    "{file} can't be read ({reason}): name the file of a public key, such as id_ed25519.pub.",
    "{file} を読めません({reason})。id_ed25519.pub などの公開鍵のファイルを指定してください。",
)
KEYPAIR = _M("KEY PAIR", "キーペア")
GROUP = _M("SERVER GROUP", "サーバーグループ")
RESIZE_OPEN = _M("CAN BE TAKEN BACK UNTIL", "サイズ変更の取り消し期限")
SERVERS = _M("SERVERS", "サーバー")
NO_GROUPS = _M("There is no server group.", "サーバーグループはありません。")
GROUP_MADE = _M(
    "Server group {group} is made. Put new servers into it with `yui server create --server-group {group}`.",
    "サーバーグループ {group} を作成しました。`yui server create --server-group {group}` で新しいサーバーを入れられます。",
)
GROUP_REMOVED = _M("Server group {group} is removed.", "サーバーグループ {group} を削除しました。")
GROUP_REMOVE_ASK = _M(
    "Remove server group {group}? Its servers stay, and may share a host from then on.",
    "サーバーグループ {group} を削除しますか?サーバーは残り、以後は同じホストに置かれることがあります。",
)
RESIZE_CONFIRMED = _M(
    "Server {server} keeps flavor {flavor}.",
    "サーバー {server} のフレーバーを {flavor} で確定しました。",
)
