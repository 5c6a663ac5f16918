"""Everything that `yui` says by itself, in both languages side by side.

What the API says arrives in the reader's language and is not here; neither are the words of states
(`words`), the help texts (`help_ja`) nor those of the parser (`parser_ja`).
"""

from __future__ import annotations

from control_plane.cli.language import Message as _M

# Heads of columns and properties
ID = _M("ID", "ID")
NAME = _M("NAME", "名称")
REGION = _M("REGION", "リージョン")
SITE = _M("SITE", "サイト")
HEALTH = _M("HEALTH", "状態")
SINCE = _M("SINCE", "開始時刻")
DUTY = _M("DUTY", "運用")
STANDING = _M("STANDING", "配置")
VCPUS_USED = _M("vCPU USED", "使用vCPU")
MEMORY_USED = _M("MEMORY USED GiB", "使用メモリGiB")
RESERVED = _M("RESERVED FOR FAILURES", "障害用予備")
SERVERS = _M("SERVERS", "サーバー数")
ZONE = _M("ZONE", "系統")
ZONES = _M("ZONES", "系統")
STORAGE = _M("STORAGE", "ストレージ")
TRAITS = _M("TRAITS", "特性")
DOMAINS = _M("FAILURE DOMAINS", "障害領域")
DRIVER = _M("DRIVER", "ドライバー")
FENCE = _M("FENCE", "隔離の証拠")
CODE = _M("CODE", "団体コード")
KANA = _M("READING", "よみ")
PREFECTURE = _M("PREFECTURE", "都道府県")
POPULATION = _M("POPULATION", "人口")
BAND = _M("BAND", "規模区分")
MEMBER = _M("MEMBER", "団体")
SYSTEM = _M("SYSTEM", "システム")
BLUEPRINT = _M("BLUEPRINT", "ブループリント")
TIER = _M("TIER", "復旧順位")
STATE = _M("STATE", "状態")
RUNNING = _M("RUNNING", "稼働数")
ROLE = _M("ROLE", "役割")
HOST = _M("HOST", "ホスト")
ADDRESS = _M("ADDRESS", "アドレス")
FLAVOR = _M("FLAVOR", "フレーバー")
SIZE = _M("SIZE", "大きさ")
DISK = _M("DISK", "ディスク")
IMAGE = _M("IMAGE", "イメージ")
POWER = _M("WANTED", "希望")
MOVING_TO = _M("MOVING TO", "移動先")
MAC = _M("MAC", "MAC アドレス")
GENERATION = _M("GENERATION", "世代")
VERSION = _M("VERSION", "版")
FORMAT = _M("FORMAT", "形式")
PROVENANCE = _M("PROVENANCE", "来歴")
SHA256 = _M("SHA-256", "SHA-256")
TIME = _M("TIME", "時刻")
SEVERITY = _M("SEVERITY", "重要度")
WHAT = _M("WHAT HAPPENED", "内容")
SUBJECT = _M("SUBJECT", "対象")
KIND = _M("KIND", "種類")
PROGRESS = _M("PROGRESS", "進み")
CHANGE = _M("CHANGE", "変更")
THING = _M("THING", "対象")
BEFORE = _M("BEFORE", "変更前")
AFTER = _M("AFTER", "変更後")
FAILURE = _M("IF THIS DIES", "障害")
REFUGE = _M("RESTARTS AT", "再開先")
RESERVE = _M("RESERVE", "予備")
PROMISED = _M("PROMISED", "約束")
CERTIFICATE = _M("CERTIFICATE", "証明書")
REFUGES = _M("REFUGES", "退避先の数")
HOSTS_WORTH = _M("COST IN HOSTS", "予備の台数換算")
CHECKED_AT = _M("CHECKED AT", "検査時刻")
EXPIRES = _M("EXPIRES", "有効期限")

