"""Refusals that Nova answers with 400, whatever `/v1` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.model.errors import YuiError


@contextmanager
def bad_request(*types: str) -> Iterator[None]:
    """Turns those of these types into 400 with the same words."""
    try:
        yield
    except YuiError as error:
        if error.type not in types:
            raise
        raise YuiError(
            error.type, en=error.en, ja=error.ja, status=400, fields=error.fields
        ) from None
