"""How Compute's answers leave: as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response


def told(
    body: Mapping[str, Any] | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`body` None is an empty answer."""
    return Response(
        None if body is None else orjson.dumps(body),
        status,
        headers,
        None if body is None else "application/json",
    )


def retold(done: Response, headers: Mapping[str, str]) -> Response:
    """What a promise to do it once answered, with `headers` too."""
    done.headers.update(headers)
    return done
