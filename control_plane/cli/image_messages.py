"""What `yui image` says of members' own images, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

NAME = _M("NAME", "名前")
OWNER = _M("OWNER", "所有")
CATALOGUE = _M("catalogue", "共同カタログ")
PRIVATE_TO = _M("{owner} alone", "{owner}(非公開)")
SHARED_BY = _M("{owner}, shared", "{owner}(共有)")
KEPT_UNTIL = _M("KEPT UNTIL", "保管期限")
UPLOAD_GOES_ON = _M(
    "What has come is kept: run the same command again to go on.",
    "届いた分は保管されています。同じコマンドをもう一度実行すると続きから送ります。",
)
GIVEN_UP = _M("The upload of {name} was given up.", "{name} のアップロードを取りやめました。")
DELETED = _M("Image {image} was deleted.", "イメージ {image} を削除しました。")
SHARED = _M(
    "All members can use image {image} now.", "イメージ {image} をすべての団体と共有しました。"
)
NOT_SHARED = _M(
    "The member that brought image {image} alone can use it now.",
    "イメージ {image} の共有をやめました。登録した団体だけが使えます。",
)
USAGE = _M(
    "Member {member} keeps {used} GiB of images and may keep {quota} GiB.",
    "参加団体 {member} のイメージは {used} GiB です(上限 {quota} GiB)。",
)
FILE_EXISTS = _M(
    "{path} is there already: name a new file.",
    "{path} はすでにあります。新しいファイル名を指定してください。",
)
DOWNLOAD_GOES_ON = _M(
    "What has come is kept beside the file: run the same command again to go on.",
    "届いた分は保管されています。同じコマンドをもう一度実行すると続きから受け取ります。",
)
NOT_KEPT = _M(
    "{path} can't be written ({reason}): choose another place, or make room.",
    "{path} に書き込めません({reason})。別の場所を指定するか、空きを確保してください。",
)
SPOILED = _M(
    "The file did not arrive as it was kept, so it was thrown away: fetch it again.",
    "ファイルが正しく届かなかったため破棄しました。もう一度取得してください。",
)
DOWNLOADED = _M("Image {image} is in {path}.", "イメージ {image} を {path} に保存しました。")
PROPERTIES = _M("PROPERTIES", "プロパティー")
