#!/usr/bin/env python3
"""Reads a copy of a tenant's backups without Yui: lists, checks and restores.

One file to carry beside the copy and the escrow file. Needs Python 3.9 or newer with
`cryptography` and `zstandard`; uses `blake3` where it is installed and its own otherwise.
The format it reads is told in docs/repository-format.md; nothing here comes from the program
that wrote the backups, so that each checks the other.

    python3 yui_restore.py list PLACE
    python3 yui_restore.py show PLACE POINT --escrow FILE
    python3 yui_restore.py restore PLACE POINT --to DIRECTORY --escrow FILE [--format qcow2]
    python3 yui_restore.py check PLACE [--escrow FILE]

Ends with 0 when all is well, 1 when something is damaged or missing, 2 for a mistake in the
command, 3 when the keys do not fit, 4 when the copy can not be read, 5 when the destination can
not be written, 130 when interrupted (the same command goes on where it stopped).
"""

# Runs on Python 3.9, whose zip() knows no strict.
# ruff: noqa: B905, PLR0917, UP017, UP031

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import getpass
import hashlib
import hmac
import io
import itertools
import json
import locale
import os
import re
import sqlite3
import stat
import struct
import sys
import threading
import time
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from pathlib import Path
from typing import (
    Any,
    BinaryIO,
    NamedTuple,
    NoReturn,
)

try:
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )
except ImportError as missing:
    sys.exit(
        f"yui_restore needs {missing.name}: apt install python3-cryptography python3-zstandard\n"
        f"{missing.name} が必要です: apt install python3-cryptography python3-zstandard"
    )

try:
    import blake3 as _fast_blake3
except ImportError:
    _fast_blake3 = None  # type: ignore[assignment]

OK, DAMAGED, USAGE, WRONG_KEYS, UNREADABLE, DESTINATION, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

ZERO = bytes(32)
FANOUT = 256
CHUNKS, NODES = 1, 2
ZSTD = 1
HEADER, TRAILER = 64, 16
CONSISTENCIES = ("quiesced", "stopped", "crash")
LARGEST_COUNT = (1 << 63) - 1
LARGEST_MANIFEST = 256 << 20
LARGEST_REPOSITORY = 64 << 10
LARGEST_KEYS = 1 << 20
LARGEST_PACK = 96 << 20
DEEPEST = 16
LONGEST_TEXT = 4096
LONGEST_CELL = 60
LARGEST_FOOTER = 64 << 20
LARGEST_SEGMENT = 1 << 20
LARGEST_INDEX = 96 << 20
LARGEST_QCOW2 = 1 << 46
LARGEST_SCRYPT = (1 << 22, 32, 16)
MOST_WORKERS = 256

# ---------------------------------------------------------------------------------- messages

MESSAGES: dict[str, tuple[str, str]] = {
    "no-copy": (
        "{place} holds no tenant's part of a Yui repository: name the directory that holds "
        "'tenants' or 'points' and 'packs'.",
        "{place} に Yui のバックアップの写しがありません。"
        "'tenants' か 'points' と 'packs' のあるディレクトリを指定してください。",
    ),
    "several-tenants": (
        "{place} holds several tenants ({tenants}): choose one with --tenant.",
        "{place} には複数の団体（{tenants}）があります。--tenant で一つ選んでください。",
    ),
    "unknown-version": (
        "{what} is of format {format} version {version}, which this program does not know: "
        "use a newer yui_restore.py.",
        "{what} は形式 {format} の版 {version} で、このプログラムでは読めません。"
        "新しい yui_restore.py を使ってください。",
    ),
    "another-format": (
        "{what} should be of format {form}, and says that it is of {format} (damaged or changed).",
        "{what} の形式は {form} のはずですが、{format} となっています（破損または改変）。",
    ),
    "unreadable": ("{what} can not be read: {why}.", "{what} を読めません（{why}）。"),
    "no-json": ("{what} can not be understood: {why}.", "{what} を解釈できません（{why}）。"),
    "too-large": (
        "{what} has {size} bytes, more than any that is written: it is not read.",
        "{what} は {size} バイトで、書き込まれる大きさを超えているため読みません。",
    ),
    "qcow2-too-large": (
        "Disk {disk} of {server} has {size} bytes, too many for qcow2 here: use --format raw.",
        "{server} のディスク {disk} は {size} バイトあり、qcow2 では書き出せません。"
        "--format raw を使ってください。",
    ),
    "no-memory": (
        "This machine has too little memory for that.",
        "この機械のメモリーが足りません。",
    ),
    "keyring-passed-over": (
        "{used} is used, as a later keyring can not be: what was sealed since may lack its keys.",
        "新しい鍵束を使えないため、{used} を使います。その後に作られたデータの鍵は、ないことがあります。",
    ),
    "out-of-bounds": (
        "{given} is not a whole number from {least} to {most}.",
        "{given} は {least} から {most} までの整数ではありません。",
    ),
    "set-unread": (
        "No recovery point that can be read is of set {set}; {count} that can not be read may be: {what}.",
        "読める復元ポイントに、セット {set} のものはありません。"
        "読めない {count} 件（{what}）がそうかもしれません。",
    ),
    "set-lacks": (
        "Set {set} lacks server {server}: no recovery point of it can be read here. "
        "Fetch that from another copy and restore it by its own name.",
        "セット {set} のサーバー {server} が欠けています。その復元ポイントはここでは読めません。"
        "別の写しから用意し、その名前を指定して復元してください。",
    ),
    "set-may-lack": (
        "Set {set} may lack server {server}: {what} is of the same time and can not be read. "
        "Fetch that from another copy and restore it by its own name.",
        "セット {set} のサーバー {server} が欠けているかもしれません。"
        "同じ時刻の {what} を読めません。"
        "別の写しから用意し、その名前を指定して復元してください。",
    ),
    "named-apart": (
        "{path} is disk {disk} of {server} ({point}): others would have the same name.",
        "{path} は {server} のディスク {disk}（{point}）です。"
        "同じ名前になるものがほかにあるため、区別しました。",
    ),
    "no-point": (
        "There is no recovery point {point} in this copy: `list` shows what there is.",
        "復元ポイント {point} はこの写しにありません。list で一覧を確認してください。",
    ),
    "several-points": (
        "{point} fits several recovery points ({points}): name one of them in full.",
        "{point} に当てはまる復元ポイントが複数あります（{points}）。完全な名前で指定してください。",
    ),
    "no-disk": (
        "The recovery point has no disk {disk}; it has {disks}.",
        "この復元ポイントにディスク {disk} はありません。あるのは {disks} です。",
    ),
    "keys-needed": (
        "This needs the keys: give --escrow FILE (with its passphrase or --private-key), "
        "or --repository-key FILE.",
        "鍵が必要です。--escrow FILE（パスフレーズまたは --private-key）か "
        "--repository-key FILE を指定してください。",
    ),
    "wrong-passphrase": (
        "The passphrase does not open {what}, or {what} was changed.",
        "このパスフレーズでは {what} を開けません。または {what} が書き換えられています。",
    ),
    "wrong-key": (
        "The key does not open {what}, or {what} was changed.",
        "この鍵では {what} を開けません。または {what} が書き換えられています。",
    ),
    "wrong-tenant": (
        "{what} is of tenant {found}, not of {expected}.",
        "{what} は団体 {found} のもので、{expected} のものではありません。",
    ),
    "not-a-key": (
        "{what} holds no key of 32 bytes (raw, 64 hex digits, base64 or PEM).",
        "{what} に 32 バイトの鍵（生、16進64桁、base64、PEM）がありません。",
    ),
    "scrypt-too-large": (
        "{what} asks for more memory than is allowed (n={n}, r={r}, p={p}).",
        "{what} は許容量を超えるメモリーを求めています（n={n}, r={r}, p={p}）。",
    ),
    "no-seal-key": (
        "The keys do not hold seal key {key}, which {what} needs: take a newer escrow file.",
        "{what} に必要な鍵 {key} がありません。新しい預託ファイルを使ってください。",
    ),
    "hash-differs": (
        "{what}: its content is not what its name says (damaged or changed).",
        "{what}: 内容が名前のハッシュと一致しません（破損または改変）。",
    ),
    "malformed": ("{what}: {why}.", "{what}: 形式が正しくありません（{why}）。"),
    "seal-broken": (
        "{what}: {part} does not decrypt (damaged or changed).",
        "{what}: {part} を復号できません（破損または改変）。",
    ),
    "id-differs": (
        "{what}: {part} decrypts to something else than its id says.",
        "{what}: {part} の内容が ID と一致しません。",
    ),
    "mac-differs": (
        "{what}: the recovery point was not written by a holder of the keys (its mac differs).",
        "{what}: この復元ポイントは鍵の持ち主が書いたものではありません（mac が一致しません）。",
    ),
    "node-missing": (
        "{what}: part of disk {disk} (tree node {id}) is in no readable pack.",
        "{what}: ディスク {disk} の一部（木の節 {id}）が、読めるパックのどこにもありません。",
    ),
    "holes": (
        "{count} pieces of {disk} are in no readable pack; the first is at byte {offset}. "
        "{path} is not finished. Fetch the missing packs and run the same command again, or "
        "accept the holes with --accept-holes.",
        "{disk} の {count} か所が、読めるパックのどこにもありません（最初は {offset} バイト目）。"
        "{path} は未完成です。足りないパックを用意して同じコマンドをもう一度実行するか、"
        "--accept-holes で欠けたまま仕上げてください。",
    ),
    "holes-accepted": (
        "{path} is finished WITH {count} HOLES; they are listed in {list}.",
        "{path} を {count} か所欠けたまま仕上げました。欠けた場所は {list} にあります。",
    ),
    "exists": (
        "{path} exists already: name another destination or remove it.",
        "{path} はすでにあります。別の場所を指定するか、削除してください。",
    ),
    "destination": ("{path} can not be written: {why}.", "{path} に書き込めません（{why}）。"),
    "restored": (
        "{path}: {bytes} bytes, of which {data} hold data; every piece agrees with its id.",
        "{path}: {bytes} バイト（うちデータ {data}）。すべて ID と一致しました。",
    ),
    "resumed": (
        "{path}: {done} of an earlier run are right and stay.",
        "{path}: 前回の {done} は正しいので、そのまま使います。",
    ),
    "described": ("{path}: the server's description.", "{path}: サーバーの設定情報です。"),
    "interrupted": (
        "Interrupted. The same command goes on where this one stopped.",
        "中断しました。同じコマンドで続きから再開できます。",
    ),
    "progress": ("{done} of {all} ({percent} %)", "{all} 中 {done}（{percent} %）"),
    "check-object": ("checked", "検査済み"),
    "check-good": (
        "{objects} objects and {points} recovery points: all good ({how}).",
        "オブジェクト {objects} 個、復元ポイント {points} 個: すべて正常です（{how}）。",
    ),
    "check-bad": (
        "{objects} objects and {points} recovery points: {damages} damages ({how}).",
        "オブジェクト {objects} 個、復元ポイント {points} 個: 損傷 {damages} 件（{how}）。",
    ),
    "how-keyless": (
        "without keys: each object against the hash in its name",
        "鍵なし: 各オブジェクトを名前のハッシュと照合",
    ),
    "how-keys": (
        "with keys: everything decrypted and each piece against its id",
        "鍵あり: すべて復号し、各部を ID と照合",
    ),
    "point-affected": (
        "recovery point {point} of {server} can not be restored whole (disk {disk})",
        "{server} の復元ポイント {point} は完全には復元できません（ディスク {disk}）",
    ),
    "ask-passphrase": ("Passphrase of {file}: ", "{file} のパスフレーズ: "),
    "no-points": (
        "There are no recovery points in this copy.",
        "この写しに復元ポイントはありません。",
    ),
    "list-head": (
        "POINT\tTAKEN\tSERVER\tCONSISTENCY\tDISKS\tSIZE\tCHECK",
        "復元ポイント\t取得時刻\tサーバー\t整合性\tディスク\tサイズ\t確認",
    ),
    "quiesced": ("quiesced", "静止して取得"),
    "stopped": ("stopped", "停止して取得"),
    "crash": ("crash", "稼働のまま取得"),
    "state-ok": ("good", "正常"),
    "state-hash": ("hash only", "ハッシュのみ"),
    "state-bad": ("DAMAGED", "破損"),
    "choose-what": (
        "Name a recovery point, or --set, or --server (with --date for the newest up to then).",
        "復元ポイント、--set、または --server（--date でその日時までの最新）を指定してください。",
    ),
    "bad-date": (
        "{date} is not a time: write 2026-11-21 or 2026-11-21T10:00 (UTC) or with +09:00.",
        "{date} は日時ではありません。2026-11-21 や 2026-11-21T10:00+09:00 の形で書いてください。",
    ),
    "help-about": (
        "Reads a copy of a tenant's Yui backups without Yui.",
        "Yui のバックアップの写しを、Yui なしで読み出します。",
    ),
    "help-list": ("the recovery points in the copy", "写しにある復元ポイントの一覧"),
    "help-show": ("all about one recovery point", "復元ポイントの詳細"),
    "help-restore": (
        "write disks of a recovery point, or of a whole set, as files",
        "復元ポイント（またはセット全体）のディスクをファイルに書き出します",
    ),
    "help-check": ("read everything and name what is damaged", "すべて読み、破損を報告します"),
    "help-place": ("directory with the copy", "写しのあるディレクトリ"),
    "help-point": ("recovery point (its start is enough)", "復元ポイント（先頭だけでも可）"),
    "help-escrow": ("the escrow file that holds the keys", "鍵の入った預託ファイル"),
    "help-passphrase-file": (
        "read the passphrase from this file instead of asking",
        "パスフレーズをこのファイルから読みます",
    ),
    "help-passphrase-fd": (
        "read the passphrase from this file descriptor",
        "パスフレーズをこのファイル記述子から読みます",
    ),
    "help-private-key": (
        "X25519 private key that the escrow file was sealed for",
        "預託ファイルの宛先の X25519 秘密鍵",
    ),
    "help-repository-key": (
        "the operator's repository key, to open the keyring in the copy",
        "運用者のリポジトリ鍵（写しの鍵束を開きます）",
    ),
    "help-to": ("directory to write into", "書き出し先のディレクトリ"),
    "help-disk": ("only this disk (may be repeated)", "このディスクだけ（複数指定可）"),
    "help-format": ("raw (sparse) or qcow2", "raw（スパース）または qcow2"),
    "help-set": (
        "every server of the system that was taken together under this set id",
        "同時に取得したシステム全体のセットID",
    ),
    "help-server": ("the newest point of this server", "このサーバーの最新の復元ポイント"),
    "help-date": ("the newest up to this time", "この日時までの最新"),
    "help-holes": (
        "finish even if pieces are missing; they read as zeros and are listed beside the file",
        "欠けた部分があっても仕上げます（ゼロで埋め、一覧を残します）",
    ),
    "help-workers": ("threads that decrypt", "復号するスレッド数"),
    "help-tenant": ("tenant's code, where the copy holds several", "団体コード（複数ある場合）"),
    "help-language": ("en or ja", "en または ja"),
    "help-json": ("print JSON for programs", "プログラム向けの JSON を出力"),
}


