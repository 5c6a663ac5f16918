"""One run of `yui`: its language, its screen, its connection, and what it left under way."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from control_plane.cli.client import Api, answer_not_understood
from control_plane.cli.language import Language
from control_plane.cli.login_file import login_path
from control_plane.cli.output import Screen
from control_plane.cli.settings import Asked, load

M = TypeVar("M", bound=BaseModel)


@dataclass
class Session:
    """`underway` says what goes on by itself on the server should this run be interrupted."""

    language: Language
    screen: Screen
    asked: Asked = field(default_factory=Asked)
    underway: str | None = None
    _api: Api | None = None

    @property
    def api(self) -> Api:
        """Connects at first use, so that local commands need no settings."""
        if self._api is None:
            settings = load(self.asked, os.environ)
            if settings.token_file is None:
                known = login_path(settings.url, os.environ)
                settings = replace(settings, token_file=known if known.exists() else None)
            grant = os.environ.get("YUI_BREAK_GLASS") or None
            self._api = Api(settings, self.language, grant)
        return self._api

    def sentence(self, en: str, ja: str) -> str:
        """The one of two that this run's reader reads."""
        return ja if self.language is Language.JA else en

    def close(self) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None


def session_of(context: typer.Context) -> Session:
    found = context.find_object(Session)
    if found is None:
        raise RuntimeError("a command ran outside of a session")
    return found


def read(shape: type[M], document: Any) -> M:
    """An answer of the API in the shape that this yui knows. Raises YuiError."""
    try:
        return shape.model_validate(document)
    except ValidationError:
        raise answer_not_understood() from None


def read_all(shape: type[M], documents: list[dict[str, Any]]) -> list[M]:
    return [read(shape, document) for document in documents]
