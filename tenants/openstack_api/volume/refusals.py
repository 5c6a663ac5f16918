"""Refusals that Cinder says with other statuses, and what is not to be had here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.model.errors import YuiError

_INVALID = frozenset(
    {
        "volume-in-use",
        "volume-protected",
        "volume-not-ready",
        "volume-deleting",
        "volume-in-part",
        "site-not-found",
        "server-not-found",
    }
)
"""A volume that is not in a state for it, or something in a body that is not there: 400."""


@contextmanager
def as_cinder_says() -> Iterator[None]:
    try:
        yield
    except YuiError as error:
        if error.type not in _INVALID:
            raise
        raise YuiError(
            error.type, en=error.en, ja=error.ja, status=400, fields=error.fields
        ) from None


def unsupported(what: str, en: str, ja: str, *, status: int = 400) -> YuiError:
    return YuiError(
        "volume-cannot-be-so",
        en=f"{what} {en}.",
        ja=f"{what} {ja}。",
        status=status,
        fields={"attribute": what},
    )