class Words:
    """Says things in the reader's language."""

    def __init__(self, language: str) -> None:
        self._at = 1 if language == "ja" else 0

    def __call__(self, key: str, /, **values: object) -> str:
        shown = {name: printable(value) for name, value in values.items()}
        return MESSAGES[key][self._at].format(**shown)


def printable(value: object, at_most: int = LONGEST_TEXT) -> str:
    """In one line, and without what a terminal would obey: anybody may have written it."""
    text = str(value)
    if len(text) > at_most:
        text = text[: at_most - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or unicodedata.category(each) == "Zs" else in_json(each)
        for each in text
    )


def in_json(letters: str) -> str:
    return json.dumps(letters)[1:-1]


def json_text(value: object) -> str:
    """For people and programs: whatever a terminal would obey is told as JSON tells it."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(
        each
        if each == "\n" or each.isprintable() or unicodedata.category(each) == "Zs"
        else in_json(each)
        for each in text
    )


class Trouble(Exception):
    """Something a person has to know: which message, its values, and how the program ends."""

    def __init__(self, status: int, key: str, /, **values: object) -> None:
        super().__init__(MESSAGES[key][0].format(**values))
        self.status = status
        self.key = key
        self.values = values


def usual_language() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "ja" if os.environ[name].lower().startswith("ja") else "en"
    return "ja" if (locale.getlocale()[0] or "").lower().startswith("ja") else "en"


# ------------------------------------------------------------------------------------ BLAKE3

_IV = (
    0x6A09E667,
    0xBB67AE85,
    0x3C6EF372,
    0xA54FF53A,
    0x510E527F,
    0x9B05688C,
    0x1F83D9AB,
    0x5BE0CD19,
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT, _KEYED = 1, 2, 4, 8, 16
_COLUMNS = (
    (0, 4, 8, 12),
    (1, 5, 9, 13),
    (2, 6, 10, 14),
    (3, 7, 11, 15),
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)
_LANES = 2048


def _compress(
    chaining: Sequence[int],
    block: Sequence[int],
    counter: int,
    length: int,
    flags: int,
    ones: int,
) -> list[int]:
    """BLAKE3's compression in many lanes at once; the first 32 bytes of its output.

    Each number holds one 32-bit word of every lane, 64 bits apart, so that Python's long
    integers do all lanes in one operation; `ones` has a 1 in each lane.
    """
    mask = ones * 0xFFFFFFFF
    state = [
        *chaining,
        *(ones * word for word in _IV[:4]),
        counter & mask,
        (counter >> 32) & mask,
        ones * length,
        flags,
    ]
    message = list(block)
    for round_number in range(7):
        for i, (a, b, c, d) in enumerate(_COLUMNS):
            va = (state[a] + state[b] + message[2 * i]) & mask
            vd = state[d] ^ va
            vd = ((vd >> 16) | (vd << 16)) & mask
            vc = (state[c] + vd) & mask
            vb = state[b] ^ vc
            vb = ((vb >> 12) | (vb << 20)) & mask
            va = (va + vb + message[2 * i + 1]) & mask
            vd ^= va
            vd = ((vd >> 8) | (vd << 24)) & mask
            vc = (vc + vd) & mask
            vb ^= vc
            state[a], state[c], state[d] = va, vc, vd
            state[b] = ((vb >> 7) | (vb << 25)) & mask
        if round_number < 6:
            message = [message[i] for i in _PERMUTATION]
    return [state[i] ^ state[i + 8] for i in range(8)]


def _lanes(words: Sequence[int]) -> int:
    return int.from_bytes(struct.pack("<%dQ" % len(words), *words), "little")


def _values(state: Sequence[int], lanes: int) -> list[bytes]:
    """Each lane's eight words as 32 bytes."""
    columns = [struct.unpack("<%dQ" % lanes, word.to_bytes(8 * lanes, "little")) for word in state]
    return [struct.pack("<8I", *words) for words in zip(*columns)]


def _whole_chunks(
    data: bytes, counters: Sequence[int], key: Sequence[int], flag: int
) -> list[bytes]:
    lanes = len(counters)
    ones = _lanes([1] * lanes)
    words = struct.unpack("<%dI" % (256 * lanes), data)
    counter = _lanes(counters)
    chaining: Sequence[int] = [ones * word for word in key]
    for block in range(16):
        flags = flag | (_CHUNK_START if block == 0 else 0) | (_CHUNK_END if block == 15 else 0)
        message = [_lanes(words[block * 16 + word :: 256]) for word in range(16)]
        chaining = _compress(chaining, message, counter, 64, ones * flags, ones)
    return _values(chaining, lanes)


def _last_chunk(data: bytes, counter: int, key: Sequence[int], flag: int, root: bool) -> bytes:
    chaining: Sequence[int] = key
    starts = range(0, max(len(data), 1), 64)
    for start in starts:
        block = data[start : start + 64]
        flags = flag | (_CHUNK_START if start == 0 else 0)
        if start == starts[-1]:
            flags |= _CHUNK_END | (_ROOT if root else 0)
        message = struct.unpack("<16I", block.ljust(64, b"\0"))
        chaining = _compress(chaining, message, counter, len(block), flags, 1)
    return struct.pack("<8I", *chaining)


