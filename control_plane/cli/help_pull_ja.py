"""The help texts in Japanese of `yui backup pull`."""

from __future__ import annotations

from collections.abc import Mapping

HELP_PULL_JA: Mapping[str, str] = {
    "Where the copy is kept on this machine.": "このコンピューターでコピーを保存するフォルダー",
    "The municipality code. Without it: the one that your token is of.": "団体コード。省略するとトークンの団体になります。",
    "Only this system (several times for several).": "このシステムだけ(複数回指定できます)",
    "Only what counters need while cut off.": "孤立時に窓口で必要なものだけ",
    "This recovery point instead of the newest (repeatable).": "最新の代わりにこの復元ポイント(複数回指定できます)",
    "Read what is here already, and fetch anew what has rotted.": "取得済みのものも読み直し、壊れていれば取得し直します。",
    "Then remove what this copy does not need: older points, other systems.": "取得後、このコピーに不要なもの(古い復元ポイント、ほかのシステム)を削除します。",
    "Fetch your municipality's own sealed copy, with a program that reads it without Yui. Run it again where it broke off; it fetches only what is lacking.": "団体自身の暗号化されたコピーを、Yui なしで読むためのプログラムとともに取得します。中断したら再実行してください。不足分だけを取得します。",
}