# Pool
POOL_SAME = _M(
    "The pool already is as {file} says: nothing to do.",
    "プールはすでに {file} のとおりです。変更はありません。",
)
POOL_DRY_RUN = _M("Nothing was changed: this was a dry run.", "試行のため、何も変更していません。")
POOL_APPLIED = _M(
    "Applied: {added} added, {changed} changed, {removed} removed.",
    "適用しました(追加 {added}、変更 {changed}、削除 {removed})。",
)
HOSTS_WAITED_FOR = _M("hosts that are used", "使用中のホスト")
HOSTS_GO_ON = _M("The hosts are taken into use all the same: see `yui host list`.", "ホストの使用開始処理は続きます。`yui host list` で確認できます。")  # fmt: skip
POOL_NOT_APPLIED = _M("Nothing was changed.", "何も変更していません。")
POOL_CONFIRM_REMOVAL = _M(
    "This removes {count} of the pool's parts. Go on?",
    "プールの構成要素を {count} 件削除します。続けますか",
)
NEEDS_YES = _M(
    "This needs a confirmation, and nobody is there to give it: add --yes.",
    "確認が必要ですが、対話できません。--yes を付けてください。",
)
NO_HOSTS = _M(
    "The pool has no hosts yet: describe them in a file and run `yui pool apply FILE`.",
    "プールにホストがありません。ファイルに記述して `yui pool apply FILE` を実行してください。",
)

# Hosts
DRAIN_BEGUN = _M(
    "{host} is being drained: {servers} servers move to other hosts.",
    "{host} のドレインを始めました。{servers} 台のサーバーを他のホストへ移します。",
)
DRAIN_DONE = _M("{host} is empty and in maintenance.", "{host} は空になり、保守中になりました。")
DRAIN_GOES_ON = _M(
    "The drain of {host} goes on by itself: look with `yui host show {host}`, stop it with `yui host return {host}`.",
    "{host} のドレインはこのまま続きます。確認は `yui host show {host}`、中止は `yui host return {host}` です。",
)
DRAIN_PLAN = _M(
    "Draining {host} would move {count} servers; nothing was changed.",
    "{host} をドレインすると {count} 台のサーバーが移ります。何も変更していません。",
)
DRAIN_STUCK = _M(
    "{count} servers could not leave, and this is why:",
    "移せないサーバーが {count} 台あります。理由は次のとおりです。",
)
WOULD = _M(
    "Nothing was changed: this would be accepted.",
    "試行のため変更していません。この操作は受け付けられます。",
)
RETURNED = _M("{host} is {health}, {duty}.", "{host} は {health}、{duty} です。")
FENCE_WARNING_WORD = _M(
    "You are about to give your word that {host} is powered off and will stay off. Its servers then "
    "start on other hosts. If {host} still runs, two machines write to the same disks and records are lost.",
    "{host} の電源が切れており、入らないことを、あなたの責任で証言します。そのサーバーは他のホストで起動します。"
    "もし {host} が動いていれば、2台が同じディスクに書き込み、記録が失われます。",
)
FENCE_WARNING_POWER = _M(
    "You are about to cut the power of {host} ({servers} servers). They restart on other hosts once "
    "the power reads as off.",
    "{host}(サーバー {servers} 台)の電源を切ります。電源断を確認した後、サーバーは他のホストで再起動します。",
)
FENCE_ASK_STATEMENT = _M(
    "What did you see or do, in one sentence", "確認したこと、行ったことを一文で"
)
FENCE_ASK_NAME = _M("Type the host's name to go on", "続けるにはホスト名を入力してください")
FENCE_STATEMENT_NEEDED = _M(
    "A fence needs a statement that is kept as evidence: add --statement.",
    "隔離には、証拠として残す説明が必要です。--statement を付けてください。",
)
FENCE_NAME_DIFFERS = _M(
    "That is not {host}, so nothing was done.", "{host} と一致しないため、何もしませんでした。"
)
FENCE_ACCEPTED = _M(
    "Recorded in the name of {by}. Follow what comes of it with `yui events --follow`.",
    "{by} の名前で記録しました。結果は `yui events --follow` で確認できます。",
)

