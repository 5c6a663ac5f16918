"""Asks the API. The token is read from its file each time, and kept nowhere."""

from __future__ import annotations

import os
import ssl
import stat
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from tenants.pulumi_yui.refusals import Refused, refused, spoken

__all__ = ["Connection", "Refused", "segment"]

_WAIT_S = 30
_PATIENCE_S = 3600
_SILENCE_S = 300
"""How long an API may not answer while something that was asked for goes on: it may be restarted."""
_TRIES = 5
_LONGEST_TOKEN = 20_000
_UNANSWERED = "unanswered"
_BUSY = frozenset({429, 502, 503, 504})
"""What a proxy answers while the API behind it is restarted, and the API while it has too much to do."""
_PASSING = frozenset({"server-moving", "server-disks-busy", "volume-not-ready", "volume-detaching"})
"""Problems that end by themselves."""


@dataclass(frozen=True, slots=True)
class Connection:
    """`token_file` holds a bearer token of a member's; `ca_file` whom to trust besides the usual ones."""

    url: str
    token_file: Path
    ca_file: Path | None = None
    language: str = "en"

    @staticmethod
    def at_hand(environment: Mapping[str, str] = os.environ) -> Connection:
        """What the environment says. Raises Refused."""
        language = spoken(environment)
        url, file = environment.get("YUI_URL"), environment.get("YUI_TOKEN_FILE")
        if not url or not file:
            raise refused(
                language,
                "Set YUI_URL to the address of the API and YUI_TOKEN_FILE to the file that holds your token.",
                "YUI_URL に API のアドレスを、YUI_TOKEN_FILE にトークンのファイルを指定してください。",
            )
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise refused(
                language,
                f"YUI_URL must begin with https://, not with {url[:40]!r}.",
                f"YUI_URL は https:// で始めてください(現在は {url[:40]!r})。",
            )
        ca = environment.get("YUI_CA_FILE")
        return Connection(
            url.rstrip("/"),
            Path(file),
            Path(ca) if ca else None,
            language,
        )

    def refused(self, en: str, ja: str) -> Refused:
        """That sentence in the program's language."""
        return refused(self.language, en, ja)

    def get(self, path: str) -> Any:
        return self._ask("GET", path, None, dry_run=False)

    def find(self, path: str) -> Any:
        """None where there is no such thing."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """The items of every page."""
        joint = "&" if "?" in path else "?"
        next = ""
        while True:
            page = self.get(f"{path}{joint}limit=1000{next}")
            yield from page["items"]
            if page.get("next") is None:
                return
            next = f"&cursor={segment(page['next'])}"

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
        passing: frozenset[str] = _PASSING,
    ) -> Any:
        """What was answered, once it is done; with `dry_run` what would be. Raises Refused, also where an
        operation fails. A refusal for one of the problems `passing` is waited for."""
        if dry_run:
            return self.begin(method, path, body, dry_run=True)
        ends = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self.ended(self.begin(method, path, body))
            except Refused as refused:
                if refused.type not in passing or time.monotonic() > ends:
                    raise
            time.sleep(1)

    def begin(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> Any:
        """What was answered at once: an operation, where it takes time."""
        return self._ask(method, path, body, dry_run=dry_run)

    def ended(self, answer: Any) -> Any:
        """An operation once it is done; any other answer as it is. Raises Refused."""
        if not isinstance(answer, dict) or not {"kind", "subject", "done"} <= answer.keys():
            return answer
        operation = answer
        ends = time.monotonic() + _PATIENCE_S
        while operation["state"] == "running":
            if time.monotonic() > ends:
                raise self.refused(
                    f"{operation['id']} has not ended within an hour: look at it with `yui`.",
                    f"{operation['id']} が1時間たっても終わりません。`yui` で状況を確認してください。",
                )
            operation = self._patient_get(
                f"/v1/operations/{segment(operation['id'])}?wait={_WAIT_S}"
            )
        if operation["state"] == "failed":
            error = operation.get("error") or {}
            said = error.get(self.language) or error.get("en")
            if not said:
                raise self.refused(
                    f"{operation['id']} failed.", f"{operation['id']} は失敗しました。"
                )
            raise Refused(str(said), "operation-failed")
        return operation

    def _patient_get(self, path: str) -> Any:
        ends = time.monotonic() + _SILENCE_S
        while True:
            try:
                return self.get(path)
            except Refused as refused:
                silent = refused.type == _UNANSWERED or refused.status in _BUSY
                if not silent or time.monotonic() > ends:
                    raise

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, *, dry_run: bool) -> Any:
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Accept-Language": self.language,
        }
        if method != "GET":
            # The same key for each try of one request: it is done once.
            headers["Idempotency-Key"] = str(uuid.uuid4())
        local = urlsplit(self.url).hostname in ("127.0.0.1", "::1", "localhost")
        with httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(60, connect=5),
            verify=self._trust(),
            trust_env=not local,
        ) as client:
            answer = self._patiently(client, method, path, body, dry_run=dry_run)
        if answer.is_success:
            return answer.json() if answer.content else None
        raise self._refusal(answer)

    def _patiently(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        dry_run: bool,
    ) -> httpx.Response:
        ends, tries, under_way = time.monotonic() + _SILENCE_S, 0, False
        while True:
            tries += 1
            try:
                answer = client.request(
                    method,
                    self.url + path,
                    json=body,
                    params={"dry_run": "true"} if dry_run else None,
                )
            except httpx.TransportError as error:
                never_came = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                under_way |= not (never_came or dry_run or method == "GET")
                # What may have been done is asked for again with its key: its answer says what was.
                if tries >= _TRIES and not (under_way and time.monotonic() < ends):
                    silent = self.refused(
                        f"{self.url} does not answer ({type(error).__name__}): is YUI_URL right, and is the API up?",
                        f"{self.url} が応答しません({type(error).__name__})。YUI_URL が正しいか、API が動いているか確認してください。",
                    )
                    silent.type = _UNANSWERED
                    raise silent from None
                time.sleep(1)
                continue
            if answer.status_code not in (429, 503) or tries >= _TRIES:
                return answer
            time.sleep(min(30, int(answer.headers.get("Retry-After", "1"))))

    def _token(self) -> str:
        try:
            mode = self.token_file.stat().st_mode
            text = self.token_file.read_text(encoding="utf-8")[:_LONGEST_TOKEN].strip()
        except (OSError, UnicodeDecodeError):
            raise self.refused(
                f"YUI_TOKEN_FILE: {self.token_file} can't be read.",
                f"YUI_TOKEN_FILE の {self.token_file} を読み取れません。",
            ) from None
        if stat.S_IMODE(mode) & 0o077:
            raise self.refused(
                f"Others may read {self.token_file}: chmod 600 it first.",
                f"{self.token_file} をほかの人が読める状態です。先に chmod 600 を実行してください。",
            )
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise self.refused(
                f"{self.token_file} does not hold a token alone on one line.",
                f"{self.token_file} には、トークンだけを1行で書いてください。",
            )
        return text

    def _trust(self) -> ssl.SSLContext:
        if urlsplit(self.url).scheme == "http" and self.ca_file is None:
            # Nobody shows a certificate, and to read those of all authorities takes longer than an answer.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            return ssl.create_default_context(
                cafile=None if self.ca_file is None else str(self.ca_file)
            )
        except (OSError, ssl.SSLError):
            raise self.refused(
                f"YUI_CA_FILE: {self.ca_file} holds no certificates.",
                f"YUI_CA_FILE の {self.ca_file} に証明書がありません。",
            ) from None

    def _refusal(self, answer: httpx.Response) -> Refused:
        try:
            document = answer.json()
        except ValueError:
            document = {}
        if not isinstance(document, dict):
            document = {}
        status = answer.status_code
        bare = self.refused(f"The API answered {status}.", f"API が {status} を返しました。")
        type = str(document.get("type", "")).removeprefix("urn:yui:problem:")
        return Refused(str(document.get("detail") or bare), type, status)


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")
