"""Where a store of objects is, as people write it in pool files and policies, and how it is opened."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from backup.objects.directory import DirectoryStore
from control_plane.drivers.objects import ObjectStore, check_key
from control_plane.drivers.world import Clock
from control_plane.model.errors import YuiError

_LONGEST = 2048
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_REFERENCE = re.compile(r"file:/\S+|env:[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class FolderPlace:
    folder: Path


@dataclass(frozen=True, slots=True)
class S3Place:
    """`prefix` empty or with a slash at its end. `endpoint` None: Amazon's for the region.
    `credentials` names the secret `ACCESS_KEY:SECRET_KEY`. `authorities` is a file of certificates
    to trust instead of this machine's."""

    bucket: str
    prefix: str
    region: str
    credentials: str
    endpoint: str | None = None
    authorities: Path | None = None

    @property
    def name(self) -> str:
        """For people, without secrets and where they are kept."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


def parse_place(text: str) -> FolderPlace | S3Place:
    """`file:///path` or `s3://bucket/prefix?endpoint=https://…&region=…&credentials=env:NAME|file:/path`,
    optionally with `ca=/path`. Without `endpoint` it is Amazon's of the region, without `region`
    `us-east-1`, which stores of one region take for theirs.

    Raises YuiError `place-invalid`, which repeats nothing that may be a secret."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _invalid("it is no URL", "URL として読めません") from None
    if len(text) > _LONGEST or not text.isprintable() or not text.isascii():
        raise _invalid(
            "it is too long, or has characters other than ASCII's",
            "長すぎるか、ASCII 以外の文字が含まれています",
        )
    if parts.username is not None or parts.password is not None:
        raise _invalid(
            "credentials do not belong in it: name where they are kept with credentials=env:NAME or file:/PATH",
            "認証情報を直接書くことはできません。credentials=env:名前 または file:/パス で置き場所を指定してください",
        )
    if parts.fragment:
        raise _invalid("it has a part after '#'", "「#」以降の部分は使えません")
    if parts.scheme == "file":
        return _folder(parts)
    if parts.scheme == "s3":
        return _s3(parts)
    raise _invalid(
        "it begins with neither file:/// nor s3://", "file:/// または s3:// で始まっていません"
    )


class Places:
    """Opens stores, each of them once, so that their connections are shared. Safe for several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._open: dict[str, ObjectStore] = {}

    def open(self, place: str) -> ObjectStore:
        """Speaks to nobody yet. Raises YuiError `place-invalid`."""
        with self._mutex:
            store = self._open.get(place)
            if store is None:
                store = self._open[place] = open_place(parse_place(place), self._clock)
            return store


def open_place(place: FolderPlace | S3Place, clock: Clock) -> ObjectStore:
    if isinstance(place, FolderPlace):
        return DirectoryStore(place.folder, clock=clock)
    # Loads a library that takes a while, and that whoever has folders alone does not need.
    from backup.objects.s3 import S3Store  # noqa: PLC0415

    return S3Store(place, clock)


def _folder(parts: SplitResult) -> FolderPlace:
    path = unquote(parts.path)
    if parts.netloc or parts.query or not path.startswith("/") or "\0" in path:
        raise _invalid(
            "a folder is named as file:///path and nothing else",
            "フォルダーは file:///パス の形だけで指定します",
        )
    folder = Path(path)
    if ".." in folder.parts or folder == Path("/"):
        raise _invalid(
            "its path has '..' in it or is '/'", "パスに「..」が含まれているか、「/」そのものです"
        )
    return FolderPlace(folder)


def _s3(parts: SplitResult) -> S3Place:
    options = _options(parts.query)
    if _BUCKET.fullmatch(parts.netloc) is None:
        raise _invalid(
            "after s3:// comes the bucket's name, of 3 to 63 small letters, digits, dots and hyphens",
            "s3:// の後には、英小文字・数字・ピリオド・ハイフンからなる 3 〜 63 文字のバケット名が必要です",
        )
    prefix = parts.path.strip("/")
    if prefix:
        try:
            check_key(prefix)
        except ValueError:
            raise _invalid(
                "what follows the bucket's name cannot begin an object's key",
                "バケット名に続く部分をオブジェクトのキーの先頭として使えません",
            ) from None
    region = options.get("region", "us-east-1")
    if _REGION.fullmatch(region) is None:
        raise _invalid("its region is no name of one", "region の値が正しくありません")
    credentials = options.get("credentials", "")
    if _REFERENCE.fullmatch(credentials) is None:
        raise _invalid(
            "it names no credentials: add credentials=env:NAME or credentials=file:/PATH, where ACCESS_KEY:SECRET_KEY is kept",
            "認証情報の置き場所がありません。ACCESS_KEY:SECRET_KEY を保存した場所を credentials=env:名前 または credentials=file:/パス で指定してください",
        )
    authorities = options.get("ca")
    if authorities is not None and not authorities.startswith("/"):
        raise _invalid("its ca is no absolute path", "ca には絶対パスを指定してください")
    return S3Place(
        bucket=parts.netloc,
        prefix=f"{prefix}/" if prefix else "",
        region=region,
        credentials=credentials,
        endpoint=None if "endpoint" not in options else _endpoint(options["endpoint"]),
        authorities=None if authorities is None else Path(authorities),
    )


def _options(query: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _invalid(
            "what follows '?' is not name=value&name=value",
            "「?」以降が 名前=値&名前=値 の形になっていません",
        ) from None
    options = dict(pairs)
    known = {"endpoint", "region", "credentials", "ca"}
    if len(options) < len(pairs) or not known.issuperset(options):
        raise _invalid(
            "after '?' it takes endpoint, region, credentials and ca, each once",
            "「?」以降に指定できるのは endpoint、region、credentials、ca で、それぞれ 1 回だけです",
        )
    return options


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.netloc.removesuffix(f":{port}") if port is not None else parts.netloc
    if (
        parts.scheme not in {"https", "http"}
        or _HOST.fullmatch(host) is None
        or parts.path not in {"", "/"}
        or parts.query
        or parts.fragment
    ):
        raise _invalid(
            "its endpoint is not https://HOST or https://HOST:PORT",
            "endpoint は https://ホスト または https://ホスト:ポート の形で指定してください",
        )
    if parts.scheme == "http" and not _is_loopback(host.strip("[]")):
        raise _invalid(
            "its endpoint is not encrypted, which only this machine itself may be: use https://",
            "endpoint が暗号化されていません。このマシン自身を除き、https:// を使ってください",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _invalid(en: str, ja: str) -> YuiError:
    return YuiError(
        "place-invalid",
        en=f"This is no place for backups: {en}.",
        ja=f"バックアップの保存先として正しくありません。{ja}。",
    )