# Members, servers
NO_MEMBERS = _M(
    "No member has joined yet: `yui member join CODE --blueprint ID`.",
    "参加団体はまだありません。`yui member join CODE --blueprint ID` で参加できます。",
)
NO_SYSTEMS = _M("There are no systems.", "システムはありません。")
NO_SERVERS = _M("There are no servers.", "サーバーはありません。")
NO_IMAGES = _M("The catalogue holds no images yet.", "カタログにイメージはまだありません。")
NO_BLUEPRINTS = _M("There are no blueprints.", "ブループリントはありません。")
JOIN_ACCEPTED = _M(
    "{code} is joining; the operation is {operation}. Follow it with `yui operation show {operation} --wait`.",
    "{code} の参加を受け付けました(操作 {operation})。`yui operation show {operation} --wait` で進みを確認できます。",
)
JOIN_COST = _M(
    "Together they take {vcpus} vCPU, {memory} GiB of memory and {disk} GiB of disk, which would be guaranteed.",
    "合計で vCPU {vcpus}、メモリ {memory} GiB、ディスク {disk} GiB を使い、この量が保証されます。",
)
APPLICATION_WAITS = _M(
    "{code} has applied and waits for another person: `yui member approve {code}`. Follow it with `yui operation show {operation} --wait`.",
    "{code} の参加を申請しました。別の人の承認(`yui member approve {code}`)を待っています。`yui operation show {operation} --wait` で確認できます。",
)
WAITING_FOR_APPROVAL = _M(
    "{code} has applied. Waiting for another person to approve: `yui member approve {code}`.",
    "{code} の参加を申請しました。別の人の承認(`yui member approve {code}`)を待っています。",
)
APPROVED_NOW_BUILT = _M(
    "{code} is approved; its systems are being started.",
    "{code} が承認されました。システムを起動しています。",
)
MEMBER_REJECTED = _M(
    "The application of {name} ({code}) is rejected.", "{name}({code})の申請を却下しました。"
)
MEMBER_WITHDRAWN = _M(
    "The application of {name} ({code}) is withdrawn.", "{name}({code})の申請を取り下げました。"
)
MEMBER_CONNECTED = _M(
    "{name} ({code}) is connected with its own site.",
    "{name}({code})の自団体設備との接続を記録しました。",
)
MEMBER_CHANGED = _M("{code} is changed.", "{code} を変更しました。")
SIZE_WOULD_BE = _M(
    "{server} is {flavor}; its blueprint would now choose {would_be}. Nothing is resized by itself.",
    "{server} は {flavor} ですが、ブループリントでは {would_be} になります。自動では変更しません。",
)
OWN_SITE = _M("OWN SITE", "自団体設備")
CONTACT = _M("CONTACT", "連絡先")
REASON = _M("REASON", "理由")
APPLIED_BY = _M("APPLIED BY", "申請者")
DECIDED_BY = _M("DECIDED BY", "決定者")
JOINED = _M(
    "{code} has joined: {done} of {total} steps done.",
    "{code} が参加しました({done}/{total} 段階完了)。",
)
JOIN_PLAN = _M(
    "{name} ({code}) would join in region {region} with these servers; nothing was written.",
    "{name}({code})はリージョン {region} に次のサーバーで参加できます。何も書き込んでいません。",
)
SERVER_IS = _M("{server} is {status}.", "{server} は「{status}」です。")
SERVER_GOES_ON = _M(
    "{server} goes on by itself: look with `yui server show {server}`.",
    "{server} の処理はこのまま続きます。`yui server show {server}` で確認できます。",
)

# Operations
OPERATION_GOES_ON = _M(
    "The operation goes on by itself on the server: `yui operation show {operation} --wait` follows it again.",
    "操作はサーバー側でこのまま続きます。`yui operation show {operation} --wait` で再び確認できます。",
)
OPERATION_FAILED = _M("Operation {operation} failed.", "操作 {operation} は失敗しました。")
API_AWAY = _M(
    "The API does not answer at the moment; still trying.",
    "API が応答していません。接続を試み続けています。",
)
INTERRUPTED = _M("Interrupted.", "中断しました。")
TOKEN_REVOKED = _M(
    "Token {id} is revoked: it is refused from now on.",
    "トークン {id} を取り消しました。以後は使えません。",
)
ABORTED = _M("Nothing was done.", "何もしませんでした。")

