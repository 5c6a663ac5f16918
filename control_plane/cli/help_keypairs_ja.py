"""The help texts of `yui keypair` and `yui server-group` in Japanese, by their English."""

from __future__ import annotations

from collections.abc import Mapping

HELP_KEYPAIRS_JA: Mapping[str, str] = {
    "Key pairs: who gets into new servers, by their public keys.": "キーペア(新しいサーバーに入るための公開鍵)",
    "The key pair's id, or its name.": "キーペアの ID または名前",
    "What it is to be called.": "名前",
    "The file of its public half, such as id_ed25519.pub.": "公開鍵のファイル(例: id_ed25519.pub)",
    "Have a key made, and write its private half to this new file.": "鍵を作成し、秘密鍵をこの新しいファイルに書き込みます。",
    "Add a public key, or have a key made.": "公開鍵を登録するか、鍵を作成します。",
    "List key pairs.": "キーペアを一覧します。",
    "Show one key pair with its public key.": "キーペアを公開鍵とともに表示します。",
    "Remove a key pair; servers that were made with it keep the key.": "キーペアを削除します。この鍵で作成済みのサーバーには鍵が残ります。",
    "Server groups: servers that never share a host.": "サーバーグループ(同じホストに置かないサーバー)",
    "The server group's id, or its name.": "サーバーグループの ID または名前",
    "Make a server group; servers are put into it when they are made.": "サーバーグループを作成します。サーバーは作成時にグループに入れます。",
    "List server groups with their servers.": "サーバーグループをサーバーとともに一覧します。",
    "Show one server group.": "サーバーグループを一つ表示します。",
    "Remove a server group; its servers stay, and may share a host from then on.": "サーバーグループを削除します。サーバーは残り、以後は同じホストに置かれることがあります。",
    "The server group it belongs to, by id or name; in place of --apart.": "所属するサーバーグループ(ID または名前)。--apart の代わりに指定します。",
    "Be able to take it back for 24 hours, until it is confirmed.": "確定するまでの24時間、取り消せるようにします。",
    "Keep the size that a server was given with --to-confirm.": "--to-confirm で変更したサイズを確定します。",
    "Give a server its size from before back; a disk that has grown stays so.": "サーバーのサイズを元に戻します。大きくなったディスクはそのままです。",
    "The key pair whose public key opens it, by id or name.": "公開鍵を入れるキーペア(ID または名前)",
}
