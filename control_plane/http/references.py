"""Things that a request's body names: where one is missing, the request is wrong and not its path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.model.errors import YuiError


@contextmanager
def named_in_body() -> Iterator[None]:
    """Turns a 404 about something that the body names into a 422 with the same words."""
    try:
        yield
    except YuiError as error:
        if error.status != 404:
            raise
        raise YuiError(
            error.type, en=error.en, ja=error.ja, status=422, fields=error.fields
        ) from None
