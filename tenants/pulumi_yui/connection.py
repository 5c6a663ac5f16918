"""Asks the API. The token is read from its file each time, and kept nowhere."""

from __future__ import annotations

import os
import ssl
import stat
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

_WAIT_S = 30
_PATIENCE_S = 3600
_LONGEST_TOKEN = 20_000


class Refused(Exception):
    """One sentence, in the language of YUI_LANG or LANG; `type` is the problem's."""

    def __init__(self, sentence: str, type: str = "", status: int = 0) -> None:
        super().__init__(sentence)
        self.type = type
        self.status = status


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
        url, file = environment.get("YUI_URL"), environment.get("YUI_TOKEN_FILE")
        if not url or not file:
            raise Refused(
                "Set YUI_URL to the address of the API and YUI_TOKEN_FILE to the file that holds your token."
            )
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Refused(f"YUI_URL must begin with https://, not with {url[:40]!r}.")
        ca = environment.get("YUI_CA_FILE")
        spoken = environment.get("YUI_LANG") or environment.get("LANG") or "en"
        return Connection(
            url.rstrip("/"),
            Path(file),
            Path(ca) if ca else None,
            "ja" if spoken[:2] == "ja" else "en",
        )

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

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> Any:
        """What was answered, once it is done; with `dry_run` what would be. Raises Refused, also where an
        operation fails."""
        answer = self._ask(method, path, body, dry_run=dry_run)
        if (
            dry_run
            or not isinstance(answer, dict)
            or not str(answer.get("id", "")).startswith("op-")
        ):
            return answer
        return self._ended(answer)

    def _ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        ends = time.monotonic() + _PATIENCE_S
        while operation["state"] == "running":
            if time.monotonic() > ends:
                raise Refused(
                    f"{operation['id']} has not ended within an hour: look at it with `yui`."
                )
            operation = self.get(f"/v1/operations/{segment(operation['id'])}?wait={_WAIT_S}")
        if operation["state"] == "failed":
            error = operation.get("error") or {}
            said = error.get(self.language) or error.get("en") or f"{operation['id']} failed."
            raise Refused(str(said), "operation-failed")
        return operation

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
        raise _refusal(answer)

    def _patiently(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        dry_run: bool,
    ) -> httpx.Response:
        for left in (4, 3, 2, 1, 0):
            try:
                answer = client.request(
                    method,
                    self.url + path,
                    json=body,
                    params={"dry_run": "true"} if dry_run else None,
                )
            except httpx.TransportError as error:
                if not left:
                    raise Refused(
                        f"{self.url} does not answer ({type(error).__name__}): is YUI_URL right, and is the API up?"
                    ) from None
                time.sleep(1)
                continue
            if answer.status_code not in (429, 503) or not left:
                return answer
            time.sleep(min(30, int(answer.headers.get("Retry-After", "1"))))
        raise AssertionError("the last try returns or raises")

    def _token(self) -> str:
        try:
            mode = self.token_file.stat().st_mode
            text = self.token_file.read_text(encoding="utf-8")[:_LONGEST_TOKEN].strip()
        except (OSError, UnicodeDecodeError):
            raise Refused(f"YUI_TOKEN_FILE: {self.token_file} can't be read.") from None
        if stat.S_IMODE(mode) & 0o077:
            raise Refused(f"Others may read {self.token_file}: chmod 600 it first.")
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Refused(f"{self.token_file} does not hold a token alone on one line.")
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
            raise Refused(f"YUI_CA_FILE: {self.ca_file} holds no certificates.") from None


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _refusal(answer: httpx.Response) -> Refused:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    sentence = str(document.get("detail") or f"The API answered {answer.status_code}.")
    type = str(document.get("type", "")).removeprefix("urn:yui:problem:")
    return Refused(sentence, type, answer.status_code)
