"""What a check of the audit trail can find, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from control_plane.model.audit_chain import ALL, CONSORTIUM, AuditHead


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the trail is not as it was written; `kind` is for programs."""

    kind: str
    chain: str | None
    position: int | None
    en: str
    ja: str


@dataclass(frozen=True, slots=True)
class Note:
    """What the check could not say, or took on trust."""

    en: str
    ja: str


def chain_en(chain: str) -> str:
    return {ALL: "the chain over all", CONSORTIUM: "the consortium's chain"}.get(
        chain, f"the chain of {chain.replace(':', ' ')}"
    )


def chain_ja(chain: str) -> str:
    return {ALL: "全体のチェーン", CONSORTIUM: "共同体のチェーン"}.get(
        chain, f"団体 {chain.removeprefix('member:')} のチェーン"
    )


def _entry(document: Mapping[str, object]) -> tuple[str, str]:
    chain, place = str(document.get("chain")), document.get("position")
    what = f"{document.get('action')}, {document.get('subject')}, {document.get('at')}"
    return (
        f"Entry {place} of {chain_en(chain)} ({what})",
        f"{chain_ja(chain)}の {place} 番目の記録({what})",
    )


def changed(document: Mapping[str, object], chain: str, position: int) -> Finding:
    en, ja = _entry(document)
    return Finding("entry-changed", chain, position, f"{en} is not as it was written: it was changed or put in afterwards.", f"{ja}は書かれたときのままではありません。後から変更または挿入されています。")  # fmt: skip


def hardware_changed(document: Mapping[str, object], chain: str, position: int) -> Finding:
    en, ja = _entry(document)
    return Finding("hardware-changed", chain, position, f"{en} names other hardware than when it was written: that part was changed.", f"{ja}の機器に関する部分が、書かれたときのままではありません。")  # fmt: skip


def out_of_order(document: Mapping[str, object], chain: str, position: int) -> Finding:
    en, ja = _entry(document)
    return Finding("out-of-order", chain, position, f"{en} stands behind a later one, or twice: entries were swapped or put in.", f"{ja}の位置が正しくありません。記録が入れ替えられたか、挿入されています。")  # fmt: skip


def removed(chain: str, first: int, last: int) -> Finding:
    en = f"Entry {first} of" if first == last else f"Entries {first} to {last} of"
    ja = f"{first} 番目" if first == last else f"{first}〜{last} 番目"
    return Finding("entry-removed", chain, first, f"{en} {chain_en(chain)} are missing: they were removed." if first != last else f"{en} {chain_en(chain)} is missing: it was removed.", f"{chain_ja(chain)}の{ja}の記録がありません。削除されています。")  # fmt: skip


def tail_removed(chain: str, last: int, head: AuditHead) -> Finding:
    return Finding("tail-removed", chain, last + 1, f"{_upper(chain_en(chain))} ends at entry {last}, but stood at {head.position} when its head was signed at {head.at}: its end was removed.", f"{chain_ja(chain)}は {last} 番目で終わっていますが、{head.at} の署名時には {head.position} 番目まで続いていました。末尾が削除されています。")  # fmt: skip


def rewritten(chain: str, head: AuditHead) -> Finding:
    return Finding("rewritten", chain, head.position, f"{_upper(chain_en(chain))} has another hash at {head.position} than its head of {head.at} says: entries up to there were rewritten after that.", f"{chain_ja(chain)}の {head.position} 番目のハッシュが、{head.at} の署名と一致しません。それ以前の記録が後から書き直されています。")  # fmt: skip


def unlinked(document: Mapping[str, object], sequence: int) -> Finding:
    en, ja = _entry(document)
    return Finding("link-broken", ALL, sequence, f"{en}, number {sequence} of all, is not what the chain over all says: its chain was rewritten, or it was put in.", f"{ja}(全体の {sequence} 番目)が、全体のチェーンと一致しません。そのチェーンが書き直されたか、記録が挿入されています。")  # fmt: skip


def foreign(document: Mapping[str, object], of: str) -> Finding:
    en, ja = _entry(document)
    return Finding("foreign-entry", str(document.get("chain")), None, f"{en} does not belong to {chain_en(of)}: it was put in.", f"{ja}は{chain_ja(of)}のものではありません。挿入されています。")  # fmt: skip


def head_forged(head: AuditHead) -> Finding:
    return Finding("head-forged", head.chain, head.position, f"The head of {chain_en(head.chain)} at {head.position} is not signed by its key: it is forged or was changed.", f"{chain_ja(head.chain)}の {head.position} 番目の署名が正しくありません。偽造または変更されています。")  # fmt: skip


def head_by_stranger(head: AuditHead) -> Finding:
    return Finding("key-unknown", head.chain, head.position, f"The head of {chain_en(head.chain)} at {head.position} is signed by the key {head.key[:16]}…, for which no key that you trust vouches: somebody else signed it.", f"{chain_ja(head.chain)}の {head.position} 番目は、信頼する鍵が保証していない鍵 {head.key[:16]}… で署名されています。第三者による署名です。")  # fmt: skip


def key_forged(public: str) -> Finding:
    return Finding("key-forged", None, None, f"The key {public[:16]}… was not introduced by the signatures that it names: it is forged or was changed.", f"鍵 {public[:16]}… の導入時の署名が正しくありません。偽造または変更されています。")  # fmt: skip


def key_by_stranger(public: str) -> Finding:
    return Finding("key-unknown", None, None, f"No key that you trust vouches for the key {public[:16]}…: somebody else put it in.", f"信頼する鍵は、鍵 {public[:16]}… を保証していません。第三者が加えた鍵です。")  # fmt: skip


def key_untold(public: str) -> Finding:
    return Finding("key-untold", CONSORTIUM, None, f"No entry tells of the key {public[:16]}…: the entry was removed, or the key was put in.", f"鍵 {public[:16]}… の導入の記録がありません。記録が削除されたか、鍵が後から加えられています。")  # fmt: skip


def pinned_key_gone(public: str) -> Finding:
    return Finding("key-missing", None, None, f"The key {public[:16]}… that you trust is not among those of this trail: its keys were replaced, or you named the key of another one.", f"信頼する鍵 {public[:16]}… がこの記録の鍵の中にありません。鍵が差し替えられたか、別の記録の鍵を指定しています。")  # fmt: skip


def unreadable(number: int) -> Finding:
    return Finding("unreadable", None, None, f"Line {number} is no line of an exported trail: the file was changed, or is something else.", f"{number} 行目は監査記録の書き出しとして読めません。変更されたか、別のファイルです。")  # fmt: skip


def cut_off() -> Finding:
    return Finding("cut-off", None, None, "The export has no last line: it was cut off, so export it again.", "書き出しが途中で切れています。もう一度書き出してください。")  # fmt: skip


def unsigned() -> Finding:
    return Finding("unsigned", None, None, "The trail has keys, but this export is not signed: its end was changed, or the control plane has lost its key.", "記録には署名鍵がありますが、この書き出しには署名がありません。末尾が変更されたか、管理サーバーが鍵を失っています。")  # fmt: skip


def file_changed() -> Finding:
    return Finding("file-changed", None, None, "The export is not the one that was signed: a line in it was changed, added or removed after it was written.", "書き出しが署名時の内容と一致しません。書き出し後に行が変更・追加・削除されています。")  # fmt: skip


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]
