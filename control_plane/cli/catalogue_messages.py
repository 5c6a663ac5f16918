"""What `yui blueprint` and `yui image` say by themselves, in both languages side by side."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

# Heads of columns and properties
APART = _M("APART", "分散")
BACKUP = _M("BACKUP", "バックアップ")
BAND_UNDER_50K = _M("< 50,000", "5万人未満")
BAND_50K = _M("50,000–", "5万人以上")
BAND_100K = _M("100,000–", "10万人以上")
BAND_300K = _M("300,000–", "30万人以上")
MEMORY = _M("MEMORY", "メモリ")
NEEDS = _M("NEEDS", "必要なシステム")
PURPOSE = _M("PURPOSE", "概要")
RPO = _M("AT MOST LOST", "失われうる時間")
SERVICE_HOURS = _M("SERVICE HOURS", "利用時間")
STANDARD_TASK = _M("STANDARDIZED TASK", "標準化対象事務")
START_ORDER = _M("START ORDER", "起動順")
STOP_ORDER = _M("STOP ORDER", "停止順")
VCPUS = _M("vCPU", "vCPU数")
WORKS_WITH = _M("WORKS WITH", "連携するシステム")
REQUIREMENT = _M("REQUIREMENT", "要件")
VERDICT = _M("VERDICT", "判定")
FINDING = _M("FINDING", "内容")
WHY = _M("WHY", "理由")

# Sentences
ALWAYS = _M("always", "常時")
BACKUP_COPY = _M(
    "every {every}, {generations} kept: {places}", "{every}、{generations} 世代: {places}"
)
CONTAINER_GROUPS_LATER = _M(
    "{roles}: container groups, which can be declared but not run yet.",
    "{roles} はコンテナグループです。定義はできますが、まだ動かせません。",
)
HOURS = _M("{hours} h of work", "{hours} 時間分")
LACK_NEEDED = _M("Warning: {text}", "警告: {text}")
LACK_HELPFUL = _M("Note: {text}", "注意: {text}")
NOT_JUDGED = _M(
    "This image entered the catalogue before there was a standard, so nothing is known of it: add it anew under another id.",
    "このイメージは基準ができる前に登録されたため、判定がありません。別の ID で登録し直してください。",
)
OF_VERSIONS = _M("{version} (there is {all})", "{version}(あるのは {all})")
SIZE_TOTAL = _M(
    "A member of {population} takes {vcpus} vCPU, {memory} MiB of memory and {disk} GiB of disk (systems: {systems}, servers: {servers}). The room kept free for failures comes on top, once for all members.",
    "人口 {population} 人の団体が使うのは {vcpus} vCPU、メモリ {memory} MiB、ディスク {disk} GiB です({systems} システム、サーバー {servers} 台)。障害に備える空きは、これとは別に全団体で共有します。",
)

WHEN_CUT_OFF = _M("NEEDED WHEN CUT OFF", "孤立時に必要")
YES = _M("yes", "はい")
NO = _M("no", "いいえ")

DAYS = {
    "mon": _M("Mon", "月"),
    "tue": _M("Tue", "火"),
    "wed": _M("Wed", "水"),
    "thu": _M("Thu", "木"),
    "fri": _M("Fri", "金"),
    "sat": _M("Sat", "土"),
    "sun": _M("Sun", "日"),
}
INTERVALS = {
    "hour": _M("hour", "1時間ごと"),
    "day": _M("day", "毎日"),
    "week": _M("Sunday", "毎週日曜"),
    "month": _M("first of a month", "毎月1日"),
    "year": _M("1 April", "毎年4月1日"),
}
BACKUP_PLACES = {
    "on-site": _M("on site", "同じ建物"),
    "off-site": _M("off site", "別の建物"),
    "other-region": _M("another region", "別のリージョン"),
    "member": _M("with the member", "団体の手元"),
}
STANDARD_ZONES = {
    "mynumber": _M("affairs that use the My Number", "個人番号利用事務系"),
    "lgwan": _M("on the LGWAN", "LGWAN接続系"),
    "internet": _M("facing the internet", "インターネット接続系"),
}
VERDICTS = {
    "checked": _M("checked", "確認済み"),
    "declared": _M("declared", "申告"),
    "unknown": _M("unknown", "不明"),
    "failed": _M("failed", "不合格"),
}
