"""Bodies of answers that are written as plain JSON, where a route promises to do its work once."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import RootModel


class Answer(RootModel[dict[str, Any]]):
    """What `OnceOnly.run` gives and keeps."""


def emptied(done: Response, status: int = 204) -> Response:
    """The same without its body, which is kept for a request that is sent again."""
    replayed = done.headers.get("Idempotency-Replayed")
    headers = {} if replayed is None else {"Idempotency-Replayed": replayed}
    return Response(status_code=status, headers=headers)
