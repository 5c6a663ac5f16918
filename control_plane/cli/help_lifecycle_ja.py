"""The help texts in Japanese of what makes, changes and removes servers and systems."""

from __future__ import annotations

from collections.abc import Mapping

HELP_LIFECYCLE_JA: Mapping[str, str] = {
    "What the server is to be called.": "サーバーの名前",
    "The system it belongs to, by its id.": "所属するシステムの ID",
    "Its size: one of the pool's flavors.": "サイズ(プールのフレーバー名)",
    "The image that its disk is made from.": "ディスクの元になるイメージ",
    "What it does in its system. Without it: its name.": "システム内での役割。省略すると名前と同じです。",
    "How many: they are called NAME-1, NAME-2 and so on.": "台数。名前は NAME-1、NAME-2 のようになります。",
    "Servers of one system with the same word here never share a host.": "同じシステムで同じ語を指定したサーバーは、同じホストに置かれません。",
    "Within its system, lower numbers start first.": "システム内での起動順。小さいものから起動します。",
    "A file for cloud-init, 64 KiB at most. It must hold no secret.": "cloud-init 用のファイル(64 KiB まで)。秘密情報を入れないでください。",
    "Protect it against being deleted.": "削除から保護します。",
    "Make one server or several alike: all of them, or none.": "サーバーを1台、または同じものを複数台作ります。全台か、1台も作らないかのどちらかです。",
    "Delete a server with its disk, after asking.": "確認のうえ、サーバーとそのディスクを削除します。",
    "Cut its power instead of asking its guest to stop.": "ゲストに停止を求めず、電源を切ります。",
    "Stop a running server and start it again.": "稼働中のサーバーを再起動します。",
    "Its new size.": "新しいサイズ",
    "Give a server another flavor; its disk can only grow.": "サーバーのフレーバーを変更します。ディスクは縮小できません。",
    "Stop a server and give its room back; its disk and its address are kept.": "サーバーを休止し、容量を返却します。ディスクとアドレスは保持します。",
    "Find a shelved server room again, and start it.": "休止中のサーバーの容量を確保し直し、起動します。",
    "The image of its new disk.": "新しいディスクの元になるイメージ",
    "The server's name, for programs; a person is asked for it.": "サーバー名(プログラム用)。人が実行するときは入力を求めます。",
    "Give a server a new disk made from an image: all that is on the old one is lost.": "サーバーのディスクをイメージから作り直します。元の内容はすべて失われます。",
    "Take the protection off.": "保護を解除します。",
    "Protect a server against being deleted.": "サーバーを削除から保護します。",
    "The system's id.": "システムの ID",
    "Show one system.": "システムを1つ表示します。",
    "A blueprint of the catalogue, with all its servers.": "カタログのブループリント(サーバーを含む)",
    "The name of a system of your own, without servers yet.": "独自のシステムの名前(サーバーは後から追加します)",
    "Its zone: mynumber, lgwan or internet.": "ゾーン: mynumber、lgwan、internet のいずれか",
    "When it comes back after a failure, 1 first.": "障害後に復旧する順番(1 が最初)",
    "For which member (municipality code), for operators.": "対象の団体(団体コード)。運用担当者用です。",
    "In which region. Without it: the one that serves the member.": "リージョン。省略すると、その団体を担当するリージョンです。",
    "Add a system to a member: from a blueprint, or one of its own.": "団体にシステムを追加します。ブループリントから、または独自のシステムです。",
    "Delete a system with all its servers and their disks, after asking.": "確認のうえ、システムとそのサーバー・ディスクをすべて削除します。",
}
