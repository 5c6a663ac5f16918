"""The published standard is the one that images are judged by."""

from __future__ import annotations

import re
from pathlib import Path

from images.standard import STANDARD

PAPER = Path(__file__).parents[2] / "docs" / "image-standard.md"


def test_the_paper_says_what_the_program_says_in_both_languages() -> None:
    paper = PAPER.read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^## (IMG-\d+)\n\n(.*?)(?=^## |\Z)", paper, re.MULTILINE | re.DOTALL)
    )
    assert list(sections) == [requirement.id for requirement in STANDARD]
    for each in STANDARD:
        for sentence in (each.title_en, each.title_ja, each.why_en, each.why_ja):
            assert sentence in sections[each.id]


def test_ids_are_numbered_without_a_gap_or_a_repetition() -> None:
    assert [each.id for each in STANDARD] == [f"IMG-{n:02}" for n in range(1, len(STANDARD) + 1)]
