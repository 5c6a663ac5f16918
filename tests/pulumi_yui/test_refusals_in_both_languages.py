"""The provider's own refusals, which no API said, are in the reader's language too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tenants.pulumi_yui
from tenants.pulumi_yui.connection import Connection, Refused

_KANA = re.compile("[ぁ-んァ-ヶ]")
_FILES = sorted(Path(tenants.pulumi_yui.__file__).parent.glob("*.py"))


def _mistakes(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """What is wrong in the environment, and what is named in the refusal."""
    url = {"YUI_URL": "https://127.0.0.1:1"}
    yield {}, "YUI_TOKEN_FILE"
    yield {"YUI_URL": "http://yui.example.jp", "YUI_TOKEN_FILE": "t"}, "https://"
    yield {**url, "YUI_TOKEN_FILE": str(folder / "none")}, "none"
    open_to_others = folder / "open"
    open_to_others.write_text("yui_a")
    open_to_others.chmod(0o644)
    yield {**url, "YUI_TOKEN_FILE": str(open_to_others)}, "chmod 600"
    several = folder / "several"
    several.write_text("one two")
    several.chmod(0o600)
    yield {**url, "YUI_TOKEN_FILE": str(several)}, "several"
    good = folder / "good"
    good.write_text("yui_a")
    good.chmod(0o600)
    nothing = folder / "ca"
    nothing.write_text("")
    yield {**url, "YUI_TOKEN_FILE": str(good), "YUI_CA_FILE": str(nothing)}, "YUI_CA_FILE"


@pytest.mark.parametrize("name", ["YUI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"])
def test_a_mistake_is_told_in_the_language_that_the_environment_says(
    tmp_path: Path, name: str
) -> None:
    for wrong, named in _mistakes(tmp_path):
        for spoken, japanese in (("ja_JP.UTF-8", True), ("en_US.UTF-8", False), ("C", False)):
            with pytest.raises(Refused) as refused:
                Connection.at_hand({**wrong, name: spoken}).get("/v1/servers")
            text = str(refused.value)
            assert named in text
            assert (_KANA.search(text) is not None) is japanese, text


def test_the_first_of_the_names_decides() -> None:
    with pytest.raises(Refused, match="Set YUI_URL"):
        Connection.at_hand({"YUI_LANG": "en", "LC_ALL": "ja_JP.UTF-8", "LANG": "ja_JP.UTF-8"})
    with pytest.raises(Refused, match=_KANA):
        Connection.at_hand({"LC_ALL": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"})


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_every_refusal_is_written_in_both(file: Path) -> None:
    """`refused` takes the English sentence and the Japanese one; nothing else makes a sentence."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if called == "Refused":
            assert not any(isinstance(each, ast.Constant | ast.JoinedStr) for each in node.args[:1])
        if called == "refused" and not isinstance(node.args[-1], ast.Name):
            en, ja = (_text(each) for each in node.args[-2:])
            assert en, ast.unparse(node)
            assert _KANA.search(en) is None
            assert _KANA.search(ja), ast.unparse(node)


def _text(node: ast.expr) -> str:
    pieces = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return "".join(each for each in pieces if isinstance(each, str))
