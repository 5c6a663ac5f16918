"""The HTTP client of the API: one method per verb, and one sentence for everything that goes wrong.

Every change carries an Idempotency-Key of its own, so that it can be sent again after a connection
broke without being done twice.
"""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from control_plane.cli.language import Language
from control_plane.cli.login_file import current_token
from control_plane.cli.settings import Settings, is_loopback, read_token
from control_plane.model.errors import YuiError

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Longer than the longest wait that is asked of the server."""
_ATTEMPTS = 4
_PAGE = 1000
_PROBLEM_TYPE = "urn:yui:problem:"


class ApiProblem(YuiError):
    """A problem document that the API answered with, already in the reader's language."""

    def __init__(self, document: Mapping[str, Any], status: int) -> None:
        detail = str(document.get("detail") or document.get("title") or f"HTTP {status}")
        super().__init__(
            str(document.get("type", "")).removeprefix(_PROBLEM_TYPE) or f"http-{status}",
            en=detail,
            ja=detail,
            status=status,
            fields=document.get("fields") if isinstance(document.get("fields"), dict) else None,
        )
        self.document = dict(document)


def segment(name: str) -> str:
    """A name as one segment of a path: whatever a person typed stays inside it."""
    return quote(name, safe="").replace(".", "%2E") if set(name) <= {"."} else quote(name, safe="")


