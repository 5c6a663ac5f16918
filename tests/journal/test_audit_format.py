"""docs/audit-format.md says what is done, so that a stranger's program agrees with Yui's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.journal.audit_check import check
from control_plane.model.audit_chain import canonical, hardware_hash

PAGE = (Path(__file__).parents[2] / "docs" / "audit-format.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def lines() -> list[bytes]:
    return block("jsonl").encode().splitlines(keepends=True)


def entries():
    return [said for said in map(json.loads, lines()) if said["type"] == "entry"]


def test_the_example_is_whole_and_signed():
    (public,) = {s["public"] for s in map(json.loads, lines()) if s["type"] == "key"}
    verdict = check(lines(), pinned=[public])
    assert verdict.whole
    assert verdict.notes == ()
    assert verdict.chains["member:012220"].signed == 2


def test_the_example_shows_the_bytes_that_are_hashed():
    first = entries()[0]
    assert canonical(first["entry"]).decode() == block("text").rstrip("\n")
    assert f"{len(canonical(first['entry']))} bytes" in " ".join(PAGE.split())
    assert hardware_hash(json.loads(block("json"))) == first["entry"]["hardware"]


def test_the_program_on_the_page_agrees(tmp_path):
    program, trail = tmp_path / "follow.py", tmp_path / "trail.jsonl"
    program.write_text(block("python"), encoding="utf-8")
    trail.write_text(block("jsonl"), encoding="utf-8")
    command = [sys.executable, str(program), str(trail)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == entries()[-1]["hash"]
    trail.write_text(block("jsonl").replace("server.stop", "server.stap"), encoding="utf-8")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


NUMBERS = {
    # RFC 8785, appendix B, by their IEEE 754 values
    0.0: "0",
    5e-324: "5e-324",
    -5e-324: "-5e-324",
    1.7976931348623157e308: "1.7976931348623157e+308",
    9007199254740992.0: "9007199254740992",
    295147905179352830000.0: "295147905179352830000",
    9.999999999999997e22: "9.999999999999997e+22",
    1e23: "1e+23",
    1.0000000000000001e23: "1.0000000000000001e+23",
    999999999999999700000.0: "999999999999999700000",
    999999999999999900000.0: "999999999999999900000",
    1e21: "1e+21",
    9.999999999999997e-7: "9.999999999999997e-7",
    0.000001: "0.000001",
    333333333.3333332: "333333333.3333332",
    333333333.33333325: "333333333.33333325",
    -0.0000033333333333333333: "-0.0000033333333333333333",
    1424953923781206.2: "1424953923781206.2",
}


@pytest.mark.parametrize(("number", "text"), NUMBERS.items())
def test_numbers_are_written_as_ecmascript_does(number, text):
    assert canonical(number).decode() == text
    assert canonical(-number).decode() == (f"-{text}".replace("--", "") if number else "0")


def test_members_are_ordered_by_utf16_and_texts_escaped_as_rfc_8785_shows():
    # RFC 8785, 3.2.2 and 3.2.3
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = json.loads(canonical(dict.fromkeys(names)))
    assert list(ordered) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    assert canonical(text).decode() == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abあ\U0001f600\ufb33"), inner),
    max_leaves=10,
)


@given(JSON)
def test_what_is_read_back_is_the_same_value_and_the_same_text(value):
    text = canonical(value)
    # Beyond 2^53, what has no fraction was a float.
    again = json.loads(text, parse_int=lambda n: int(n) if abs(int(n)) < 2**53 else float(n))
    assert canonical(again) == text
    assert again == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: 2}, "\ud800", b"x"])
def test_what_json_cannot_say_has_no_text(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical(value)
