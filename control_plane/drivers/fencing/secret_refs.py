"""Reads secrets where they are needed, from where the pool file says they are."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST = 4096


class SecretUnavailable(Exception):
    """One sentence that names where the secret was looked for, never what was found."""


def read_secret(ref: str) -> str:
    """The secret behind `file:/path` (its text without the last newline) or `env:NAME`.

    Raises SecretUnavailable where there is none, or more than 4096 bytes."""
    kind, _, place = ref.partition(":")
    if kind == "env" and place:
        secret = os.environ.get(place)
        if not secret:
            raise SecretUnavailable(f"The environment variable {place} is not set.")
        return secret
    if kind == "file" and place:
        return _from_file(Path(place))
    raise SecretUnavailable("A secret is named as file:/path or env:NAME, and this one is not.")


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        text = data.decode()
    except OSError as error:
        raise SecretUnavailable(
            f"The secret's file {path} cannot be read: {error.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise SecretUnavailable(f"The secret's file {path} is not text.") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret or len(data) > _LONGEST:
        raise SecretUnavailable(f"The secret's file {path} is empty or over {_LONGEST} bytes.")
    return secret
