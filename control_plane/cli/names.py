"""Finds things by their names, which is what people type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


def id_among(known: Sequence[Named], named: str) -> str:
    """By name where exactly one has it; what nobody knows is for the API to say."""
    if any(one.id == named for one in known):
        return named
    found = [one.id for one in known if one.name == named]
    return found[0] if len(found) == 1 else named
