"""The help texts in Japanese of how members leave, and of who administers a new one."""

from __future__ import annotations

from collections.abc import Mapping

HELP_LEAVING_JA: Mapping[str, str] = {
    "Why, in one sentence; it is kept.": "理由(一文)。記録に残ります。",
    "Keep a record of which of its keys were destroyed.": "破棄した鍵の記録を残します。",
    "Ask for a member to leave with its disks and data; another person agrees.": "団体の脱退を申請します。ディスクとデータを書き出します。承認は別の人が行います。",
    "Agree that a member leaves: another person than who asked. Its servers are stopped from then on.": "団体の脱退を承認します。申請者とは別の人が行います。承認するとサーバーの停止が始まります。",
    "Turn down that a member leaves.": "団体の脱退申請を却下します。",
    "Let a member stay after all: its servers start again. Not any more once its export is confirmed.": "脱退を取りやめます。サーバーは再び起動します。書き出しの受領確認後は取りやめられません。",
    "Fetch all files into this folder, and check them. What is there already is not fetched again.": "すべてのファイルをこのフォルダーに取得し、検査します。取得済みのものは再取得しません。",
    "List what a leaving member takes along, or fetch it.": "脱退する団体に渡すファイルを一覧、または取得します。",
    "That you have the export and could read it, in one sentence; it is kept.": "書き出しを受け取り読めたことの確認(一文)。記録に残ります。",
    "Confirm that your municipality has its export: all it has in the pool is removed then.": "書き出しの受領を確認します。その後、共同プールにある団体のすべてを削除します。",
    "Why nobody at the member can confirm, in one sentence; it is kept.": "団体が確認できない理由(一文)。記録に残ります。",
    "Remove what a member has without its own word, as an approver; its export stays.": "団体の確認なしに、承認者が理由を付けて削除を始めます。書き出しは残ります。",
    "Who administers it from the start: NAME=SUBJECT, or NAME=ADDRESS for an invitation; repeatable.": "最初の管理者。名前=サブジェクト、または招待する場合は 名前=メールアドレス(複数指定可)",
    "The identity provider that knows them, where several are trusted.": "管理者の ID プロバイダー(複数を信頼している場合)",
    "What it may ask for at most, as VCPUS/MEMORY/DISK in GiB, such as 40/80/500. Without it: half as much again as its systems need.": "上限(クォータ)。vCPU/メモリ/ディスク(GiB)を 40/80/500 のように指定します。省略すると、システムの必要量の1.5倍です。",
    "The folder for what members take along when they leave; every control plane of the pool must see the same one. Without it nobody can leave.": "脱退する団体に渡す書き出しを置くフォルダー。すべてのコントロールプレーンから同じものが見える必要があります。指定しないと脱退できません。",
}
