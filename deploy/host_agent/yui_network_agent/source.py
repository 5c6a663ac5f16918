"""Where the host's plan comes from: the control plane's API, over TLS or a socket, or a file."""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.parse
from dataclasses import dataclass

_LARGEST = 32 * 2**20
_PATIENCE_S = 15


class NoAnswer(Exception):
    """A sentence about why there is no plan to be had now."""


@dataclass(frozen=True)
class Source:
    """`place` is `https://HOST[:PORT]`, `unix:PATH` or `file:PATH`; `token_file` holds the token of a
    service account that may read hosts' networks; `authority` is a file of certificates to trust
    instead of the system's."""

    place: str
    host: str
    token_file: str | None = None
    authority: str | None = None

    def ask(
        self, tag: str | None, wait_s: int, applied: str | None
    ) -> tuple[bytes, str | None] | None:
        """The plan and its tag; None where it is still the one with `tag` after `wait_s`. `applied` is
        the tag of the plan that the host has made so. Raises NoAnswer."""
        try:
            if self.place.startswith("file:"):
                with open(self.place.removeprefix("file:"), "rb") as file:
                    return file.read(_LARGEST), None
            return self._ask(tag, wait_s, applied)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"{self.place} does not answer: {error}") from None

    def _ask(
        self, tag: str | None, wait_s: int, applied: str | None
    ) -> tuple[bytes, str | None] | None:
        headers = {"Accept": "application/json"}
        if self.token_file is not None:
            with open(self.token_file, encoding="ascii") as file:
                headers["Authorization"] = f"Bearer {file.read().strip()}"
        if tag is not None:
            headers["If-None-Match"] = tag
        connection = self._connection(_PATIENCE_S + wait_s)
        try:
            name = urllib.parse.quote(self.host, safe="")
            asked = {"wait": str(wait_s)}
            if applied is not None:
                asked["applied"] = applied.strip('"')
            path = f"/v1/hosts/{name}/network?{urllib.parse.urlencode(asked)}"
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            content = answer.read(_LARGEST + 1)
        finally:
            connection.close()
        if answer.status == http.client.NOT_MODIFIED:
            return None
        if answer.status != http.client.OK:
            raise NoAnswer(f"{self.place} answered {answer.status} {answer.reason}")
        if len(content) > _LARGEST:
            raise NoAnswer(f"{self.place} sent more than {_LARGEST} bytes")
        return content, answer.getheader("ETag")

    def _connection(self, limit_s: int) -> http.client.HTTPConnection:
        if self.place.startswith("unix:"):
            return _SocketConnection(self.place.removeprefix("unix:"), limit_s)
        address = urllib.parse.urlsplit(self.place)
        if address.scheme != "https" or not address.hostname:
            raise NoAnswer(f"'{self.place}' is neither https://HOST, unix:PATH nor file:PATH")
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(
            address.hostname, address.port or 443, timeout=limit_s, context=context
        )


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, limit_s: int) -> None:
        super().__init__("localhost", timeout=limit_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
