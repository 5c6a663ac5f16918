"""The help texts in Japanese of volumes and snapshots."""

from __future__ import annotations

from collections.abc import Mapping

HELP_VOLUMES_JA: Mapping[str, str] = {
    "Volumes: disks apart from servers' own.": "ボリューム(サーバー本体とは別のディスク)",
    "List the volumes.": "ボリュームを一覧します。",
    "Show one volume.": "ボリュームを1つ表示します。",
    "The volume's name or id.": "ボリュームの名前または ID",
    "How large, in GiB. From a snapshot: as its disk, or larger.": "サイズ(GiB)。スナップショットから作る場合は、元のディスク以上のサイズ",
    "Attach it to this server once it is made.": "作成後、このサーバーに接続します。",
    "In which region, where you have systems in several.": "リージョン(複数のリージョンにシステムがある場合)",
    "Fill it from this snapshot.": "このスナップショットの内容で作成します。",
    "Which disk of the snapshot: a volume's id. Without it: the root disk.": "スナップショット内のどのディスクか(ボリュームの ID)。省略するとルートディスク",
    "Make a volume, empty or from a snapshot.": "ボリュームを作成します。空のもの、またはスナップショットから作れます。",
    "The server that is to have it.": "接続先のサーバー",
    "Give an available volume to a server, also while it runs.": "利用可能なボリュームをサーバーに接続します。稼働中でもかまいません。",
    "Take a volume from its server: unmount it there first.": "ボリュームをサーバーから切り離します。先にサーバー内でアンマウントしてください。",
    "How large it is to be, in GiB.": "拡張後のサイズ(GiB)",
    "Make a volume larger, also while a server uses it; then grow its file system in the guest.": "ボリュームを拡張します。サーバーで使用中でもかまいません。その後、サーバー内でファイルシステムを拡張してください。",
    "Protect a volume against being deleted.": "ボリュームを削除から保護します。",
    "Delete a volume with all that is on it, after asking.": "確認のうえ、ボリュームとその内容をすべて削除します。",
    "Snapshots: all disks of a server at one point in time.": "スナップショット(ある時点のサーバーの全ディスク)",
    "Only those of this server.": "このサーバーのものだけ",
    "List the snapshots, also of servers that are gone.": "スナップショットを一覧します。削除済みサーバーのものも含みます。",
    "Show one snapshot with its disks.": "スナップショットとそのディスクを表示します。",
    "The snapshot's name or id.": "スナップショットの名前または ID",
    "What the snapshot is to be called.": "スナップショットの名前",
    "Take a snapshot of all disks of a server.": "サーバーの全ディスクのスナップショットを取得します。",
    "Make the disks of the stopped server what they were, after asking: what is on them now is lost.": "確認のうえ、停止中のサーバーのディスクを取得時の状態に戻します。現在の内容は失われます。",
    "Delete a snapshot, after asking.": "確認のうえ、スナップショットを削除します。",
    "At which site of the region.": "リージョン内のサイト",
    "On the storage of this server, without attaching it there.": "このサーバーと同じストレージに作成します(接続はしません)。",
    "Call a volume something else, or write down what it is for; it must hold no secret.": "ボリュームの名前を変えたり、用途を書き留めたりします。機密情報は書かないでください。",
    "What the volume is to be called.": "ボリュームの名前",
}
