"""The help texts in Japanese of what members call their servers and write down of them, by their English."""

from __future__ import annotations

from collections.abc import Mapping

HELP_SERVER_NOTES_JA: Mapping[str, str] = {
    "Give a server another name; its guest learns of it when it is next started.": "サーバーの名前を変更します。ゲストには次回の起動時に伝わります。",
    "Show who made a server and when, and what is written down of it.": "サーバーの作成者・作成日時と、説明・ラベル・タグを表示します。",
    "Write down what a server is for; it must hold no secret.": "サーバーの説明・ラベル・タグを書き込みます。秘密の情報は書かないでください。",
    "What it is for, in a sentence.": "用途の説明(1文)",
    "KEY=VALUE to be added, or KEY= to be taken off; may be repeated.": "追加するラベル(KEY=VALUE)。KEY= とすると削除します。繰り返し指定できます。",
    "A tag to be added; may be repeated.": "追加するタグ。繰り返し指定できます。",
    "A tag to be taken off; may be repeated.": "外すタグ。繰り返し指定できます。",
    "The site that it must be at; without it any of the region.": "配置するサイト(省略時はリージョン内のどこか)",
    "A security group by its id; may be repeated. Without any: the default one.": "セキュリティグループの ID。繰り返し指定できます。省略時は既定のグループです。",
}
