"""The help texts in Japanese of what members do with images of their own."""

from __future__ import annotations

from collections.abc import Mapping

HELP_IMAGES_JA: Mapping[str, str] = {
    "Bring an image of your own, which nobody else sees. Run it again where it broke off.": "自団体のイメージを登録します。ほかの団体からは見えません。途中で切れたら、もう一度実行すると続きから送ります。",
    "The disk image on this machine: qcow2 or raw.": "このマシンにあるディスクイメージ(qcow2 または raw)",
    "List the uploads under way.": "途中のアップロードを一覧します。",
    "Give an upload up, and all that has come of it.": "アップロードを取りやめ、届いた分を消します。",
    "The upload's id.": "アップロードの ID",
    "Delete an image that you brought, with its file.": "自団体のイメージを、ファイルとともに削除します。",
    "Let all members use an image that one of them brought.": "ある団体が登録したイメージを、すべての団体で使えるようにします。",
    "Let the member that brought it alone use it again.": "登録した団体だけが使えるように戻します。",
    "Show how much of images a member keeps and may keep, or set it.": "団体が保管しているイメージの量と上限を表示、または設定します。",
    "The municipality code.": "団体コード",
    "Let the member keep so many GiB of images.": "イメージの上限(GiB)",
    "The server's name or id.": "サーバーの名前または ID",
    "What the image is to be called.": "イメージの名前",
    "Its version; the day where it is left out.": "版。省略すると今日の日付",
    "KEY=VALUE to be said of the image, or KEY= to say it no longer; may be repeated.": "イメージのプロパティー(KEY=VALUE)。KEY= とすると取り除きます。繰り返し指定できます。",
    "Make an image of your own out of a server's disk as it is now, whether it runs or not.": "サーバーの現在のディスクから自団体のイメージを作成します。稼働中でもかまいません。",
    "Call an image that you brought something else, or say more of it.": "自団体のイメージの名前やプロパティーを変更します。",
    "Take the file of an image that you brought home. Run it again where it broke off.": "自団体のイメージのファイルを受け取ります。途中で切れたら、もう一度実行すると続きから受け取ります。",
    "The new file on this machine.": "保存先の新しいファイル",
}
