"""The help texts of `yui quota` in Japanese, by their English."""

from __future__ import annotations

from collections.abc import Mapping

HELP_CAPACITY_JA: Mapping[str, str] = {
    "What members are guaranteed, and may ask for.": "参加団体への保証とクォータ",
    "List what each member is guaranteed, may ask for, and uses.": "各団体の保証、クォータ、使用量を一覧します。",
    "Show the capacity of one member.": "一つの団体の容量を表示します。",
    "Guarantee a member more or less, or let it ask for more or less. What is not named stays.": "団体への保証またはクォータを変更します。指定しないものは変わりません。",
    "The region, where the member has capacity in several.": "リージョン(複数に割り当てがある場合)",
    "vCPU that are guaranteed.": "保証する vCPU",
    "Memory that is guaranteed, in GiB.": "保証するメモリ(GiB)",
    "Disk that is guaranteed, in GiB.": "保証するディスク(GiB)",
    "vCPU that may be asked for at most.": "vCPU の上限",
    "Memory that may be asked for at most, in GiB.": "メモリの上限(GiB)",
    "Disk that may be asked for at most, in GiB.": "ディスクの上限(GiB)",
}
