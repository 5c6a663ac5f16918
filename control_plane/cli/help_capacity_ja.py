"""The help texts of `yui quota` in Japanese, by their English."""

from __future__ import annotations

from collections.abc import Mapping

HELP_CAPACITY_JA: Mapping[str, str] = {
    "What members are guaranteed, and may ask for.": "参加団体への保証とクォータ",
    "List what each member is guaranteed, may ask for, and uses.": "各団体の保証、クォータ、使用量を一覧します。",
    "Show the capacity of one member.": "一つの団体の容量を表示します。",
    "Guarantee a member more or less, or let it ask for more or less. What is not named stays.": "団体への保証またはクォータを変更します。指定しないものは変わりません。",
    "The region.": "リージョン",
    "vCPU that are needed.": "必要な vCPU",
    "Memory that is needed, in GiB.": "必要なメモリ(GiB)",
    "The member whose guarantee lacks room (municipality code).": "保証分が不足している団体(団体コード)",
    "Name servers of tier 0 and protected ones too: an operator's reason.": "ティア 0 と保護されたサーバーも対象にする理由(運用担当者のみ)",
    "Ask members for room back that they have borrowed, with notice.": "借用中の容量の返却を、予告期間を置いて求めます。",
    "List what is to be given back by whom and by when, and what came of it.": "返却の依頼と期限、その結果を一覧します。",
    "The notice's id, such as rc-….": "依頼の ID(rc-… の形)",
    "Shelve what was not given back, once the notice has ended.": "予告期間の終了後、未返却分のサーバーを休止します。",
    "Let borrowers keep what they were asked to give back.": "返却の依頼を取り下げます。",
    "The region, where the member has capacity in several.": "リージョン(複数に割り当てがある場合)",
    "vCPU that are guaranteed.": "保証する vCPU",
    "Memory that is guaranteed, in GiB.": "保証するメモリ(GiB)",
    "Disk that is guaranteed, in GiB.": "保証するディスク(GiB)",
    "vCPU that may be asked for at most.": "vCPU の上限",
    "Memory that may be asked for at most, in GiB.": "メモリの上限(GiB)",
    "Disk that may be asked for at most, in GiB.": "ディスクの上限(GiB)",
}
