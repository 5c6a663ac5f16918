"""Refusals that Glance says with other statuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from control_plane.model.errors import YuiError

_STATUSES: Mapping[str, int] = {
    "image-not-owned": 403,
    "image-not-handed-out": 403,
    "image-shared": 403,
    "image-too-big": 413,
    "image-upload-not-found": 404,
}


@contextmanager
def as_glance_says() -> Iterator[None]:
    try:
        yield
    except YuiError as error:
        status = _STATUSES.get(error.type)
        if status is None or status == error.status:
            raise
        raise YuiError(
            error.type, en=error.en, ja=error.ja, status=status, fields=error.fields
        ) from None
