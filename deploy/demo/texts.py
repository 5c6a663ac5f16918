"""What the demonstration says, in both languages."""

from __future__ import annotations

from control_plane.cli.language import Message

WELCOME = Message(
    "Yui: municipalities own a cloud together. Watch one of its hosts die.",
    "結(ゆい): 自治体が共同で持つクラウドです。ホストが1台停止したときに何が起きるかをご覧ください。",
)
REAL = Message(
    "Real virtual machines on {hypervisor}.", "実際の仮想マシンを {hypervisor} で動かします。"
)
SIMULATED = Message(
    "No hypervisor can be had here, so this plays in the simulated World: {why}",
    "この環境ではハイパーバイザーを使えないため、シミュレーションで実行します: {why}",
)
ASKED_FOR = Message("that was asked for.", "シミュレーションが指定されました。")
HOSTS_UP = Message(
    "{count} hosts in {sites} data centres are clean and in use.",
    "{sites} つのデータセンターのホスト {count} 台が使用可能になりました。",
)
JOINING = Message(
    "Members apply through the API; a second person lets each of them in:",
    "参加団体が API から申請し、別の担当者が承認します:",
)
JOINED = Message(
    "  {name} ({prefecture}, population {population:,}): {servers} servers admitted in {took:.2f} s",
    "  {name}({prefecture}、人口 {population:,} 人): サーバー {servers} 台を {took:.2f} 秒で受け入れ",
)
ANSWERING = Message("{count} of {total} servers answer", "サーバー {total} 台中 {count} 台が応答")
RECORDS = Message(
    "Each of the {count} servers has written a record to its disk and acknowledged it.",
    "サーバー {count} 台すべてがレコードをディスクに書き込み、完了を応答しました。",
)
PROMISE = Message(
    "Certificate of {region}: valid, {refuges} refuges checked.",
    "{region} の証明書: 有効。退避先 {refuges} 件を検査しました。",
)
VICTIM = Message(
    "Now {host} is cut off the network and its power is cut. It carries {count} servers: {names}",
    "ここで {host} をネットワークから切り離し、電源を切ります。稼働中のサーバーは {count} 台: {names}",
)
PROMISED = Message("  {server}: promised refuge {refuge}", "  {server}: 約束された退避先 {refuge}")
EVENT = Message("  +{after:5.1f} s  {sentence}", "  +{after:5.1f} 秒  {sentence}")
ALL_BACK = Message(
    "All {count} servers answer again, {seconds:.1f} s after the cut.",
    "切断から {seconds:.1f} 秒で、サーバー {count} 台すべてが再び応答しました。",
)
NOT_BACK = Message(
    "{count} servers do not answer again: {names}",
    "サーバー {count} 台が応答しません: {names}",
)
REFUGES_KEPT = Message(
    "Every server restarted on the very host that the certificate had promised.",
    "すべてのサーバーが、証明書で約束されたホストで再起動しました。",
)
REFUGES_MISSED = Message(
    "{count} servers restarted elsewhere than promised: {names}",
    "サーバー {count} 台が約束と異なるホストで再起動しました: {names}",
)
INTACT = Message("Every record is intact.", "すべてのレコードが無事です。")
MISSING = Message("{count} records are missing.", "レコード {count} 件が失われました。")
VALID_AGAIN = Message(
    "The certificate of {region} is valid again: the pool survives its next failure too.",
    "{region} の証明書は再び有効です。次の障害にも耐えられます。",
)
NOT_VALID = Message(
    "The certificate of {region} cannot be complete now: {why}",
    "{region} の証明書は現在完全ではありません: {why}",
)
PLANNING = Message(
    "The whole trial of 2009–2011 joins a simulated pool of three data centres",
    "2009〜2011年の実証事業の全団体が、3つのデータセンターのシミュレーションに加入します",
)
PLANNED = Message(
    "{members} members with {servers} servers on {hosts} hosts, certified in {took:.1f} s. "
    "Surviving any host's death costs {worth:.1f} hosts' worth of room.",
    "{members} 団体、サーバー {servers} 台を {hosts} 台のホストに収め、{took:.1f} 秒で証明しました。"
    "どのホストが停止しても耐えるための余力は、ホスト {worth:.1f} 台分です。",
)
DONE = Message(
    "Done in {seconds:.0f} s. Report: {path}", "{seconds:.0f} 秒で終わりました。報告書: {path}"
)
CLEANING_UP = Message("Cleaning up.", "後片付けをしています。")
BUILDING = Message("Building the pool: {what}", "プールを構築しています: {what}")
