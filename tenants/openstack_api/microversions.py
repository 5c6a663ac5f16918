"""Microversions: which behaviour of an API the client asks for (docs.openstack.org, API microversions).

A route asks for `Microversion` and compares; nothing that came with a later one is answered to an
earlier one. What is asked for is answered in the same headers, which `answer_headers` sees to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from starlette.datastructures import Headers

from control_plane.model.errors import YuiError
from tenants.openstack_api.services import Service

_VERSION = re.compile(r"([1-9]\d{0,8})\.(0|[1-9]\d{0,8})")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class Range:
    """The versions of a service from `least` to `most`; clients that name none get `least`. `header` is
    the name under which the service is named in `OpenStack-API-Version`, `older` the header before."""

    service: Service
    header: str
    least: Version
    most: Version
    older: str | None = None

    async def __call__(self, request: Request) -> Version:
        """The one that is asked for. Raises `microversion-unreadable` (400), and `microversion-unsupported`
        (406)."""
        version = self._read(request.headers)
        if version is None:
            text = _shown(self._text(request.headers) or "")
            raise YuiError(
                "microversion-unreadable",
                en=f"The microversion '{text}' is not of the form {self.least}: send one, or leave the header out.",
                ja=f"マイクロバージョン「{text}」を読み取れません。{self.least} の形で指定するか、ヘッダーを省略してください。",
                status=400,
            )
        if not self.least <= version <= self.most:
            raise YuiError(
                "microversion-unsupported",
                en=f"Version {version} is not supported by the API. Minimum is {self.least} and maximum is {self.most}.",
                ja=f"バージョン {version} には対応していません。{self.least} から {self.most} までを指定してください。",
                status=406,
                fields={"least": str(self.least), "most": str(self.most)},
            )
        return version

    def told(self, asked: Headers) -> dict[str, str]:
        """The headers of the answer to a request with the headers `asked`: which version that asks for,
        within the range or not; none where it can't be read."""
        version = self._read(asked)
        if version is None:
            return {}
        told = {"OpenStack-API-Version": f"{self.header} {version}"}
        return told if self.older is None else {**told, self.older: str(version)}

    def _read(self, headers: Headers) -> Version | None:
        text = self._text(headers)
        if text is None:
            return self.least
        if text == "latest":
            return self.most
        match = _VERSION.fullmatch(text)
        return None if match is None else Version(int(match[1]), int(match[2]))

    def _text(self, headers: Headers) -> str | None:
        for given in headers.getlist("openstack-api-version"):
            for each in given.split(","):
                name, _, text = each.strip().partition(" ")
                if name.lower() == self.header:
                    return text.strip().lower()
        older = None if self.older is None else headers.get(self.older)
        return None if older is None else older.strip().lower()


def asked_of(versions: Range) -> Any:
    """What a route says: `version: Annotated[Version, asked_of(COMPUTE_VERSIONS)]`."""
    return Depends(versions)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:20])
