"""Names of operations that read well in a client made from the description: `listServers`, `stopServer`.

They follow from method and path alone, so that a new route has a good name without anybody's care.
"""

from __future__ import annotations

import re

_VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}
_SINGULAR = (("ies", "y"), ("ses", "s"), ("s", ""))
_NO_PLURALS = frozenset({"metrics", "break-glass", "status"})
_LISTS = frozenset({"break-glass", "audit"})


def operation_name(method: str, path: str) -> str:
    """For `POST` and `/v1/servers/{server}/stop`: `stopServer`."""
    parts = [part for part in path.split("/") if part and not re.fullmatch(r"v\d+", part)]
    named = [part for part in parts if not part.startswith("{")]
    last, owners = named[-1], [_one(part) for part in named[:-1]]
    if parts[-1].startswith("{"):
        return _camel(_VERBS[method], *owners, _one(last))
    if method == "GET":
        return _camel("list" if _is_plural(last) or last in _LISTS else "get", *owners, last)
    if method != "POST":
        return _camel(_VERBS[method], *owners, last)
    if _is_plural(last):
        return _camel("create", *owners, _one(last))
    if last in _NO_PLURALS:
        return _camel("open", *owners, last)
    return _camel(last, *owners)


def _is_plural(word: str) -> bool:
    return word.endswith("s") and word not in _NO_PLURALS


def _one(word: str) -> str:
    if not _is_plural(word):
        return word
    ending, instead = next(pair for pair in _SINGULAR if word.endswith(pair[0]))
    return word[: -len(ending)] + instead


def _camel(*words: str) -> str:
    first, *rest = [part for word in words for part in word.split("-")]
    return first + "".join(part.capitalize() for part in rest)
