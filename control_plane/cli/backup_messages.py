"""What the commands about backups say, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message as _M

ID = _M("ID", "ID")
NAME = _M("NAME", "名前")
SYSTEM = _M("SYSTEM", "システム")
MEMBER = _M("MEMBER", "団体")
TIER = _M("TIER", "復旧順位")
REGION = _M("REGION", "リージョン")
REGIONS = _M("REGIONS", "リージョン")
SITE = _M("SITE", "サイト")
PREFECTURE = _M("PREFECTURE", "都道府県")
PREFECTURES = _M("PREFECTURES", "都道府県")
HAZARDS = _M("HAZARD ZONES", "災害区域")
STATE = _M("STATE", "状態")
PLACE = _M("PLACE", "区分")
ADDRESS = _M("ADDRESS", "アドレス")
KEY = _M("KEY IS IN", "鍵の場所")
LOCKED = _M("LOCKED FOR DAYS", "削除禁止日数")
CHECKED = _M("CHECKED", "確認日時")
TROUBLE = _M("TROUBLE", "問題")
CLEARED = _M("CLEARED AWAY", "消去処理")
WORK = _M("NOT DONE", "止まっている処理")
SINCE = _M("SINCE", "いつから")
UPKEEP = {
    "collecting": _M("clearing away, locking", "消去・ロック延長"),
    "rereading": _M("reading again", "データの確認"),
    "healing": _M("healing", "修復"),
    "copying": _M("copies to it", "コピー"),
    "taking-up": _M("taking up what broke off", "中断したバックアップの再開"),
}
POINT = _M("RECOVERY POINT", "復元ポイント")
TAKEN = _M("TAKEN", "取得日時")
SIZE = _M("GB", "GB")
STORED = _M("ADDED", "追加量")
LIES_IN = _M("LIES IN", "保管先")
PROVEN = _M("LAST PROVEN", "復元確認")
KEPT = _M("KEPT", "残す理由")
KEPT_UNTIL = _M("KEPT UNTIL", "保持期限")
SERVER = _M("SERVER", "サーバー")
CONSISTENCY = _M("CONSISTENCY", "整合性")
DUMP = _M("DUMP", "ダンプ")
DUMP_WRITTEN = _M("written", "取得済み")
DUMP_FAILED = _M("dump failed", "ダンプ失敗")
DUMPS = _M("DUMPS", "ダンプ")
DUMPED = _M(
    "{role}: {before}, at most {minutes} min{required}",
    "{role}: {before}、最長 {minutes} 分{required}",
)
DUMP_AFTER = _M(", then {after}", "、取得後に {after}")
DUMP_OPTIONAL = _M(", may be lacking", "、失敗しても取得")
DISKS = _M("DISKS", "ディスク")
NEWEST = _M("NEWEST, h AGO", "最新(時間前)")
AWAY = _M("ELSEWHERE, h AGO", "離れた場所(時間前)")
WANTED = _M("AT MOST, h", "目標(時間)")
WRONG = _M("WHAT IS WRONG", "問題")
NEXT = _M("NEXT", "次回")
OBJECTIVE = _M("MAY LOSE AT MOST", "失ってよい作業")
OBJECTIVE_AWAY = _M("WITH THE BUILDING", "建物ごと失う場合")
HOURS = _M("{hours} h", "{hours} 時間")
COPIES = _M("COPIES", "コピー")
COPY = _M(
    "{every}{at}: {generations} kept {places}",
    "{every}{at}: {places}に {generations} 世代",
)
EVERY = {
    "hour": _M("hourly", "1時間ごと"),
    "day": _M("daily", "毎日"),
    "week": _M("weekly ({when})", "毎週({when})"),
    "month": _M("monthly (day {when})", "毎月{when}日"),
    "year": _M("yearly ({when})", "毎年({when})"),
}
WEEKDAYS = {
    "mon": _M("Monday", "月曜"),
    "tue": _M("Tuesday", "火曜"),
    "wed": _M("Wednesday", "水曜"),
    "thu": _M("Thursday", "木曜"),
    "fri": _M("Friday", "金曜"),
    "sat": _M("Saturday", "土曜"),
    "sun": _M("Sunday", "日曜"),
}
WHY_KEPT = {
    "rule": _M("{copy}, {place}", "{copy}({place})"),
    "newest": _M("the newest", "最新"),
    "newest-proven": _M("the newest proven", "復元確認済みの最新"),
    "pinned": _M("a disaster is declared", "災害宣言"),
    "asked-for": _M("somebody asked for it", "依頼により取得"),
    "to-be-copied": _M("still to be copied", "コピー待ち"),
    "under-way": _M("under way", "取得中"),
    "later-than-now": _M("later than the clock", "時計より先の日時"),
}
OF = _M("POLICY IS", "方針")
OF_BLUEPRINT = _M("the blueprint's", "ブループリントのもの")
OF_SYSTEM = _M("its own, set by {by} at {at}", "システム独自({by}、{at})")
ANSWERED = _M("WELL AFTER ITS START", "起動から正常になるまで")
TESTED = _M("RESTORE PROVEN EVERY", "復元確認の間隔")
DAYS = _M("{days} days", "{days} 日")
NEVER = _M("never", "なし")
CANT_BE_KEPT = _M("As things are this can't be kept:", "現状では次の点を守れません。")
NO_SYSTEMS = _M("No system has anything to back up.", "バックアップ対象のシステムはありません。")
NO_POINTS = _M("There are no recovery points.", "復元ポイントはありません。")
NO_RESTORES = _M("Nothing was asked to be restored.", "復元の依頼はありません。")
NO_TESTS = _M("No restore has been tried yet.", "復元の確認はまだ行われていません。")
NO_DAMAGE = _M("Nothing was found damaged.", "損傷は見つかっていません。")
NO_REPOSITORIES = _M(
    "There are no repositories: `yui repository add`.",
    "リポジトリがありません。`yui repository add` で追加してください。",
)
NO_LINKS = _M(
    "No link has a budget: nothing slows copies.", "帯域を決めた回線はありません(制限なし)。"
)
NO_DISASTERS = _M("No disaster is declared.", "災害宣言はありません。")
NO_KEY_TASKS = _M("Nothing was asked about its keys.", "鍵についての依頼はありません。")
ALL_WELL = _M(
    "All {count} systems are backed up as their policies say.",
    "{count} システムすべてが方針どおりにバックアップされています。",
)
POLICY_SET = _M("{system} is backed up like this from now on.", "{system} の方針を設定しました。")
POLICY_RESET = _M(
    "{system} is backed up as its blueprint says.", "{system} はブループリントの方針に戻りました。"
)
RESTORE = _M("RESTORE", "復元")
TO = _M("TO", "復元先")
PROGRESS = _M("GB DONE", "済み GB")
MADE = _M("MADE", "作成先")
TOOK = _M("SECONDS", "秒")
PASSED = _M("PROVEN", "確認")
RESTORE_ASK = _M(
    "Put {point} in place of what is on the disks of {system} now? That is lost.",
    "{system} の現在のディスクを {point} で置き換えますか?現在の内容は失われます。",
)
TIME_UNREADABLE = _M(
    "'{when}' is no time: write a day as 2026-11-20, or with a time of day as 2026-11-20T14:46.",
    "「{when}」は日時として読めません。2026-11-20 または 2026-11-20T14:46 の形で指定してください。",
)
NO_POINT_THEN = _M(
    "System '{system}' has no complete recovery point from {when} or before: its oldest is of {oldest}.",
    "システム「{system}」には、{when} 以前の完全な復元ポイントがありません。最も古いものは {oldest} です。",
)
NO_POINTS_AT_ALL = _M(
    "System '{system}' has no complete recovery point: see which there are with `yui backup list --all`.",
    "システム「{system}」には完全な復元ポイントがありません。`yui backup list --all` で確認してください。",
)
POINT_CHOSEN = _M(
    "{point}, taken {taken}, is the newest of {system} up to then.",
    "{system} のその時点までの最新の復元ポイントは {point}({taken} 取得)です。",
)
RESTORE_CANCELLED = _M("{restore} is taken back.", "{restore} を取り消しました。")
REPOSITORY_ADDED = _M(
    "{repository} is on record: check it with `yui repository check {repository}`.",
    "{repository} を登録しました。`yui repository check {repository}` で確認してください。",
)
REPOSITORY_SOUND = _M("{repository} answers and lets Yui in.", "{repository} は利用できます。")
REPOSITORY_UNSOUND = _M("{repository}: {trouble}", "{repository}: {trouble}")
REPOSITORY_RETIRED = _M("Nothing new goes to {repository}.", "{repository} の利用を終了しました。")
REPOSITORY_BACK = _M("{repository} is in use again.", "{repository} を再び利用します。")
REPOSITORY_REMOVED = _M("{repository} is off the record.", "{repository} を削除しました。")
REPOSITORY_REMOVE_ASK = _M(
    "Take repository {repository} off the record?", "リポジトリ {repository} を削除しますか?"
)
LINK = _M("LINK", "回線")
BUDGET = _M("MBIT/S", "Mbit/s")
OTHER_HOURS = _M("AT OTHER HOURS", "別の時間帯")
LINK_SET = _M("{link}: backups take at most {mbit} Mbit/s.", "{link}: 最大 {mbit} Mbit/s です。")
LINK_REMOVED = _M("Nothing slows copies over {link}.", "{link} の制限を外しました。")
RULE_NONE = _M(
    "{code} has no rule: its copies may lie anywhere in the pool.",
    "{code} に定めはありません。プール内のどこにでもコピーを置けます。",
)
BASIS = _M("SAID BY", "根拠")
DECIDED = _M("DECIDED", "決定日")
RECORDED = _M("RECORDED BY", "記録者")
DISASTER = _M("DISASTER", "災害宣言")
AROUND = _M("AROUND", "時点")
SPAN = _M("DAYS BEFORE / AFTER", "前 / 後(日)")
CONCERNS = _M("CONCERNS", "対象")
EVERYBODY = _M("everybody", "全団体")
REASON = _M("REASON", "理由")
DECLARED = _M("{disaster} is declared: what it pins stays.", "{disaster} を宣言しました。")
REVOKED = _M("{disaster} is revoked.", "{disaster} を解除しました。")
REVOKE_ASK = _M(
    "Revoke {disaster}? Policies then decide again what stays.",
    "{disaster} を解除しますか?以後は方針に従って復元ポイントが消えます。",
)
TASK = _M("REQUEST", "依頼")
ERRAND = _M("WHAT", "内容")
ASKED_BY = _M("ASKED BY", "依頼者")
KEYS_ASKED = _M("{task} is asked for.", "{task} を依頼しました。")
KEYS_WAIT = _M(
    "{task} waits for another person: `yui backup-key agree {task}`.",
    "{task} は別の人の同意(`yui backup-key agree {task}`)を待っています。",
)
KEYS_AGREED = _M("{task} will be carried out.", "{task} を実行します。")
KEYS_CANCELLED = _M("{task} is taken back.", "{task} を取り下げました。")
FORMER_KEY = _M("KEY BEFORE", "以前の鍵")
REPOSITORY_REWRAPS = _M(
    "The keys in {repository} will be wrapped by its new key. Keep the old one where it is until `yui events` tells that all are.",
    "{repository} の鍵束を新しい鍵で包み直します。`yui events` に完了が出るまで、以前の鍵を今の場所に残してください。",
)
PAIR_MADE = _M(
    "{private} opens what is sealed for {public}. Keep it in a safe, and a copy elsewhere: without it no export can be opened.",
    "{public} で封をしたものは {private} で開けます。{private} は金庫に、写しは別の場所に保管してください。失うと、書き出した鍵を開けません。",
)
REPOSITORY_KEY_MADE = _M(
    "{file} holds repository key {key}. Keep a copy elsewhere: without it nothing in the repository can be read.",
    "リポジトリ鍵 {key} を {file} に作りました。写しを別の場所に保管してください。失うと、リポジトリのデータを読めません。",
)
DESTROY_ASK = _M(
    "Destroy the backup keys of {code}? Nothing that they sealed can be read by anybody then, ever.",
    "{code} のバックアップ鍵を破棄しますか?その鍵で保護したデータは、誰にも二度と読めなくなります。",
)
