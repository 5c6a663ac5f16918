"""The help texts of `yui` in Japanese, by their English.

A test walks every command and option, so that none is without its Japanese.
"""

from __future__ import annotations

from collections.abc import Mapping

PANELS_JA = {"argument": "引数", "option": "オプション", "command": "コマンド"}

HELP_JA: Mapping[str, str] = {
    "The cloud that municipalities own together. The options below hold for every command and may stand anywhere on the line. Where they are missing, YUI_URL, YUI_TOKEN_FILE, YUI_CA_FILE, YUI_PROFILE and YUI_LANG count, and then the file ~/.config/yui/config.toml (mode 600), which knows url, token_file and ca_file, at its top or in tables named profile.NAME.": "自治体が共同で持つクラウドです。\n\n下のオプションはすべてのコマンドで使え、どの位置に書いてもかまいません。省略すると、環境変数 YUI_URL、YUI_TOKEN_FILE、YUI_CA_FILE、YUI_PROFILE、YUI_LANG、次にファイル ~/.config/yui/config.toml(モード 600)の url、token_file、ca_file(先頭または profile.名前 の表)に従います。",
    "Exit codes: 0 done · 1 refused, failed, or the answer is no · 2 the command line is wrong · 3 not found · 4 no access · 5 the API can't be reached · 6 in conflict with the present state: try again · 130 interrupted (what was begun on the server goes on).": "終了コード: 0 完了 · 1 拒否・失敗・「いいえ」 · 2 コマンドの指定誤り · 3 見つからない · 4 権限なし · 5 API に接続できない · 6 現在の状態と矛盾(やり直し可) · 130 中断(サーバー側の処理は続きます)",
    "Show this message and exit.": "この説明を表示します。",
    # Options of every command
    "The API's address, such as https://yui.example.jp.": "API のアドレス(例: https://yui.example.jp)",
    "The file with your token (mode 600).": "トークンを書いたファイル(モード 600)",
    "Trust this CA (PEM) and no other for the API.": "API について、この CA(PEM)だけを信頼します。",
    "Use the table profile.NAME of the profile file.": "設定ファイルの profile.名前 の表を使います。",
    "English or Japanese; otherwise as LANG says.": "英語か日本語。省略すると LANG に従います。",
    "Print JSON, for programs.": "プログラム用に JSON で出力します。",
    # Shared options
    "Show what would happen, and change nothing.": "何が起きるかを示すだけで、変更しません。",
    "Do not ask for a confirmation.": "確認を求めません。",
    "Wait until it is done.": "完了まで待ちます。",
    "Only this region.": "このリージョンだけ",
    "Only this member (municipality code).": "この団体だけ(団体コード)",
    "Only this system.": "このシステムだけ",
    "Only this host.": "このホストだけ",
    # Pool
    "Describe the pool, and see how it is described.": "プールの構成を記述し、確認します。",
    "Make the pool what FILE says, after showing what would change.": "変更点を示したうえで、プールを FILE のとおりにします。",
    "The pool file (YAML).": "プールファイル(YAML)",
    "Print the pool's description, as a pool file.": "現在のプールをプールファイルの形で表示します。",
    # Hosts
    "Hosts: look, drain, return, fence.": "ホストの確認、退避、復帰、隔離",
    "List the hosts with their health and what they carry.": "ホストの状態と使用量を一覧します。",
    "Show one host.": "ホストを一つ表示します。",
    "The host's id.": "ホストの ID",
    "Move every server off a host, so that it can be worked on.": "保守のため、ホスト上のサーバーをすべて他へ移します。",
    "Follow the moves until the host is empty.": "ホストが空になるまで見守ります。",
    "Take a host back into service after maintenance or a fence; it is cleaned first.": "保守や隔離の後、ホストを運用に戻します。先に清掃されます。",
    "Make sure that a dead host can no longer write, so that its servers may start elsewhere.": "停止したホストが書き込めないことを確かめ、サーバーを他で起動できるようにします。",
    "What you saw or did, in one sentence; it is kept as evidence.": "確認したこと、行ったことを一文で。証拠として残ります。",
    "power-off: cut its power and read it back. word: you state that it is off.": "power-off: 電源を切り、切れたことを確認します。word: 電源が切れていると証言します。",
    # Members, systems, servers
    "Member municipalities.": "参加団体",
    "List the members.": "参加団体を一覧します。",
    "Let a municipality join, with its standard systems.": "市区町村が標準システムとともに参加します。",
    "Six-digit municipality code, such as 012220.": "6桁の団体コード(例: 012220)",
    "A standard system to run; repeat it for several. Without it: all of the catalogue.": "使う標準システム。繰り返して複数指定できます。省略するとカタログのすべて",
    "The region to live in. Without it: the one that takes the prefecture.": "収容するリージョン。省略すると都道府県を受け持つリージョン",
    "Business systems of the members.": "参加団体の業務システム",
    "List the systems with their state.": "システムと状態を一覧します。",
    "Servers: look, console, start, stop, migrate.": "サーバーの確認、コンソール、起動、停止、移動",
    "List the servers with their state.": "サーバーと状態を一覧します。",
    "Show one server.": "サーバーを一つ表示します。",
    "The server's id.": "サーバーの ID",
    "Print the end of a server's serial console, without its control characters.": "シリアルコンソールの末尾を、制御文字を除いて表示します。",
    "Ask a server to shut down; its place stays reserved.": "サーバーを停止します。場所は確保されたままです。",
    "Start a stopped server.": "停止中のサーバーを起動します。",
    "Move a running server to another host, keeping every promise.": "約束を保ったまま、稼働中のサーバーを他のホストへ移します。",
    "The host to go to. Without it: placement chooses.": "移動先のホスト。省略すると自動で選びます。",
    # Certificate, explain, events, operations
    "The proof that the pool survives a failure.": "プールが障害に耐えることの証明",
    "Show what is promised, whether it holds, and what it costs.": "何を約束し、守られているか、費用はいくらかを示します。",
    "One region. Without it: every region.": "リージョン。省略するとすべて",
    "Check every refuge now. Ends with 1 where the proof is wrong or a server is not covered.": "すべての退避先を今すぐ検査します。証明に誤りがあるか、保護されないサーバーがあれば 1 で終わります。",
    "Would COUNT servers of a size fit, where, and with which refuges? Ends with 1 where not.": "その大きさのサーバーを収容できるか、場所と退避先はどこかを示します。収容できなければ 1 で終わります。",
    "The size, such as m1.small.": "大きさ(例: m1.small)",
    "Where.": "リージョン",
    "How many servers.": "台数",
    "Which network.": "ネットワークの系統",
    "Show what happened. With --follow and --json: one JSON document a line.": "起きたことを表示します。--follow と --json を併せると、1行に一つの JSON になります。",
    "Go on showing events as they happen.": "新しい出来事を表示し続けます。",
    "Only events behind this sequence number.": "この番号より後の出来事だけ",
    "The newest this many of what has happened.": "新しいものからこの件数まで",
    "Changes in progress.": "進行中の操作",
    "Show an operation, or follow it to its end with --wait.": "操作を表示します。--wait を付けると完了まで見守ります。",
    "The operation's id.": "操作の ID",
    # Catalogue, tokens, this program
    "Standard business systems of the catalogue.": "カタログの標準業務システム",
    "List the catalogue.": "カタログを一覧します。",
    "Disk images of the catalogue.": "カタログのディスクイメージ",
    "List the images.": "イメージを一覧します。",
    "The file, below the control plane's image directory.": "制御側のイメージディレクトリーにあるファイル",
    "The image's name: a-z, 0-9 and hyphens.": "イメージの名前(英小文字・数字・ハイフン)",
    "Its version, as its maker counts.": "作成者が付けた版",
    "Who made it from what, in one line.": "誰が何から作ったかを1行で",
    "The digest its maker published; another one is refused.": "作成者が公開したダイジェスト。異なれば拒否します。",
    "Add an image to the catalogue, once it has been read and its digest taken.": "イメージを読み、ダイジェストを求めてからカタログに加えます。",
    "Tokens for people and programs.": "利用者とプログラムのトークン",
    "Issue a token.": "トークンを発行します。",
    "Who will hold it; this name signs the audit trail.": "持ち主の名前。監査記録に署名として残ります。",
    "What it may do.": "役割",
    "Whose it is (municipality code), for the role tenant.": "tenant の場合の団体コード",
    "Days until it ends.": "有効日数",
    "Write the token to this new file (mode 600) instead of the screen.": "画面に出さず、この新しいファイル(モード 600)に書きます。",
    "Print a completion script: source <(yui completion bash).": "補完スクリプトを出力します: source <(yui completion bash)",
    "Which shell.": "シェルの種類",
    "Print the version of this yui.": "yui の版を表示します。",
}
