"""What `yui quota` says by itself, in both languages side by side."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

# Heads of columns
RESOURCE = _M("RESOURCE", "資源")
GUARANTEED = _M("GUARANTEED", "保証")
QUOTA = _M("QUOTA", "クォータ")
USED = _M("USED", "使用中")
CONTAINER_GROUPS = _M("CONTAINER GROUPS", "コンテナーグループ")
BORROWED = _M("BORROWED", "借用中")
BORROWABLE = _M("STILL BORROWABLE", "借用可能")
UNPROVED = _M("NOT HELD", "未確保")
HELD = _M("HELD FOR GUARANTEES", "保証用の確保")

# Resources
VCPU = _M("vCPU", "vCPU")
MEMORY = _M("memory, GiB", "メモリ(GiB)")
DISK = _M("disk, GiB", "ディスク(GiB)")

# Sentences
NO_QUOTAS = _M(
    "No member has a quota yet: it gets one when it joins.",
    "クォータのある参加団体はまだありません。参加時に設定されます。",
)
CONTAINER_GROUPS_SAID = _M(
    "Container groups are on record only: they count against the quota with what is used, and hold no room.",
    "コンテナーグループは登録のみで資源を確保しませんが、使用中の分と合わせてクォータに数えます。",
)
UNPROVED_SAID = _M(
    "Part of what is guaranteed has no room at the moment: bring hosts back or add some, and it is held again by itself.",
    "保証した容量の一部を現在確保できていません。ホストを復旧または増設すると自動的に確保されます。",
)
QUOTA_SET = _M(
    "Member {code} in {region}: set, and the room for its guarantee is held.",
    "参加団体 {code}({region}): 設定し、保証分の容量を確保しました。",
)
QUOTA_PLAN = _M(
    "Member {code} in {region} would then have this; all guarantees would fit together.",
    "参加団体 {code}({region}) は次のようになります。全団体への保証分は収まります。",
)