def blake3_in_python(messages: Sequence[bytes], key: bytes | None = None) -> list[bytes]:
    """BLAKE3-256 of each message (keyed where a key of 32 bytes is given), without any library."""
    words = _IV if key is None else struct.unpack("<8I", key)
    flag = 0 if key is None else _KEYED
    found: list[list[bytes]] = [[] for _ in messages]
    work: list[tuple[int, int]] = []
    for which, message in enumerate(messages):
        if len(message) > 1024:
            work += [(which, counter) for counter in range(len(message) // 1024)]
    for start in range(0, len(work), _LANES):
        part = work[start : start + _LANES]
        data = b"".join(messages[which][c * 1024 : (c + 1) * 1024] for which, c in part)
        values = _whole_chunks(data, [counter for _, counter in part], words, flag)
        for (which, _), value in zip(part, values):
            found[which].append(value)
    for which, message in enumerate(messages):
        if len(message) <= 1024:
            found[which].append(_last_chunk(message, 0, words, flag, root=True))
        elif len(message) % 1024:
            counter = len(message) // 1024
            rest = message[counter * 1024 :]
            found[which].append(_last_chunk(rest, counter, words, flag, root=False))
    while any(len(values) > 1 for values in found):
        found = _parents(found, words, flag)
    return [values[0] for values in found]


def _parents(found: list[list[bytes]], key: Sequence[int], flag: int) -> list[list[bytes]]:
    """One level up in each message's tree: neighbours are joined, an odd last one goes up alone."""
    pairs = [
        (which, values[i] + values[i + 1], len(values) == 2)
        for which, values in enumerate(found)
        for i in range(0, len(values) - 1, 2)
    ]
    above: list[list[bytes]] = [[] for _ in found]
    for start in range(0, len(pairs), _LANES):
        part = pairs[start : start + _LANES]
        ones = _lanes([1] * len(part))
        words = struct.unpack("<%dI" % (16 * len(part)), b"".join(block for _, block, _ in part))
        flags = _lanes([flag | _PARENT | (_ROOT if root else 0) for _, _, root in part])
        message = [_lanes(words[word::16]) for word in range(16)]
        state = _compress([ones * word for word in key], message, 0, 64, flags, ones)
        for (which, _, _), value in zip(part, _values(state, len(part))):
            above[which].append(value)
    for which, values in enumerate(found):
        if len(values) % 2:
            above[which].append(values[-1])
    return above


def blake3_many(messages: Sequence[bytes], key: bytes | None = None) -> list[bytes]:
    if _fast_blake3 is None:
        return blake3_in_python(messages, key)
    if key is None:
        return [_fast_blake3.blake3(message).digest() for message in messages]
    return [_fast_blake3.blake3(message, key=key).digest() for message in messages]


def blake3_of(message: bytes, key: bytes | None = None) -> bytes:
    return blake3_many([message], key)[0]


# -------------------------------------------------------------------------------------- keys


def hkdf(secret: bytes, salt: bytes, info: str, length: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869); an empty salt is 32 zero bytes, as the RFC says."""
    extracted = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    block, out = b"", b""
    while len(out) < length:
        block = hmac.new(
            extracted, block + info.encode() + bytes([len(out) // 32 + 1]), hashlib.sha256
        ).digest()
        out += block
    return out[:length]


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(text: object) -> bytes:
    return base64.b64decode(str(text), validate=True)


def parsed(data: bytes, *, whole: bool = True) -> Any:
    """JSON of whole numbers alone where `whole`, of bounded depth. Raises ValueError for all else."""
    try:
        value = json.loads(
            data.decode(json.detect_encoding(data)),
            parse_int=whole_number,
            parse_float=not_whole if whole else None,
            parse_constant=not_whole,
        )
    except RecursionError:
        raise ValueError("JSON, too deep") from None
    except UnicodeDecodeError:
        raise ValueError("JSON, not UTF-8") from None
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.keys()
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str) and not each.isascii():
                each.encode()  # Half a letter, as \\ud800 alone is, can't be written anywhere.
        level = below
        if not level:
            return value
    raise ValueError("JSON, too deep")


def whole_number(text: str) -> int:
    if len(text) > 20:
        raise ValueError("JSON, a number out of bounds")
    return int(text)


def not_whole(text: str) -> NoReturn:
    raise ValueError(f"JSON, {text[:20]} is no whole number")


def named_text(told: Any, name: str) -> str:
    value = told[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value


def count_of(told: Any, name: str, at_most: int = LARGEST_COUNT) -> int:
    value = told[name]
    if type(value) is not int or not 0 <= value <= at_most:
        raise ValueError(name)
    return value


def why_of(error: Exception) -> str:
    """A KeyError tells but the name of what is lacking."""
    return repr(error) if isinstance(error, KeyError) else str(error)


def unseal(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes | None:
    """The plaintext, or None where it was not sealed so."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except (InvalidTag, ValueError):
        return None


class Keys:
    """A tenant's keys: what the keyring and the escrow file hold."""

    def __init__(self, tenant: str, secret: bytes, what: str) -> None:
        try:
            read = parsed(secret)
            id_key = b64(read["id_key"])
            self._seals = {str(each["id"]): b64(each["key"]) for each in read["seal_keys"]}
        except (ValueError, KeyError, TypeError) as error:
            raise Trouble(WRONG_KEYS, "malformed", what=what, why=why_of(error)) from None
        self.tenant = tenant
        self.chunk = hkdf(id_key, b"", "yui chunk id")
        self.node = hkdf(id_key, b"", "yui node id")
        self.point = hkdf(id_key, b"", "yui point")

    def seal(self, key_id: str, what: str) -> bytes:
        if key_id not in self._seals:
            raise Trouble(WRONG_KEYS, "no-seal-key", key=key_id, what=what)
        return self._seals[key_id]


def read_json(path: Path, form: str, at_most: int = LARGEST_KEYS) -> dict[str, Any]:
    try:
        with reading(path, at_most) as file:
            data = file.read()
    except Trouble as trouble:
        raise Trouble(UNREADABLE, trouble.key, **trouble.values) from None
    return form_of(data, form, path)


def form_of(data: bytes, form: str, what: Path) -> dict[str, Any]:
    try:
        read = parsed(data)
    except ValueError as error:
        why = "JSON" if isinstance(error, json.JSONDecodeError) else error
        raise Trouble(UNREADABLE, "no-json", what=what, why=why) from None
    told = read if isinstance(read, dict) else {}
    found, version = told.get("format"), told.get("version")
    if found != form:
        shown = printable(found, LONGEST_CELL)
        raise Trouble(UNREADABLE, "another-format", what=what, format=shown, form=form)
    if type(version) is not int or version != 1:
        shown = printable(version, LONGEST_CELL)
        raise Trouble(UNREADABLE, "unknown-version", what=what, format=form, version=shown)
    return told


def read_key(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Trouble(UNREADABLE, "unreadable", what=path, why=error.strerror) from None
    if len(data) == 32:
        return data
    for decode in (bytes.fromhex, b64):
        try:
            key: bytes = decode(data.decode("ascii").strip())
        except ValueError:
            continue
        if len(key) == 32:
            return key
    raise Trouble(USAGE, "not-a-key", what=path)


def read_private_key(path: Path) -> X25519PrivateKey:
    data = path.read_bytes() if path.is_file() else b""
    if b"-----BEGIN" in data:
        try:
            loaded = load_pem_private_key(data, password=None)
        except (ValueError, TypeError):
            loaded = None
        if not isinstance(loaded, X25519PrivateKey):
            raise Trouble(USAGE, "not-a-key", what=path)
        return loaded
    return X25519PrivateKey.from_private_bytes(read_key(path))


def keys_from_escrow(path: Path, passphrase: Callable[[], str], private_key: Path | None) -> Keys:
    escrow = read_json(path, "yui-escrow")
    try:
        tenant, generation = named_text(escrow, "tenant"), count_of(escrow, "generation")
        nonce, sealed = b64(escrow["nonce"]), b64(escrow["sealed"])
        aad = b"yui-escrow 1\0" + tenant.encode() + b"\0" + str(generation).encode()
        if escrow["how"] == "passphrase":
            wrong = "wrong-passphrase"
            n, r, p = (count_of(escrow["scrypt"], name) for name in ("n", "r", "p"))
            if n > LARGEST_SCRYPT[0] or r > LARGEST_SCRYPT[1] or p > LARGEST_SCRYPT[2]:
                raise Trouble(WRONG_KEYS, "scrypt-too-large", what=path, n=n, r=r, p=p)
            key = hashlib.scrypt(
                unicodedata.normalize("NFKC", passphrase()).encode(),
                salt=b64(escrow["scrypt"]["salt"]),
                n=n,
                r=r,
                p=p,
                maxmem=128 * r * (n + p + 2) + (1 << 20),
                dklen=32,
            )
        elif escrow["how"] == "x25519":
            wrong = "wrong-key"
            if private_key is None:
                raise Trouble(WRONG_KEYS, "keys-needed")
            mine = read_private_key(private_key)
            public = mine.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            ephemeral = b64(escrow["ephemeral"])
            shared = mine.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            key = hkdf(shared, ephemeral + public, "yui escrow")
        else:
            how = printable(escrow["how"], LONGEST_CELL)
            raise Trouble(UNREADABLE, "unknown-version", what=path, format=how, version=1)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Trouble(UNREADABLE, "malformed", what=path, why=why_of(error)) from None
    secret = unseal(key, nonce, sealed, aad)
    if secret is None:
        raise Trouble(WRONG_KEYS, wrong, what=path)
    return Keys(tenant, secret, str(path))


class Ring(NamedTuple):
    """A keyring as it lies in the copy."""

    tenant: str
    generation: int
    wrapped_by: str
    nonce: bytes
    wrapped: bytes

    @staticmethod
    def at(path: Path) -> Ring:
        told = read_json(path, "yui-keyring")
        try:
            ring = Ring(
                named_text(told, "tenant"),
                count_of(told, "generation"),
                named_text(told, "wrapped_by"),
                b64(told["nonce"]),
                b64(told["wrapped"]),
            )
            if ring.generation != int(path.name[:8]):
                raise ValueError("generation")
        except (KeyError, TypeError, ValueError) as error:
            raise Trouble(UNREADABLE, "malformed", what=path, why=why_of(error)) from None
        return ring

    def opened(self, repository_key: bytes, path: Path) -> Keys:
        aad = b"yui-keyring 1\0" + self.tenant.encode() + b"\0" + str(self.generation).encode()
        secret = unseal(repository_key, self.nonce, self.wrapped, aad)
        if secret is None:
            raise Trouble(WRONG_KEYS, "wrong-key", what=path)
        return Keys(self.tenant, secret, str(path))


def keys_from_keyring(copy: Copy, repository_key: bytes, words: Words) -> Keys:
    """The newest keyring that this repository key opens (a copy may hold older ones besides)."""
    rings = copy.keyrings()
    key_id = hkdf(repository_key, b"", "yui repository key id", 8).hex()
    troubles: list[Trouble] = []
    for path in rings:
        try:
            ring = Ring.at(path)
            if ring.wrapped_by != key_id:
                continue
            keys = ring.opened(repository_key, path)
        except Trouble as trouble:
            troubles.append(trouble)
            continue
        for each in troubles:
            print(words(each.key, **each.values), file=sys.stderr)
        if troubles:
            print(words("keyring-passed-over", used=path), file=sys.stderr)
        return keys
    if troubles:
        raise troubles[0]
    raise Trouble(WRONG_KEYS, "wrong-key", what=rings[0] if rings else copy.root / "keyring")


# -------------------------------------------------------------------------------------- copy


class Disk(NamedTuple):
    name: str
    size: int
    chunk_bytes: int
    root: bytes

    @property
    def chunks(self) -> int:
        return -(-self.size // self.chunk_bytes)

    @property
    def levels(self) -> int:
        levels = 1
        while FANOUT**levels < self.chunks:
            levels += 1
        return levels


class Point:
    """A recovery point as its manifest tells it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path, LARGEST_MANIFEST) as file:
            data = file.read()
        point_id, _, named = path.name.partition(".")
        if blake3_of(data).hex() != named:
            raise Trouble(DAMAGED, "hash-differs", what=path)
        self.told = form_of(data, "yui-point", path)
        try:
            self.id = named_text(self.told, "id")
            self.server = named_text(self.told, "server")
            self.tenant = named_text(self.told, "tenant")
            self.taken_at = named_text(self.told, "taken_at")
            self.disks = [
                Disk(
                    named_text(disk, "name"),
                    count_of(disk, "bytes"),
                    count_of(disk, "chunk_bytes", LARGEST_SEGMENT),
                    bytes.fromhex(named_text(disk, "root")),
                )
                for disk in self.told["disks"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise Trouble(DAMAGED, "malformed", what=path, why=why_of(error)) from None
        sound = all(d.chunk_bytes > 0 and len(d.root) == 32 for d in self.disks)
        if not sound or self.id != point_id or self.server != path.parent.name:
            raise Trouble(DAMAGED, "malformed", what=path, why="id, server, size")

    def authenticate(self, keys: Keys) -> None:
        told = {name: value for name, value in self.told.items() if name != "mac"}
        mac = blake3_of(canonical(told), keys.point).hex()
        if not hmac.compare_digest(mac.encode(), str(self.told.get("mac")).encode()):
            raise Trouble(DAMAGED, "mac-differs", what=self.path)

    def description(self, keys: Keys) -> Any:
        try:
            sealed = b64(named_text(self.told, "sealed"))
            key_id = named_text(self.told, "seal_key")
        except (KeyError, ValueError) as error:
            raise Trouble(DAMAGED, "malformed", what=self.path, why=why_of(error)) from None
        seal = keys.seal(key_id, str(self.path))
        key = hkdf(seal, self.id.encode(), "yui point details")
        plain = unseal(key, sealed[:12], sealed[12:], self.id.encode())
        if plain is None:
            raise Trouble(DAMAGED, "seal-broken", what=self.path, part="sealed")
        try:
            return parsed(plain, whole=False)
        except ValueError as error:
            raise Trouble(DAMAGED, "malformed", what=self.path, why=why_of(error)) from None

    def servers_of_set(self, keys: Keys) -> set[str]:
        """All that were taken together with it, as far as its description tells."""
        try:
            described = self.description(keys)
        except Trouble:
            return set()
        servers = described.get("servers") if isinstance(described, dict) else None
        return (
            {each for each in servers if isinstance(each, str)}
            if isinstance(servers, list)
            else set()
        )


class Segment(NamedTuple):
    number: int
    kind: int
    compression: int
    offset: int
    sealed: int
    plain: int
    items: list[tuple[bytes, int, int]]


@contextlib.contextmanager
def reading(path: Path, at_most: int) -> Iterator[BinaryIO]:
    """A file of the copy. What is larger than anything that is written is not read at all. What a dying disk does not give back is damaged, and the rest goes on."""
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise Trouble(DAMAGED, "unreadable", what=path, why=stat.filemode(found.st_mode))
        if found.st_size > at_most:
            raise Trouble(DAMAGED, "too-large", what=path, size=found.st_size)
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise Trouble(DAMAGED, "unreadable", what=path, why=error.strerror) from None
    except MemoryError:
        raise Trouble(DAMAGED, "unreadable", what=path, why="memory") from None


class Pack:
    """One pack on disk: its footer and, segment by segment, what it holds."""

    def __init__(self, path: Path, keys: Keys) -> None:
        self.path = path
        with reading(path, LARGEST_PACK) as file:
            self.size = os.fstat(file.fileno()).st_size
            header = file.read(HEADER)
            file.seek(max(self.size - TRAILER, 0))
            trailer = file.read(TRAILER)
            length = int.from_bytes(trailer[:8], "big")
            whole = (
                self.size >= HEADER + TRAILER
                and header[:8] == b"YUIPACK\x01"
                and trailer[8:] == b"YUIPEND\x01"
                and length <= min(self.size - HEADER - TRAILER, LARGEST_FOOTER)
            )
            if not whole:
                raise Trouble(DAMAGED, "malformed", what=path, why="YUIPACK")
            tenant = header[8:14].decode("ascii", "replace")
            if tenant != keys.tenant:
                raise Trouble(
                    DAMAGED, "wrong-tenant", what=path, found=tenant, expected=keys.tenant
                )
            self.salt = header[24:56]
            self.key = hkdf(keys.seal(header[16:24].hex(), str(path)), self.salt, "yui pack")
            file.seek(self.size - TRAILER - length)
            footer = unseal(
                self.key, b"\xff" * 4 + bytes(8), file.read(length), self.salt + b"footer"
            )
        if footer is None:
            raise Trouble(DAMAGED, "seal-broken", what=path, part="footer")
        self.segments = self._footer(unpacked(footer, LARGEST_FOOTER, path))

    def _footer(self, data: bytes) -> list[Segment]:
        segments = []
        try:
            (count,) = struct.unpack_from(">I", data)
            at = 4
            for number in range(count):
                kind, compression, items, offset, sealed, plain = struct.unpack_from(
                    ">BBHQII", data, at
                )
                at += 20
                listed = [struct.unpack_from(">32sII", data, at + 40 * i) for i in range(items)]
                at += 40 * items
                sound = (
                    offset >= HEADER
                    and offset + sealed <= self.size
                    and plain <= LARGEST_SEGMENT
                    and all(start + length <= plain for _, start, length in listed)
                )
                if not sound:
                    raise ValueError(f"segment {number}")
                segments.append(Segment(number, kind, compression, offset, sealed, plain, listed))
        except (struct.error, ValueError) as error:
            raise Trouble(DAMAGED, "malformed", what=self.path, why=error) from None
        return segments

    def read(self, segment: Segment) -> bytes:
        """A segment's plaintext."""
        with reading(self.path, LARGEST_PACK) as file:
            file.seek(segment.offset)
            sealed = file.read(segment.sealed)
        aad = self.salt + struct.pack(">IBB", segment.number, segment.kind, segment.compression)
        nonce = bytes(4) + struct.pack(">Q", segment.number)
        plain = unseal(self.key, nonce, sealed, aad)
        part = f"segment {segment.number}"
        if plain is None:
            raise Trouble(DAMAGED, "seal-broken", what=self.path, part=part)
        if segment.compression == ZSTD:
            plain = unpacked(plain, segment.plain, self.path)
        if len(plain) != segment.plain:
            raise Trouble(DAMAGED, "malformed", what=self.path, why=part)
        return plain


def unpacked(data: bytes, at_most: int, what: Path) -> bytes:
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size > at_most:
            raise Trouble(DAMAGED, "malformed", what=what, why=f"zstd {size}")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=at_most)
    except zstandard.ZstdError as error:
        raise Trouble(DAMAGED, "malformed", what=what, why=error) from None


class Copy:
    """A directory that holds the objects of one tenant under their keys."""

    def __init__(self, place: Path, tenant: str | None) -> None:
        self.root = self._find(place, tenant)
        self.tenant = self.root.name if re.fullmatch("[0-9]{6}", self.root.name) else tenant
        self.troubles: list[Trouble] = []
        """Of what only tells of the rest: all else can be read without it."""
        for candidate in (place / "repository.json", self.root.parent.parent / "repository.json"):
            if candidate.is_file():
                self._known(candidate)

    def _known(self, path: Path) -> None:
        """Refused where it says that it is of another version; damage of it stands in nobody's way."""
        try:
            read_json(path, "yui-repository", LARGEST_REPOSITORY)
        except Trouble as trouble:
            if trouble.key == "unknown-version":
                raise
            self._trouble(trouble)

    def _trouble(self, trouble: Trouble) -> None:
        if str(trouble) not in map(str, self.troubles):
            self.troubles.append(trouble)

    @staticmethod
    def _find(place: Path, tenant: str | None) -> Path:
        if (place / "points").is_dir() or (place / "packs").is_dir():
            return place
        base = place / "tenants"
        tenants = sorted(each.name for each in base.iterdir()) if base.is_dir() else []
        if tenant is not None:
            tenants = [each for each in tenants if each == tenant]
        if not tenants:
            raise Trouble(UNREADABLE, "no-copy", place=place)
        if len(tenants) > 1:
            raise Trouble(USAGE, "several-tenants", place=place, tenants=", ".join(tenants))
        return base / tenants[0]

    def _within(self, folder: Path) -> list[Path]:
        """What a folder holds, by name; one that can't be read is named, and the rest goes on."""
        try:
            return sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            self._trouble(Trouble(DAMAGED, "unreadable", what=folder, why=error.strerror))
            return []

    def packs(self) -> Iterator[Path]:
        for shelf in self._within(self.root / "packs"):
            if re.fullmatch("[0-9a-f]{2}", shelf.name):
                for path in self._within(shelf):
                    if re.fullmatch("[0-9a-f]{64}", path.name):
                        yield path

    def indexes(self) -> Iterator[Path]:
        for path in self._within(self.root / "index"):
            if re.fullmatch("[0-9a-f]{64}", path.name):
                yield path

    def keyrings(self) -> list[Path]:
        """The newest first."""
        found = self._within(self.root / "keyring")
        return [path for path in reversed(found) if re.fullmatch(r"[0-9]{8}\.json", path.name)]

    def manifests(self) -> list[Path]:
        """By time, whatever the server."""
        found = [
            path
            for folder in self._within(self.root / "points")
            for path in self._within(folder)
            if re.fullmatch(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\.[0-9a-f]{64}", path.name)
        ]
        return sorted(found, key=lambda path: (path.name, path.parent.name))

    def key_of(self, path: Path) -> str:
        """As the format's page names an object."""
        for above in (self.root, self.root.parent.parent):
            with contextlib.suppress(ValueError):
                return path.relative_to(above).as_posix()
        return path.name


# ------------------------------------------------------------------------------------- trees


def scratch_database(path: Path) -> sqlite3.Connection:
    """What does not fit in memory for a large disk; made anew by each run."""
    path.unlink(missing_ok=True)
    database = sqlite3.connect(str(path), isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536"
    )
    return database


class Trees:
    """All tree nodes of the copy's readable packs, and which packs hold data."""

    def __init__(self, copy: Copy, keys: Keys, database: sqlite3.Connection) -> None:
        self._keys = keys
        self._database = database
        self._plain: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._paths: list[Path] = []
        self.data_packs: list[Path] = []
        self.troubles: list[Trouble] = []
        database.execute(
            "CREATE TABLE node (id BLOB, pack INT, segment INT, start INT, length INT)"
        )
        for path in copy.packs():
            self._take(path)
        self.troubles += copy.troubles
        database.execute("CREATE INDEX node_by_id ON node (id)")

    def _take(self, path: Path) -> None:
        try:
            pack = Pack(path, self._keys)
        except Trouble as trouble:
            self.troubles.append(trouble)
            return
        if any(segment.kind == CHUNKS for segment in pack.segments):
            self.data_packs.append(path)
        if any(segment.kind == NODES for segment in pack.segments):
            self._database.execute("BEGIN")
            for segment in pack.segments:
                if segment.kind == NODES:
                    self._database.executemany(
                        "INSERT INTO node VALUES (?, ?, ?, ?, ?)",
                        (
                            (item, len(self._paths), segment.number, start, length)
                            for item, start, length in segment.items
                        ),
                    )
            self._database.execute("COMMIT")
            self._paths.append(path)

    def children(self, node: bytes, level: int) -> list[bytes] | None:
        """A node's children, or None where no readable pack holds it unharmed."""
        rows = self._database.execute(
            "SELECT pack, segment, start, length FROM node WHERE id = ?", (node,)
        ).fetchall()
        for pack, segment, start, length in rows:
            try:
                plain = self._segment(pack, segment)[start : start + length]
            except Trouble as trouble:
                self.troubles.append(trouble)
                continue
            if blake3_of(bytes([level]) + plain, self._keys.node) == node and length % 32 == 0:
                return [plain[i : i + 32] for i in range(0, length, 32)]
            self.troubles.append(
                Trouble(DAMAGED, "id-differs", what=self._paths[pack], part=node.hex())
            )
        return None

    def _segment(self, pack: int, number: int) -> bytes:
        key = (pack, number)
        if key not in self._plain:
            read = Pack(self._paths[pack], self._keys)
            for segment in read.segments:
                if segment.kind == NODES and segment.number == number:
                    self._plain[key] = read.read(segment)
            while len(self._plain) > 64:
                self._plain.popitem(last=False)
        self._plain.move_to_end(key)
        return self._plain[key]

    def chunks(self, disk: Disk) -> Iterator[tuple[int, bytes | None]]:
        """Each chunk that holds data: its number and id, in order.

        Of a part of the tree that is lost: its first chunk's number and None.
        """
        if disk.size:
            yield from self._below(disk.root, disk.levels, 0, disk.chunks)

    def _below(
        self, node: bytes, level: int, first: int, chunks: int
    ) -> Iterator[tuple[int, bytes | None]]:
        if node == ZERO:
            return
        reach = FANOUT ** (level - 1)
        expected = min(FANOUT, -(-(chunks - first) // reach))
        children = self.children(node, level)
        if children is None or len(children) != expected:
            yield first, None
            return
        for i, child in enumerate(children):
            if child == ZERO:
                continue
            if level == 1:
                yield first + i, child
            else:
                yield from self._below(child, level - 1, first + i * reach, chunks)


# ------------------------------------------------------------------------------- destinations


class RawFile:
    """A sparse file of the disk's bytes."""

    suffix = "raw"

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.lock = threading.Lock()
        self.existed = path.exists()
        self.file: BinaryIO = open(path, "r+b" if self.existed else "w+b")  # noqa: SIM115

    def lay_out(self, extents: Iterable[tuple[int, int]]) -> None:
        del extents
        self.file.truncate(self.size)

    def _runs(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Where in the file the bytes are: position and length, one after another."""
        yield offset, length

    def write(self, offset: int, data: bytes) -> None:
        with self.lock:
            done = 0
            for position, length in self._runs(offset, len(data)):
                self.file.seek(position)
                self.file.write(data[done : done + length])
                done += length

    def read(self, offset: int, length: int) -> bytes:
        with self.lock:
            parts = []
            for position, part in self._runs(offset, length):
                self.file.seek(position)
                parts.append(self.file.read(part))
        return b"".join(parts)

    def clear(self, offset: int, length: int) -> None:
        """Make zeros of what an earlier run may have left where the disk has none but zeros."""
        while length > 0:
            at = self._next_data(offset)
            if at is None or at >= offset + length:
                return
            offset, length = max(at, offset), length - max(at - offset, 0)
            part = min(length, 1 << 20)
            if any(self.read(offset, part)):
                self.write(offset, bytes(part))
            offset, length = offset + part, length - part

    def _next_data(self, offset: int) -> int | None:
        """Where the file's next bytes are that were ever written, as far as the system tells."""
        if not hasattr(os, "SEEK_DATA"):
            return offset
        self.file.flush()
        try:
            return os.lseek(self.file.fileno(), offset, os.SEEK_DATA)
        except OSError as error:
            return None if error.errno == errno.ENXIO else offset
        finally:
            self.file.seek(0)

    def finish(self, path: Path) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.path.replace(path)


class Qcow2File(RawFile):
    """A qcow2 image, version 3, that holds only the clusters with data.

    Where each cluster lies follows from which clusters hold data, so that it is laid out whole
    before the first byte of data, and an interrupted run finds its clusters again.
    """

    suffix = "qcow2"
    CLUSTER = 1 << 16
    IN_TABLE = CLUSTER // 8

    def lay_out(self, extents: Iterable[tuple[int, int]]) -> None:
        cluster = self.CLUSTER
        clusters = -(-self.size // cluster)
        used = bytearray(-(-clusters // 8))
        for offset, length in extents:
            for number in range(offset // cluster, -(-(offset + length) // cluster)):
                used[number >> 3] |= 1 << (number & 7)
        tables = -(-clusters // self.IN_TABLE)
        step = self.IN_TABLE // 8
        filled = [i for i in range(tables) if any(used[i * step : (i + 1) * step])]
        data = sum(bin(byte).count("1") for byte in used)
        l1_clusters = max(1, -(-tables * 8 // cluster))
        fixed = 1 + l1_clusters + len(filled) + data
        blocks = refcount_clusters = 1
        while True:
            total = fixed + blocks + refcount_clusters
            needed = -(-total * 2 // cluster)
            needed_table = -(-needed * 8 // cluster)
            if (needed, needed_table) == (blocks, refcount_clusters):
                break
            blocks, refcount_clusters = needed, needed_table
        l1_at = 1 + refcount_clusters + blocks
        l2_at = l1_at + l1_clusters
        at = l2_at + len(filled)
        self.file.truncate(total * cluster)
        # Magic, version, no backing file, size (in sectors), no encryption, L1, refcounts,
        # no snapshots, no features, refcounts of 16 bits, length of the header.
        header = struct.pack(
            ">4sIQIIQIIQQIIQQQQII",
            b"QFI\xfb",
            3,
            0,
            0,
            16,
            -(-self.size // 512) * 512,
            0,
            tables,
            l1_at * cluster,
            cluster,
            refcount_clusters,
            0,
            0,
            0,
            0,
            0,
            4,
            104,
        )
        self._put(0, header)
        self._put(
            cluster,
            struct.pack(
                ">%dQ" % blocks, *((1 + refcount_clusters + i) * cluster for i in range(blocks))
            ),
        )
        for start in range(0, total, cluster // 2):
            ones = min(cluster // 2, total - start)
            self._put((1 + refcount_clusters) * cluster + start * 2, b"\0\1" * ones)
        self._l2 = {table: (l2_at + i) * cluster for i, table in enumerate(filled)}
        self._put(
            l1_at * cluster,
            b"".join(
                struct.pack(">Q", self._l2[i] | 1 << 63 if i in self._l2 else 0)
                for i in range(tables)
            ),
        )
        for table in filled:
            entries = []
            for number in range(table * self.IN_TABLE, min((table + 1) * self.IN_TABLE, clusters)):
                if used[number >> 3] & (1 << (number & 7)):
                    entries.append(at * cluster | 1 << 63)
                    at += 1
                else:
                    entries.append(0)
            self._put(self._l2[table], struct.pack(">%dQ" % len(entries), *entries))

    def _put(self, position: int, data: bytes) -> None:
        self.file.seek(position)
        self.file.write(data + bytes(-len(data) % self.CLUSTER))

    def _place(self, number: int) -> int:
        """Where a cluster lies in the file; 0 for one that holds no data."""
        table, entry = divmod(number, self.IN_TABLE)
        if table not in self._l2:
            return 0
        self.file.seek(self._l2[table] + entry * 8)
        return int.from_bytes(self.file.read(8), "big") & 0x00FFFFFFFFFFFE00

    def clear(self, offset: int, length: int) -> None:
        end = offset + length
        while offset < end:
            number = offset // self.CLUSTER
            if number // self.IN_TABLE not in self._l2:
                offset = (number // self.IN_TABLE + 1) * self.IN_TABLE * self.CLUSTER
                continue
            part = min(end, (number + 1) * self.CLUSTER) - offset
            if self._place(number) and any(self.read(offset, part)):
                self.write(offset, bytes(part))
            offset += part

    def _runs(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        while length:
            number, within = divmod(offset, self.CLUSTER)
            part = min(length, self.CLUSTER - within)
            position = self._place(number)
            yield position + within, part
            offset, length = offset + part, length - part


# ----------------------------------------------------------------------------------- restore


class Progress:
    """One line on a terminal; a line every now and then elsewhere."""

    def __init__(self, words: Words, whole: int) -> None:
        self._words = words
        self._whole = whole
        self._done = 0
        self._told = time.monotonic()
        self._lock = threading.Lock()

    def add(self, done: int) -> None:
        with self._lock:
            self._done += done
            now = time.monotonic()
            if now - self._told < (0.5 if sys.stderr.isatty() else 10):
                return
            self._told = now
            self._tell("\r" if sys.stderr.isatty() else "\n")

    def _tell(self, end: str) -> None:
        percent = self._done * 100 // self._whole if self._whole else 100
        text = self._words(
            "progress", done=readable(self._done), all=readable(self._whole), percent=percent
        )
        print(text, end=end, file=sys.stderr, flush=True)

    def end(self) -> None:
        if sys.stderr.isatty():
            self._tell("\n")


def readable(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


class Wanted:
    """One disk that is being restored, and the file that it becomes."""

    def __init__(self, point: Point, disk: Disk, final: Path, target: RawFile) -> None:
        self.point = point
        self.disk = disk
        self.final = final
        self.target = target
        self.data = 0
        self.resumed = 0
        self.lost: list[int] = []

    def length(self, number: int) -> int:
        return min(self.disk.chunk_bytes, self.disk.size - number * self.disk.chunk_bytes)


class Restore:
    """Restores disks in one pass over the packs, whatever their number."""

    def __init__(self, copy: Copy, keys: Keys, words: Words, directory: Path, workers: int) -> None:
        self._keys = keys
        self._words = words
        self._workers = workers
        self._scratch = directory / ".yui-restore.scratch"
        self._database = scratch_database(self._scratch)
        self._database.execute(
            "CREATE TABLE wanted (id BLOB, disk INT, number INT, PRIMARY KEY (id, disk, number))"
            " WITHOUT ROWID"
        )
        self.trees = Trees(copy, keys, self._database)
        self.disks: list[Wanted] = []

    def close(self) -> None:
        self._database.close()
        self._scratch.unlink(missing_ok=True)

    def want(self, wanted: Wanted) -> None:
        """Lays the file out and notes each chunk that is not in it yet."""
        which = len(self.disks)
        self.disks.append(wanted)
        disk = wanted.disk
        wanted.target.lay_out(
            (number * disk.chunk_bytes, wanted.length(number))
            for number, chunk in self.trees.chunks(disk)
            if chunk is not None
        )
        self._database.execute("BEGIN")
        past = 0
        for group in in_groups(self.trees.chunks(disk), 16):
            held = self._held(wanted, group)
            for (number, chunk), there in zip(group, held):
                self._clear(wanted, past, number)
                past = number + 1
                if chunk is None:
                    wanted.lost.append(number)
                    continue
                wanted.data += wanted.length(number)
                if there:
                    wanted.resumed += wanted.length(number)
                else:
                    self._database.execute(
                        "INSERT INTO wanted VALUES (?, ?, ?)", (chunk, which, number)
                    )
        self._clear(wanted, past, disk.chunks)
        self._database.execute("COMMIT")
        if wanted.resumed:
            done = readable(wanted.resumed)
            print(self._words("resumed", path=wanted.target.path, done=done), file=sys.stderr)

    @staticmethod
    def _clear(wanted: Wanted, first: int, end: int) -> None:
        if wanted.target.existed and first < end:
            start = first * wanted.disk.chunk_bytes
            length = min(end * wanted.disk.chunk_bytes, wanted.disk.size) - start
            wanted.target.clear(start, length)

    def _held(self, wanted: Wanted, group: Sequence[tuple[int, bytes | None]]) -> list[bool]:
        """Which of these chunks an earlier run has already written rightly."""
        if not wanted.target.existed:
            return [False] * len(group)
        size = wanted.disk.chunk_bytes
        found = [
            wanted.target.read(number * size, wanted.length(number)) if chunk is not None else b""
            for number, chunk in group
        ]
        ids = blake3_many(found, self._keys.chunk)
        return [chunk == value for (_, chunk), value in zip(group, ids)]

    def run(self) -> None:
        progress = Progress(self._words, sum(each.data for each in self.disks))
        progress.add(sum(each.resumed for each in self.disks))
        busy: dict[Future[list[bytes]], None] = {}
        pool = ThreadPoolExecutor(self._workers)
        try:
            for path in self.trees.data_packs:
                if not self._database.execute("SELECT 1 FROM wanted LIMIT 1").fetchone():
                    break
                busy.update(dict.fromkeys(self._begin(pool, path, progress)))
                while len(busy) > self._workers:
                    self._settle(busy, progress)
            while busy:
                self._settle(busy, progress)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        progress.end()

    def _begin(
        self, pool: ThreadPoolExecutor, path: Path, progress: Progress
    ) -> Iterator[Future[list[bytes]]]:
        try:
            pack = Pack(path, self._keys)
        except Trouble as trouble:
            self.trees.troubles.append(trouble)
            return
        work: list[tuple[Segment, dict[bytes, list[tuple[int, int]]]]] = []
        for segment in pack.segments:
            if segment.kind != CHUNKS:
                continue
            places = {
                item: self._database.execute(
                    "SELECT disk, number FROM wanted WHERE id = ?", (item,)
                ).fetchall()
                for item, _, _ in segment.items
            }
            places = {item: where for item, where in places.items() if where}
            if places:
                work.append((segment, places))
        if work:
            yield pool.submit(self._write, pack, work, progress)

    def _write(
        self,
        pack: Pack,
        work: list[tuple[Segment, dict[bytes, list[tuple[int, int]]]]],
        progress: Progress,
    ) -> list[bytes]:
        """In a worker: what is wanted of a pack, each piece checked and written; returns the ids."""
        written: list[bytes] = []
        for segment, places in work:
            try:
                plain = pack.read(segment)
            except Trouble as trouble:
                self.trees.troubles.append(trouble)
                continue
            items = [item for item in segment.items if item[0] in places]
            pieces = [plain[start : start + length] for _, start, length in items]
            for (item, _, _), piece, value in zip(
                items, pieces, blake3_many(pieces, self._keys.chunk)
            ):
                if value != item:
                    self.trees.troubles.append(
                        Trouble(DAMAGED, "id-differs", what=pack.path, part=item.hex())
                    )
                    continue
                for which, number in places[item]:
                    wanted = self.disks[which]
                    if len(piece) != wanted.length(number):
                        # A tree that leads to a chunk of another length is no tree of this disk.
                        wanted.lost.append(number)
                        continue
                    wanted.target.write(number * wanted.disk.chunk_bytes, piece)
                    progress.add(len(piece))
                written.append(item)
        return written

    def _settle(self, busy: dict[Future[list[bytes]], None], progress: Progress) -> None:
        del progress
        done, _ = wait(busy, return_when=FIRST_COMPLETED)
        for future in done:
            del busy[future]
            self._database.execute("BEGIN")
            self._database.executemany(
                "DELETE FROM wanted WHERE id = ?", ((item,) for item in future.result())
            )
            self._database.execute("COMMIT")

    def missing(self, which: int) -> list[int]:
        """Numbers of the chunks of one disk that were nowhere to be had."""
        rows = self._database.execute(
            "SELECT number FROM wanted WHERE disk = ? ORDER BY number", (which,)
        )
        return sorted([number for (number,) in rows] + self.disks[which].lost)


def size_of(path: Path) -> int:
    """Of what can't be read, 0."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def in_groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    group: list[Any] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def plain_name(text: str) -> str:
    """What a manifest calls something, as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")[:80] or "_"


def apart(stems: Sequence[str]) -> list[str]:
    """The same where no two are equal, as letters of either case are on some systems; else numbered."""
    alike = Counter(stem.lower() for stem in stems)
    taken = set(alike)
    found = []
    for stem in stems:
        name = stem
        if alike[stem.lower()] > 1:
            numbered = (f"{stem}_{number}" for number in itertools.count(1))
            name = next(each for each in numbered if each.lower() not in taken)
            taken.add(name.lower())
        found.append(name)
    return found


class Planned(NamedTuple):
    point: Point
    disk: Disk
    final: Path
    alike: bool


def planned(points: Sequence[Point], options: argparse.Namespace) -> list[Planned]:
    """Which disk becomes which file, no two the same."""
    wanted: list[tuple[Point, Disk]] = []
    for point in points:
        names = [disk.name for disk in point.disks]
        for name in options.disk or []:
            if name not in names:
                raise Trouble(USAGE, "no-disk", disk=name, disks=", ".join(names))
        wanted += [
            (point, disk) for disk in point.disks if not options.disk or disk.name in options.disk
        ]
    for point, disk in wanted:
        if options.format == "qcow2" and disk.size > LARGEST_QCOW2:
            facts = {"disk": disk.name, "server": point.server, "size": disk.size}
            raise Trouble(USAGE, "qcow2-too-large", **facts)
    stems = [f"{plain_name(point.server)}-{plain_name(disk.name)}" for point, disk in wanted]
    return [
        Planned(point, disk, options.to / f"{name}.{options.format}", name != stem)
        for (point, disk), stem, name in zip(wanted, stems, apart(stems))
    ]


def restore(options: argparse.Namespace, words: Words) -> int:
    copy = Copy(options.place, options.tenant)
    chosen = choose(copy, options)
    tell_of(copy, words)
    keys = needed_keys(copy, options, words)
    chosen.authenticate(keys)
    directory: Path = options.to
    kind = Qcow2File if options.format == "qcow2" else RawFile
    plan = planned(chosen.points, options)
    for each in plan:
        if os.path.lexists(each.final):
            raise Trouble(DESTINATION, "exists", path=each.final)
    for each in plan:
        if each.alike:
            facts = {"disk": each.disk.name, "server": each.point.server, "point": each.point.id}
            print(words("named-apart", path=each.final, **facts))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        job = Restore(copy, keys, words, directory, options.workers)
    except (OSError, sqlite3.Error) as error:
        raise Trouble(DESTINATION, "destination", path=directory, why=error) from None
    try:
        for each in plan:
            # The part's name holds the point, so that another point's part is never gone on with.
            part = each.final.with_name(f".{each.final.name}.{each.point.id}.part")
            job.want(Wanted(each.point, each.disk, each.final, kind(part, each.disk.size)))
        job.run()
        status = finish(job, options, words)
        status = max(status, describe(chosen.points, keys, directory, words))
        return max(status, chosen.tell(words, keys))
    except (OSError, sqlite3.Error) as error:
        raise Trouble(DESTINATION, "destination", path=directory, why=error) from None
    finally:
        job.close()


def describe(points: Sequence[Point], keys: Keys, directory: Path, words: Words) -> int:
    """Each server's description, beside its disks."""
    status = OK
    for point, stem in zip(points, apart([plain_name(point.server) for point in points])):
        path = directory / f"{stem}.json"
        try:
            text = json.dumps(point.description(keys), ensure_ascii=False, indent=2)
        except Trouble as trouble:
            status = max(status, trouble.status)
            print(words(trouble.key, **trouble.values), file=sys.stderr)
            continue
        path.write_text(text + "\n", encoding="utf-8")
        print(words("described", path=path))
    return status


def finish(job: Restore, options: argparse.Namespace, words: Words) -> int:
    status = OK
    told = {(trouble.key, str(trouble.values)): trouble for trouble in job.trees.troubles}
    for trouble in told.values():
        print(words(trouble.key, **trouble.values), file=sys.stderr)
    for which, wanted in enumerate(job.disks):
        missing = job.missing(which)
        size = wanted.disk.chunk_bytes
        if missing:
            status = DAMAGED
            if not options.accept_holes:
                print(
                    words(
                        "holes",
                        count=len(missing),
                        disk=wanted.disk.name,
                        offset=missing[0] * size,
                        path=wanted.target.path,
                    ),
                    file=sys.stderr,
                )
                wanted.target.file.close()
                continue
            listed = wanted.final.with_name(wanted.final.name + ".holes.json")
            holes = [[number * size, wanted.length(number)] for number in missing]
            listed.write_text(
                json.dumps(
                    {"holes": holes, "lost_from": sorted(number * size for number in wanted.lost)}
                )
                + "\n",
                encoding="utf-8",
            )
        wanted.target.finish(wanted.final)
        if missing:
            print(words("holes-accepted", path=wanted.final, count=len(missing), list=listed))
        else:
            print(
                words(
                    "restored",
                    path=wanted.final,
                    bytes=wanted.disk.size,
                    data=readable(wanted.data),
                )
            )
    return status


# -------------------------------------------------------------------------------------- check


class Check:
    """Reads everything; with keys, decrypts everything too."""

    def __init__(self, copy: Copy, keys: Keys | None, words: Words) -> None:
        self._copy = copy
        self._keys = keys
        self._words = words
        self.objects = 0
        self.points = 0
        self.damages: list[dict[str, object]] = []

    def _damage(self, path: Path, trouble: Trouble) -> None:
        text = self._words(trouble.key, **trouble.values)
        key = self._copy.key_of(path)
        if not any(each["object"] == key and each["what"] == text for each in self.damages):
            self.damages.append({"object": key, "what": text})
            print(text, file=sys.stderr)

    def objects_by_name(self) -> None:
        """What anyone can check: each object's hash is its name."""
        paths = [*self._copy.packs(), *self._copy.indexes()]
        sizes = [size_of(path) for path in paths]
        progress = Progress(self._words, sum(sizes))
        for path, size in zip(paths, sizes):
            self.objects += 1
            try:
                # Neither a pack nor an index is larger.
                with reading(path, LARGEST_PACK) as file:
                    named = blake3_of(file.read()).hex()
                if named != path.name:
                    raise Trouble(DAMAGED, "hash-differs", what=path)
            except Trouble as trouble:
                self._damage(path, trouble)
            progress.add(size)
        progress.end()

    def what_tells_of_the_rest(self) -> None:
        """Keyrings have no hash in their names: whether one opens is known with the repository key alone."""
        for path in self._copy.keyrings():
            self.objects += 1
            try:
                Ring.at(path)
            except Trouble as trouble:
                self._damage(path, trouble)
        for each in self._copy.troubles:
            self._damage(Path(str(each.values["what"])), each)

    def whole_points(self) -> list[Point]:
        points = []
        for path in self._copy.manifests():
            self.objects += 1
            self.points += 1
            try:
                point = Point(path)
                if self._keys is not None:
                    point.authenticate(self._keys)
                    point.description(self._keys)
                points.append(point)
            except Trouble as trouble:
                self._damage(path, trouble)
        return points

    def contents(self, points: Sequence[Point], scratch: Path) -> None:
        """With keys: each segment decrypts, each piece is what its id says, each point is whole."""
        assert self._keys is not None  # noqa: S101
        database = scratch_database(scratch)
        try:
            database.execute("CREATE TABLE good (id BLOB PRIMARY KEY, length INT) WITHOUT ROWID")
            trees = Trees(self._copy, self._keys, database)
            for path in self._copy.packs():
                self._pack(path, database)
            fine: dict[tuple[bytes, int], bool] = {}
            for point in points:
                for disk in point.disks:
                    if disk.size and not self._fine(
                        trees, database, fine, disk, disk.root, disk.levels, 0
                    ):
                        text = self._words(
                            "point-affected", point=point.id, server=point.server, disk=disk.name
                        )
                        key = self._copy.key_of(point.path)
                        self.damages.append({"object": key, "what": text, "point": point.id})
                        print(text, file=sys.stderr)
            for trouble in trees.troubles:
                self._damage(Path(str(trouble.values["what"])), trouble)
            for path in self._copy.indexes():
                self._index(path)
        finally:
            database.close()
            scratch.unlink(missing_ok=True)

    def _index(self, path: Path) -> None:
        """An index is only a shortcut, which this program never takes; yet it has to be sound."""
        assert self._keys is not None  # noqa: S101
        try:
            with reading(path, LARGEST_INDEX) as file:
                data = file.read()
            if data[:8] != b"YUIINDX\x01":
                raise Trouble(DAMAGED, "malformed", what=path, why="YUIINDX")
            salt = data[24:56]
            key = hkdf(self._keys.seal(data[16:24].hex(), str(path)), salt, "yui index")
            payload = unseal(key, bytes(12), data[HEADER:], salt + b"index")
            if payload is None:
                raise Trouble(DAMAGED, "seal-broken", what=path, part="index")
            unpacked(payload, LARGEST_INDEX, path)
        except Trouble as trouble:
            self._damage(path, trouble)

    def _pack(self, path: Path, database: sqlite3.Connection) -> None:
        assert self._keys is not None  # noqa: S101
        try:
            pack = Pack(path, self._keys)
        except Trouble as trouble:
            self._damage(path, trouble)
            return
        for segment in pack.segments:
            try:
                self._segment(pack, segment, pack.read(segment), database)
            except Trouble as trouble:
                self._damage(path, trouble)

    def _segment(
        self, pack: Pack, segment: Segment, plain: bytes, database: sqlite3.Connection
    ) -> None:
        assert self._keys is not None  # noqa: S101
        if segment.kind != CHUNKS:
            # A node's id holds its level, which only the tree tells: the walk checks those.
            return
        pieces = [plain[start : start + length] for _, start, length in segment.items]
        good = []
        for (item, _, length), value in zip(segment.items, blake3_many(pieces, self._keys.chunk)):
            if value == item:
                good.append((item, length))
            else:
                self._damage(
                    pack.path, Trouble(DAMAGED, "id-differs", what=pack.path, part=item.hex())
                )
        database.execute("BEGIN")
        database.executemany("INSERT OR IGNORE INTO good VALUES (?, ?)", good)
        database.execute("COMMIT")

    def _fine(
        self,
        trees: Trees,
        database: sqlite3.Connection,
        known: dict[tuple[bytes, int], bool],
        disk: Disk,
        node: bytes,
        level: int,
        first: int,
    ) -> bool:
        """Whether all below a node is there; a subtree that several points share is walked once."""
        if node == ZERO:
            return True
        reach = FANOUT ** (level - 1)
        expected = min(FANOUT, -(-(disk.chunks - first) // reach))
        # The last, shorter branch is another thing for a disk of another size.
        last = first + FANOUT * reach >= disk.chunks
        key = (node + struct.pack(">QQ", disk.size, disk.chunk_bytes) if last else node, level)
        if key not in known:
            children = trees.children(node, level)
            if children is None or len(children) != expected:
                known[key] = False
            elif level > 1:
                known[key] = all(
                    self._fine(trees, database, known, disk, child, level - 1, first + i * reach)
                    for i, child in enumerate(children)
                )
            else:
                known[key] = all(
                    child == ZERO
                    or database.execute("SELECT 1 FROM good WHERE id = ?", (child,)).fetchone()
                    for child in children
                )
        return known[key]


def check(options: argparse.Namespace, words: Words) -> int:
    copy = Copy(options.place, options.tenant)
    keys = keys_of(copy, options, words)
    job = Check(copy, keys, words)
    points = job.whole_points()
    job.objects_by_name()
    job.what_tells_of_the_rest()
    if keys is not None:
        scratch = Path(options.scratch or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108
        path = scratch / f"yui-restore-{os.getpid()}.scratch"
        try:
            job.contents(points, path)
        except sqlite3.Error as error:
            raise Trouble(DESTINATION, "destination", path=path, why=error) from None
    how = words("how-keyless" if keys is None else "how-keys")
    if options.json:
        told = {"objects": job.objects, "points": job.points, "damages": job.damages}
        print(json_text(told))
    else:
        key = "check-bad" if job.damages else "check-good"
        print(words(key, objects=job.objects, points=job.points, damages=len(job.damages), how=how))
    return DAMAGED if job.damages else OK


# ------------------------------------------------------------------------------ list and show


class Chosen:
    """The recovery points that a command names, and what of a set can't be told for damage."""

    def __init__(
        self, points: list[Point], of_set: str | None = None, server: str | None = None
    ) -> None:
        self.points = points
        self._set = of_set
        self._server = server
        self.passed: list[tuple[Path, Trouble]] = []
        """Manifests that can't be read, or that no holder of the keys wrote: of any server."""
        self.junk: list[Trouble] = []
        """Of what was never a recovery point: its name agrees with what it holds, and that is none."""
        self.systems: dict[str, set[object]] = {}
        """Which systems each server is of, by its manifests that can be read."""

    def take(self, path: Path) -> None:
        """Of a set: what the manifest tells, if it can be read."""
        try:
            point = Point(path)
        except Trouble as trouble:
            if trouble.key in {"no-json", "another-format"}:
                self.junk.append(trouble)
            else:
                self.passed.append((path, trouble))
            return
        self.systems.setdefault(point.server, set()).add(str(point.told.get("system")))
        if point.told.get("set") == self._set:
            self.points.append(point)

    def authenticate(self, keys: Keys) -> None:
        """What somebody else wrote stops nobody from reading the rest of a set."""
        if self._set is None:
            for point in self.points:
                point.authenticate(keys)
            return
        for point in list(self.points):
            try:
                point.authenticate(keys)
            except Trouble as trouble:
                self.points.remove(point)
                self.passed.append((point.path, trouble))
        if not self.points:
            raise self.passed[-1][1]

    def tell(self, words: Words, keys: Keys | None) -> int:
        """Names what was passed over, and which servers of the set are lacking for it or may be."""
        if self._set is None:
            return OK
        for trouble in [*self.junk, *(trouble for _, trouble in self.passed)]:
            print(words(trouble.key, **trouble.values), file=sys.stderr)
        lacking = self._lacking(keys)
        for server, path in sorted(lacking.items()):
            key = "set-lacks" if path is None else "set-may-lack"
            told = words(key, set=self._set, server=server, what=path)
            print(told, file=sys.stderr)
        return DAMAGED if lacking else OK

    def _lacking(self, keys: Keys | None) -> dict[str, Path | None]:
        """Servers of the set without a point here. With the manifest that may be theirs, where nothing
        tells for sure: one of the same time, and not known to be of another system."""
        here = {point.server for point in self.points}
        known: set[str] = set()
        for point in self.points:
            known |= set() if keys is None else point.servers_of_set(keys)
        if known:
            wanted = known if self._server is None else known & {self._server}
            return dict.fromkeys(wanted - here)
        times = {point.id[:16] for point in self.points}
        systems = {str(point.told.get("system")) for point in self.points}
        return {
            path.parent.name: path
            for path, _ in self.passed
            if path.parent.name not in here
            and path.name[:16] in times
            and systems & self.systems.get(path.parent.name, systems)
        }


def choose(copy: Copy, options: argparse.Namespace) -> Chosen:
    """The recovery points that a command names: one, or those of a set."""
    paths = copy.manifests()
    if options.server:
        paths = [path for path in paths if path.parent.name == options.server]
    if options.point:
        fitting = [path for path in paths if path.name.startswith(options.point)]
        if not fitting:
            raise Trouble(UNREADABLE, "no-point", point=options.point)
        if len(fitting) > 1:
            names = {path.name.partition(".")[0] for path in fitting}
            shown = sorted(names) if len(names) > 1 else [path.name for path in fitting]
            points = ", ".join(shown[:5])
            raise Trouble(USAGE, "several-points", point=options.point, points=points)
        return Chosen([Point(fitting[0])])
    if options.set:
        chosen = Chosen([], options.set, options.server)
        for path in paths:
            chosen.take(path)
        if not chosen.points:
            return nothing_of(chosen, options)
        return chosen
    if options.server:
        until = moment(options.date)
        for path in reversed(paths):
            if path.name[:16] <= until:
                return Chosen([Point(path)])
        raise Trouble(UNREADABLE, "no-point", point=f"{options.server} {options.date or ''}")
    raise Trouble(USAGE, "choose-what")


def nothing_of(chosen: Chosen, options: argparse.Namespace) -> NoReturn:
    if not chosen.passed:
        raise Trouble(UNREADABLE, "no-point", point=options.set)
    raise Trouble(
        DAMAGED,
        "set-unread",
        set=options.set,
        count=len(chosen.passed),
        what=", ".join(str(path) for path, _ in chosen.passed[:5]),
    )


def moment(date: str | None) -> str:
    """A time as points' names begin, UTC; a day alone means its end."""
    if date is None:
        return "99999999T999999Z"
    try:
        read = datetime.fromisoformat(date.replace("Z", "+00:00"))
        if len(date) == 10:
            read = read.replace(hour=23, minute=59, second=59)
        if read.tzinfo is None:
            read = read.replace(tzinfo=timezone.utc)
        return read.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        raise Trouble(USAGE, "bad-date", date=date) from None


def list_points(options: argparse.Namespace, words: Words) -> int:
    copy = Copy(options.place, options.tenant)
    keys = keys_of(copy, options, words)
    rows: list[dict[str, object]] = []
    paths = copy.manifests()
    status = DAMAGED if copy.troubles else OK
    tell_of(copy, words)
    for path in paths:
        row: dict[str, object] = {
            "point": path.name.partition(".")[0],
            "server": path.parent.name,
        }
        try:
            point = Point(path)
            if keys is not None:
                point.authenticate(keys)
            row.update(
                taken_at=point.taken_at,
                system=point.told.get("system"),
                consistency=point.told.get("consistency"),
                set=point.told.get("set"),
                disks={disk.name: disk.size for disk in point.disks},
                state="state-ok" if keys is not None else "state-hash",
            )
        except Trouble as trouble:
            status = DAMAGED
            row.update(state="state-bad")
            print(words(trouble.key, **trouble.values), file=sys.stderr)
        rows.append(row)
    if options.json:
        for row in rows:
            row["state"] = str(row["state"])[len("state-") :]
        print(json_text(rows))
        return status
    if not rows:
        print(words("no-points"))
        return status
    table = [words("list-head").split("\t")]
    for row in rows:
        disks = row.get("disks") or {}
        assert isinstance(disks, dict)  # noqa: S101
        consistency = str(row.get("consistency") or "-")
        table.append(
            [
                str(row["point"]),
                str(row.get("taken_at", "-")),
                str(row["server"]),
                words(consistency) if consistency in CONSISTENCIES else consistency,
                str(len(disks)),
                readable(sum(disks.values())),
                words(str(row["state"])),
            ]
        )
    print_table(table)
    return status


def print_table(table: list[list[str]]) -> None:
    table = [[printable(cell, LONGEST_CELL) for cell in line] for line in table]
    widths = [max(map(width, column)) for column in zip(*table)]
    for line in table:
        cells = (cell + " " * (room - width(cell)) for cell, room in zip(line, widths))
        print("  ".join(cells).rstrip())


def width(text: str) -> int:
    """In a terminal's columns, where Japanese letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "FW" else 1 for letter in text)


def show(options: argparse.Namespace, words: Words) -> int:
    copy = Copy(options.place, options.tenant)
    chosen = choose(copy, options)
    tell_of(copy, words)
    keys = keys_of(copy, options, words)
    if keys is not None:
        chosen.authenticate(keys)
    status = OK
    for point in chosen.points:
        told = {name: value for name, value in point.told.items() if name not in ("sealed", "mac")}
        if keys is not None:
            try:
                told["description"] = point.description(keys)
            except Trouble as trouble:
                status = max(status, trouble.status)
                print(words(trouble.key, **trouble.values), file=sys.stderr)
        print(json_text(told))
    return max(status, chosen.tell(words, keys))


# ---------------------------------------------------------------------------------- commands


def tell_of(copy: Copy, words: Words) -> None:
    """What of the copy itself can't be read, each once."""
    for trouble in copy.troubles:
        print(words(trouble.key, **trouble.values), file=sys.stderr)
    copy.troubles.clear()


def keys_of(copy: Copy, options: argparse.Namespace, words: Words) -> Keys | None:
    if options.escrow:
        keys = keys_from_escrow(
            options.escrow, lambda: passphrase(options, words), options.private_key
        )
    elif options.repository_key:
        keys = keys_from_keyring(copy, read_key(options.repository_key), words)
    else:
        return None
    if copy.tenant is not None and keys.tenant != copy.tenant:
        what = options.escrow or options.repository_key
        raise Trouble(
            WRONG_KEYS, "wrong-tenant", what=what, found=keys.tenant, expected=copy.tenant
        )
    return keys


def needed_keys(copy: Copy, options: argparse.Namespace, words: Words) -> Keys:
    keys = keys_of(copy, options, words)
    if keys is None:
        raise Trouble(WRONG_KEYS, "keys-needed")
    return keys


def passphrase(options: argparse.Namespace, words: Words) -> str:
    try:
        if options.passphrase_file:
            text = options.passphrase_file.read_text(encoding="utf-8")
        elif options.passphrase_fd is not None:
            with os.fdopen(options.passphrase_fd, encoding="utf-8", closefd=False) as file:
                text = file.read()
        else:
            return getpass.getpass(words("ask-passphrase", file=options.escrow))
    except (OSError, ValueError) as error:
        what = options.passphrase_file or f"fd {options.passphrase_fd}"
        raise Trouble(UNREADABLE, "unreadable", what=what, why=error) from None
    except EOFError:
        raise Trouble(WRONG_KEYS, "keys-needed") from None
    return str(text).rstrip("\r\n")


def bounded(words: Words, least: int, most: int) -> Callable[[str], int]:
    def read(given: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", given) or not least <= int(given) <= most:
            told = words(
                "out-of-bounds", given=printable(given, LONGEST_CELL), least=least, most=most
            )
            raise argparse.ArgumentTypeError(told)
        return int(given)

    return read


class Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def arguments(words: Words) -> argparse.ArgumentParser:
    parser = Arguments(prog="yui_restore.py", description=words("help-about"))
    parser.add_argument("--language", choices=("en", "ja"), help=words("help-language"))
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="list|show|restore|check"
    )
    for name, function in (
        ("list", list_points),
        ("show", show),
        ("restore", restore),
        ("check", check),
    ):
        command = commands.add_parser(name, help=words(f"help-{name}"))
        command.set_defaults(function=function)
        command.add_argument(
            "--language",
            choices=("en", "ja"),
            default=argparse.SUPPRESS,
            help=words("help-language"),
        )
        command.add_argument("place", type=Path, metavar="PLACE", help=words("help-place"))
        add_keys(command, words)
        if name in ("show", "restore"):
            command.add_argument("point", nargs="?", metavar="POINT", help=words("help-point"))
            command.add_argument("--set", help=words("help-set"))
            command.add_argument("--server", help=words("help-server"))
            command.add_argument("--date", help=words("help-date"))
        if name == "restore":
            command.add_argument("--to", type=Path, required=True, help=words("help-to"))
            command.add_argument("--disk", action="append", help=words("help-disk"))
            command.add_argument(
                "--format", choices=("raw", "qcow2"), default="raw", help=words("help-format")
            )
            command.add_argument("--accept-holes", action="store_true", help=words("help-holes"))
            command.add_argument(
                "--workers",
                type=bounded(words, 1, MOST_WORKERS),
                default=min(4, os.cpu_count() or 1),
                help=words("help-workers"),
            )
        if name in ("list", "check"):
            command.add_argument("--json", action="store_true", help=words("help-json"))
        if name == "check":
            command.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    return parser


def add_keys(command: argparse.ArgumentParser, words: Words) -> None:
    command.add_argument("--tenant", help=words("help-tenant"))
    command.add_argument("--escrow", type=Path, help=words("help-escrow"))
    command.add_argument("--passphrase-file", type=Path, help=words("help-passphrase-file"))
    command.add_argument(
        "--passphrase-fd", type=bounded(words, 0, 1 << 20), help=words("help-passphrase-fd")
    )
    command.add_argument("--private-key", type=Path, help=words("help-private-key"))
    command.add_argument("--repository-key", type=Path, help=words("help-repository-key"))


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    language = usual_language()
    for i, each in enumerate(given):
        if each == "--language" and i + 1 < len(given):
            language = given[i + 1]
        elif each.startswith("--language="):
            language = each.partition("=")[2]
    words = Words(language)
    options = arguments(words).parse_args(given)
    try:
        return int(options.function(options, words))
    except Trouble as trouble:
        print(words(trouble.key, **trouble.values), file=sys.stderr)
        return trouble.status
    except KeyboardInterrupt:
        print(words("interrupted"), file=sys.stderr)
        return INTERRUPTED
    except MemoryError:
        print(words("no-memory"), file=sys.stderr)
        return UNREADABLE
    except OSError as error:
        what = error.filename or options.place
        print(words("unreadable", what=what, why=error.strerror), file=sys.stderr)
        return UNREADABLE


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Not every terminal has all letters; what it lacks stops nothing.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
