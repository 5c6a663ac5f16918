"""What a disk leans on while it does not yet hold all of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backing:
    """`build` of a disk takes what it lacks from the disk that is served at `uri`. Other builds lean on nothing."""

    build: int
    uri: str

    @property
    def text(self) -> str:
        return f"{self.build} {self.uri}"

    @staticmethod
    def parse(text: str | None) -> Backing | None:
        """What `text` of one was, if there was any."""
        if text is None:
            return None
        build, _, uri = text.partition(" ")
        return Backing(int(build), uri)