# Certificate, explain
CERTIFICATE_HOLDS = _M(
    "{region} survives the loss of any one {promised}: every one of {refuges} refuges was checked.",
    "{region} は、{promised} がどれか一つ失われても持ちこたえます。退避先 {refuges} 件をすべて検査しました。",
)
CERTIFICATE_WRONG = _M(
    "{region}: the check found {count} mistakes in the certificate:",
    "{region}: 証明書に {count} 件の誤りが見つかりました。",
)
CERTIFICATE_UNCOVERED = _M(
    "{region}: {count} servers are not protected at the moment, and this is why:",
    "{region}: 現在保護されていないサーバーが {count} 台あります。理由は次のとおりです。",
)
CERTIFICATE_MEANWHILE = _M(
    "{region}: one failure is under way ({hosts}), and nothing is promised for the next one until it is over:",
    "{region}: 障害に対応中です({hosts})。対応が終わるまで、次の障害に耐えられる保証はありません。理由は次のとおりです。",
)
NO_REGIONS = _M(
    "The pool has no regions yet: describe them in a file and run `yui pool apply FILE`.",
    "プールにリージョンがありません。ファイルに記述して `yui pool apply FILE` を実行してください。",
)
EXPLAIN_FITS = _M(
    "{count} × {flavor} fits in {region}, with a refuge for every promised failure:",
    "{region} に {flavor} を {count} 台収容でき、約束したすべての障害に退避先があります。",
)
EXPLAIN_REFUSED = _M(
    "{count} × {flavor} does not fit in {region}:",
    "{region} に {flavor} を {count} 台は収容できません。",
)

# Serve
SERVING = _M("The API answers at {url}.", "API が {url} で応答しています。")
FIRST_TOKEN_KNOWN = _M(
    "There are tokens already, so no first one was made.",
    "トークンがすでにあるため、最初のトークンは作りませんでした。",
)
DATABASE_MISSING = _M(
    "Where is the state? Give --database or YUI_DATABASE, such as sqlite:////var/lib/yui/state.db.",
    "状態の保存先がありません。--database か YUI_DATABASE で sqlite:////var/lib/yui/state.db のように指定してください。",
)
DATABASE_EXPOSED = _M(
    "A password on the command line can be seen by every process here: give the address as YUI_DATABASE, or keep the password in ~/.pgpass.",
    "コマンドラインのパスワードは他のプロセスから見えます。YUI_DATABASE で指定するか、~/.pgpass に保存してください。",
)

# Bench
BENCH_POOL = _M("Hosts / servers", "ホスト数 / サーバー数")
BENCH_RESTARTED = _M("Restarted", "再起動したサーバー")
BENCH_SECONDS = _M("Confirmed failure to last start", "停止確認から最後の起動まで")
BENCH_STRANDED = _M("Without room", "空きのないサーバー")
BENCH_TICK = _M("Longest the control plane listened to nobody", "検知が途切れた最長時間")
BENCH_POOL_SECONDS = _M("The same in the pool's time", "同(プール内の時間)")
BENCH_ADMISSION = _M("Admission of all servers", "全サーバーの受け入れ")
BENCH_MEMORY = _M("Peak memory", "最大メモリ")
BENCH_WITHIN = _M("As fast and small as wanted", "目標達成")

# Tokens, completion, usage
TOKEN_ONCE = _M(
    "This is shown only once: keep it in a file with mode 600 and name that with --token-file.",
    "この表示は一度だけです。モード 600 のファイルに保存し、--token-file で指定してください。",
)
TOKEN_WRITTEN = _M("The token is in {path}.", "トークンを {path} に保存しました。")
USAGE_HINT = _M("Try `{command} --help`.", "`{command} --help` をご覧ください。")
USAGE_WRONG = _M(
    "The command line is not right: {detail}", "コマンドの指定が正しくありません: {detail}"
)
USAGE_NO_OPTION = _M("There is no option {name}.", "{name} というオプションはありません。")
USAGE_MISSING = _M("{name} is missing.", "{name} を指定してください。")
USAGE_BAD = _M("{name} is not right: {detail}", "{name} が正しくありません: {detail}")
USAGE_NO_CHOICE = _M(
    "{name} must be one of {choices}.", "{name} は {choices} のいずれかで指定してください。"
)
USAGE_NEEDS_VALUE = _M("{name} needs a value.", "{name} には値を指定してください。")
USAGE_TAKES_NO_VALUE = _M("{name} takes no value.", "{name} に値は指定できません。")
USAGE_EXTRA = _M(
    "'{extra}' is more than this command takes: leave it out.",
    "「{extra}」は余分です。取り除いてください。",
)
USAGE_WHICH_COMMAND = _M("A command is missing.", "コマンドを指定してください。")
USAGE_NO_COMMAND = _M("There is no command '{name}'.", "「{name}」というコマンドはありません。")
MEANT = _M(" Did you mean {near}?", "{near} ではありませんか。")