class Api:
    """Close it when done. Methods return the JSON that came back, and raise ApiProblem for a
    problem document and YuiError for everything between here and the API."""

    def __init__(self, settings: Settings, language: Language, grant: str | None = None) -> None:
        """`grant` is the break-glass under which everything is asked."""
        self._url = settings.url
        headers = {"Accept": "application/json", "Accept-Language": language.value}
        if settings.token_file is not None:
            headers["Authorization"] = f"Bearer {_bearer(settings.token_file)}"
        if grant is not None:
            headers["Yui-Break-Glass"] = grant
        parts = urlsplit(settings.url)
        self._client = httpx.Client(
            base_url=settings.url,
            headers=headers,
            timeout=_TIMEOUT,
            verify=_trust(settings),
            # A proxy has no business between here and this machine.
            trust_env=not is_loopback(parts.hostname or ""),
        )

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        return self._call("GET", path, query=query)

    def read(self, path: str) -> tuple[Any, str | None]:
        """What GET answers, and its ETag where it has one."""
        response = self._respond("GET", path, query={})
        return _answer(response, self._url), response.headers.get("ETag")

    def lines(self, path: str, **query: object) -> Iterator[bytes]:
        """What GET answers, line after line as it comes, each with its newline."""
        try:
            with self._client.stream("GET", path, params=_params(query)) as response:
                if not response.is_success:
                    response.read()
                    _answer(response, self._url)
                yield from _whole_lines(response.iter_bytes())
        except httpx.TransportError as error:
            raise _unreachable(self._url, error) from None

    def parts(self, path: str, /, offset: int = 0, **query: object) -> Iterator[bytes]:
        """A file's bytes from `offset` on, as they come."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            with self._client.stream(
                "GET", path, params=_params(query), headers=headers
            ) as response:
                if not response.is_success:
                    response.read()
                    _answer(response, self._url)
                if offset and response.status_code != 206:
                    raise answer_not_understood()
                yield from response.iter_raw()
        except httpx.TransportError as error:
            raise _unreachable(self._url, error) from None

    def every(self, path: str, **query: object) -> list[dict[str, Any]]:
        """All items of a list, page after page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=_PAGE, **query)
            items.extend(_expect(page, "items"))
            following = page.get("next")
            if following is None or following == cursor:
                return items
            cursor = following

    def post(self, path: str, body: Mapping[str, object] | None = None, **query: object) -> Any:
        return self._call("POST", path, query=query, body=body)

    def delete(self, path: str, **query: object) -> Any:
        return self._call("DELETE", path, query=query)

    def patch(self, path: str, body: Mapping[str, object], **query: object) -> Any:
        return self._call("PATCH", path, query=query, body=body)

    def part(self, path: str, data: bytes, **query: object) -> Any:
        """PUT bytes. What it answers when it is sent again after a connection broke is for the caller to
        see."""
        request = self._client.build_request(
            "PUT",
            path,
            params=_params(query),
            content=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        try:
            return _answer(self._client.send(request), self._url)
        except httpx.TransportError as error:
            raise _unreachable(self._url, error) from None

    def put(
        self,
        path: str,
        body: Mapping[str, object],
        *,
        if_match: str | None = None,
        **query: object,
    ) -> Any:
        """With the ETag of what was read as `if_match`, nothing newer is overwritten."""
        headers = {} if if_match is None else {"If-Match": if_match}
        return self._call("PUT", path, query=query, body=body, headers=headers)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object],
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        response = self._respond(method, path, query=query, body=body, headers=headers)
        return _answer(response, self._url)

    def _respond(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object],
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        key = {} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())}
        request = self._client.build_request(
            method, path, params=_params(query), json=body, headers={**key, **(headers or {})}
        )
        return self._send(lambda: self._client.send(request))

    def _send(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                response = send()
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
                if last:
                    raise _unreachable(self._url, error) from None
            except httpx.TransportError as error:
                raise _unreachable(self._url, error) from None
            else:
                if last or response.status_code != 429:
                    return response
            time.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def _whole_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def _params(query: Mapping[str, object]) -> dict[str, str | list[str]]:
    return {
        name: [_text(each) for each in value] if isinstance(value, list) else _text(value)
        for name, value in query.items()
        if value is not None
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bearer(path: Path) -> str:
    """What `yui login` has left, or a plain token."""
    if path.name.startswith("login-") and path.suffix == ".json":
        return current_token(path)
    return read_token(path)


def _trust(settings: Settings) -> ssl.SSLContext:
    if urlsplit(settings.url).scheme == "http" and settings.ca_file is None:
        # Nobody shows a certificate, and to read those of all authorities takes longer than an answer.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None
        )
    except (OSError, ssl.SSLError):
        raise YuiError(
            "ca-file-unusable",
            en=f"{settings.ca_file} can't be used as a CA file: name a readable file of PEM certificates.",
            ja=f"{settings.ca_file} を CA ファイルとして使えません。読み取れる PEM 形式の証明書を指定してください。",
        ) from None


def _answer(response: httpx.Response, url: str) -> Any:
    try:
        document = response.json()
    except ValueError:
        document = None
    if response.is_success and document is not None:
        return document
    if isinstance(document, dict) and ("detail" in document or "title" in document):
        raise ApiProblem(document, response.status_code)
    raise YuiError(
        "api-not-yui",
        en=f"What answers at {url} is not Yui's API (HTTP {response.status_code}): check the address.",
        ja=f"{url} で応答しているのは Yui の API ではありません(HTTP {response.status_code})。アドレスを確認してください。",
        status=502,
    )


def _expect(page: Any, key: str) -> list[dict[str, Any]]:
    found = page.get(key) if isinstance(page, dict) else None
    if not isinstance(found, list):
        raise answer_not_understood()
    return found


def answer_not_understood() -> YuiError:
    return YuiError(
        "api-answer-unknown",
        en="The API's answer has a shape that this yui does not know: the two are of different versions, so update yui.",
        ja="API の応答を解釈できません。バージョンが異なるようです。yui を更新してください。",
        status=502,
    )


def _unreachable(url: str, error: httpx.TransportError) -> YuiError:
    """The first cause that a person can do something about."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    said = " ".join(str(cause) for cause in causes).lower()
    verify = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    if verify is not None:
        reason = verify.verify_message or "not verified"
        return YuiError(
            "api-certificate-untrusted",
            en=f"The certificate of {url} is not trusted ({reason}): name the CA that signed it with --ca-file.",
            ja=f"{url} の証明書を信頼できません({reason})。署名した CA を --ca-file で指定してください。",
            status=503,
        )
    if any(isinstance(c, ssl.SSLError) for c in causes):
        return YuiError(
            "api-tls-failed",
            en=f"No TLS connection to {url} came about: check that the address and port speak https.",
            ja=f"{url} と TLS で接続できません。アドレスとポートが https に対応しているか確認してください。",
            status=503,
        )
    if isinstance(error, httpx.TimeoutException):
        return YuiError(
            "api-timeout",
            en=f"{url} did not answer in time: check the network, and look later whether the change was made.",
            ja=f"{url} から時間内に応答がありません。ネットワークを確認し、変更が行われたかを後で確かめてください。",
            status=504,
        )
    if any(isinstance(c, ConnectionRefusedError) for c in causes) or "refused" in said:
        return YuiError(
            "api-refused",
            en=f"Nothing listens at {url}: check the address, or start the API with `yui serve`.",
            ja=f"{url} で待ち受けているものがありません。アドレスを確認するか、`yui serve` で API を起動してください。",
            status=503,
        )
    if "name or service" in said or "name resolution" in said or "nodename" in said:
        return YuiError(
            "api-name-unknown",
            en=f"The name in {url} can't be resolved: check its spelling and the name server.",
            ja=f"{url} の名前を解決できません。つづりとネームサーバーを確認してください。",
            status=503,
        )
    return YuiError(
        "api-unreachable",
        en=f"{url} can't be reached: check the address and the network.",
        ja=f"{url} に接続できません。アドレスとネットワークを確認してください。",
        status=503,
    )
