"""How many examples are drawn: a few on every day, many times as many in `make test-thorough`."""

from __future__ import annotations

import os

_TIMES = int(os.environ.get("YUI_THOROUGHNESS", "1"))


def examples(of_every_day: int) -> int:
    return of_every_day * _TIMES
