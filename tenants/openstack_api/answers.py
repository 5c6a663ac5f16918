"""Bodies of answers that are written as plain JSON, where a route promises to do its work once."""

from __future__ import annotations

from typing import Any

from pydantic import RootModel


class Answer(RootModel[dict[str, Any]]):
    """What `OnceOnly.run` gives and keeps."""
