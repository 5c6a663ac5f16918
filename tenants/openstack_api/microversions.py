"""Microversions: which behaviour of an API the client asks for (docs.openstack.org, API microversions).

A route asks for `Microversion` and compares; nothing that came with a later one is answered to an
earlier one. What is asked for is answered in the same headers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request, Response

from control_plane.model.errors import YuiError
from tenants.openstack_api.services import Service

_VERSION = re.compile(r"([1-9]\d?)\.(0|[1-9]\d{0,2})")


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

    async def __call__(self, request: Request, response: Response) -> Version:
        """The one that is asked for. Raises `microversion-unsupported` (406)."""
        version = self.asked(request)
        for name, value in self.headers(version).items():
            response.headers[name] = value
        return version

    def asked(self, request: Request) -> Version:
        text = self._text(request)
        if text is None:
            return self.least
        if text == "latest":
            return self.most
        match = _VERSION.fullmatch(text)
        if match is None:
            raise YuiError(
                "microversion-unreadable",
                en=f"The microversion '{_shown(text)}' is not of the form {self.least}: send one, or leave the header out.",
                ja=f"マイクロバージョン「{_shown(text)}」を読み取れません。{self.least} の形で指定するか、ヘッダーを省略してください。",
                status=400,
            )
        version = Version(int(match[1]), int(match[2]))
        if not self.least <= version <= self.most:
            raise YuiError(
                "microversion-unsupported",
                en=f"Version {version} is not supported by the API. Minimum is {self.least} and maximum is {self.most}.",
                ja=f"バージョン {version} には対応していません。{self.least} から {self.most} までを指定してください。",
                status=406,
                fields={"least": str(self.least), "most": str(self.most)},
            )
        return version

    def headers(self, version: Version) -> dict[str, str]:
        """What an answer says of the version that it was made for."""
        told = {
            "OpenStack-API-Version": f"{self.header} {version}",
            "Vary": "OpenStack-API-Version",
        }
        if self.older is not None:
            told |= {self.older: str(version), "Vary": f"OpenStack-API-Version, {self.older}"}
        return told

    def _text(self, request: Request) -> str | None:
        for given in request.headers.getlist("openstack-api-version"):
            for each in given.split(","):
                name, _, text = each.strip().partition(" ")
                if name.lower() == self.header:
                    return text.strip().lower()
        older = None if self.older is None else request.headers.get(self.older)
        return None if older is None else older.strip().lower()


def asked_of(versions: Range) -> Any:
    """What a route says: `version: Annotated[Version, asked_of(COMPUTE_VERSIONS)]`."""
    return Depends(versions)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:20])
