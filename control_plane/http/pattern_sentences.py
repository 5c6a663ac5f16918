"""What a text must look like, said in words for each pattern that a request's texts are held to.

By the pattern itself, since that is all that is known of the type when a text doesn't match.
"""

from __future__ import annotations

from collections.abc import Mapping

UNNAMED = ("is not in the expected form", "の形式が正しくありません")

_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,%d}[a-z0-9])?$"
_NO_NULL = ("must not hold the character U+0000", "に文字 U+0000 を含めることはできません")
_ASCII = (
    "must be printable ASCII without spaces",
    "は空白を含まない半角の英数字・記号で指定してください",
)

SENTENCES: Mapping[str, tuple[str, str]] = {
    _NAME % 61: (
        "must be a name of a–z, 0–9 and inner hyphens, at most 63 characters",
        "は英小文字・数字・ハイフン(先頭と末尾を除く)で63文字以内の名前を指定してください",
    ),
    _NAME % 48: (
        "must be a name of a–z, 0–9 and inner hyphens, at most 50 characters",
        "は英小文字・数字・ハイフン(先頭と末尾を除く)で50文字以内の名前を指定してください",
    ),
    r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$": (
        "must be a name of a–z, 0–9 and inner hyphens",
        "は英小文字・数字・ハイフン(先頭と末尾を除く)の名前を指定してください",
    ),
    r"^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$": (
        "must be a name of a–z, 0–9 and inner dots and hyphens, at most 63 characters",
        "は英小文字・数字・ドット・ハイフン(先頭と末尾は英小文字か数字)で63文字以内の名前を指定してください",
    ),
    r"^[a-z0-9-]{0,63}\*?$": (
        "must be a name of a–z, 0–9 and hyphens, or the beginning of one with * at its end",
        "は英小文字・数字・ハイフンの名前か、その先頭部分の末尾に * を付けたものを指定してください",
    ),
    r"^[!-~]+$": _ASCII,
    r"^[!-~]*$": _ASCII,
    r"^[0-9a-f]{32}$": (
        "must be an ETag without its quotes: 32 digits of 0–9 and a–f",
        "は引用符を除いた ETag(0~9・a~f の32桁)で指定してください",
    ),
    r"^[0-9a-fA-F]{64}$": (
        "must be a SHA-256 in hexadecimal: 64 digits of 0–9 and a–f",
        "は SHA-256 の値(0~9・a~f の64桁)で指定してください",
    ),
    r"^[0-9]{1,18}$": (
        "must be the number of an event, at most 18 digits",
        "はイベントの番号(18桁以内の数字)で指定してください",
    ),
    r"^(all|consortium|member:[0-9]{6})$": (
        "must be all, consortium, or member: and a municipality code such as member:012220",
        "は all、consortium、または member:012220 のような団体コード付きの値で指定してください",
    ),
    r"^[!-?A-~]+@[!-?A-~]+$": (
        "must be an e-mail address such as sato@town.example.jp",
        "は sato@town.example.jp のようなメールアドレスで指定してください",
    ),
    r"^[0-9+() -]+$": (
        "must be a telephone number of digits, +, parentheses, hyphens and spaces",
        "は数字・+・括弧・ハイフン・空白だけの電話番号で指定してください",
    ),
    r"^[a-z0-9][a-z0-9.-]{0,200}(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._-]{0,127}){1,8}@sha256:[0-9a-f]{64}$": (
        "must be an image with its registry and digest, such as registry.example.jp/town/web@sha256:…",
        "は registry.example.jp/town/web@sha256:… のように、レジストリーとダイジェストを含むイメージ名で指定してください",
    ),
    r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": (
        "must be a time of day from 00:00 to 24:00",
        "は 00:00 から 24:00 までの時刻で指定してください",
    ),
    r"^[^\x00]*$": _NO_NULL,
    r"^[A-Za-z0-9+/]{43}=$": (
        "must be an X25519 public key in Base64: 44 characters",
        "は X25519 の公開鍵(Base64、44文字)で指定してください",
    ),
    r"^[A-Za-z0-9_@-](?:[A-Za-z0-9_@. -]{0,253}[A-Za-z0-9_@.-])?$": (
        "must be a name of letters, digits, and _ @ . - with spaces inside",
        "は半角の英数字と _ @ . - (途中には空白も可)の名前で指定してください",
    ),
    r"^[a-zA-Z0-9\-_:. ]{1,255}$": (
        "must be a name of letters, digits, spaces and - _ : . of 1 to 255 characters",
        "は半角の英数字・空白と - _ : . で1~255文字の名前を指定してください",
    ),
    r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$": (
        "must be a name of letters, digits and _ . : / - that begins with a letter, digit or _",
        "は英数字か _ で始まる、半角の英数字と _ . : / - の名前で指定してください",
    ),
    r"^[^/,]+$": (
        "must hold neither / nor ,",
        "に / と , を含めることはできません",
    ),
    r"^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$": (
        "must be an IPv4 network such as 10.20.0.0/16",
        "は 10.20.0.0/16 のような IPv4 ネットワークで指定してください",
    ),
    r"^[0-9]{1,5}(-[0-9]{1,5})?$": (
        "must be a port such as 443, or two with a hyphen such as 8000-8010",
        "は 443 のようなポート番号か、8000-8010 のような範囲で指定してください",
    ),
    r"^(?:file|s3|memory):[!-~]{1,400}$": (
        "must be a place such as file:///srv/backup or s3://bucket/prefix?endpoint=…",
        "は file:///srv/backup や s3://bucket/prefix?endpoint=… のような保管先で指定してください",
    ),
    r"^(?:env:[A-Za-z_][A-Za-z0-9_]{0,99}|file:/[!-~]{1,300})$": (
        "must say where the key is, as env:NAME or file:/PATH",
        "は鍵のある場所を env:変数名 か file:/パス の形で指定してください",
    ),
    r"^(asc|desc)$": ("must be asc or desc", "は asc か desc で指定してください"),
    r"^/[^/]+$": (
        "must be / and the name of one property, in which ~1 stands for /",
        "は / に続けてプロパティー名を1つ指定してください(名前の中の / は ~1 と書きます)",
    ),
}
