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
    "The key pair whose public key opens it, by id or name.": "公開鍵を入れるキーペア(ID または名前)",
}
