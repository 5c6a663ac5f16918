"""What is wrong with a value is said in words that fit the value, and with its own name for a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from pydantic import Field, ValidationError

from control_plane.http.bounds import Name, RequestBody, Sentence
from control_plane.http.pattern_sentences import SENTENCES
from control_plane.http.validation import validation_error, what_is_wrong
from control_plane.model.errors import YuiError
from tenants.openstack_api.description import description
from tests.api.conftest import Api, problem_of

_DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.json"
_UNKNOWN = what_is_wrong("string_pattern_mismatch", {"pattern": "^x$"})


def _patterns(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("pattern"), str):
            yield document["pattern"]
        document = list(document.values())
    for each in document if isinstance(document, list) else ():
        yield from _patterns(each)


def test_every_pattern_that_a_text_is_held_to_has_a_sentence_of_its_own(untouched_api: Api) -> None:
    asked = set(_patterns(orjson.loads(_DESCRIPTION.read_bytes())))
    asked |= set(_patterns(description(untouched_api.app)))
    assert len(asked) > 20
    assert asked - set(SENTENCES) == set()
    for pattern in asked:
        en, ja = what_is_wrong("string_pattern_mismatch", {"pattern": pattern})
        assert (en, ja) != _UNKNOWN
        assert en.isprintable()
        assert re.search(r"[ぁ-ん]", ja), pattern
    assert len(set(SENTENCES.values())) >= len(SENTENCES) - 1, "one sentence says two things"


def test_a_pattern_that_nobody_has_words_for_is_called_no_name() -> None:
    assert _UNKNOWN == ("is not in the expected form", "の形式が正しくありません")


@pytest.mark.parametrize(
    ("path", "body", "en", "ja"),
    [
        ("/v1/images", {"sha256": "00"}, "must be a SHA-256", "SHA-256 の値"),
        ("/v1/images", {"path": "a\0b"}, "must not hold the character U+0000", "U+0000"),
        ("/v1/explain", {"flavor": "M1"}, "inner dots and hyphens", "ドット"),
        ("/v1/repositories", {"place": "nowhere"}, "must be a place", "保管先"),
    ],
)
def test_a_text_of_the_wrong_form_is_told_which_form_it_has_to_have(
    untouched_api: Api, path: str, body: dict[str, Any], en: str, ja: str
) -> None:
    found = problem_of(untouched_api.post(path, json=body), 422, "request-invalid")
    (field,) = body
    (about,) = (each for each in found["fields"]["mistakes"] if each["field"] == field)
    assert en in about["en"]
    assert ja in about["ja"]


def test_a_key_that_can_not_be_one_is_not_called_a_name(untouched_api: Api) -> None:
    answer = untouched_api.post(
        "/v1/tokens",
        json={"role": "operator", "label": "x"},
        headers={"Idempotency-Key": "aaaa bbbb cccc"},
    )
    found = problem_of(answer, 422, "request-invalid")
    assert "idempotency-key must be printable ASCII without spaces." in found["detail"]


class _Inner(RequestBody):
    k: int = Field(1, ge=1)


class _Body(RequestBody):
    note: Literal[""] | Sentence | None = None
    several: Literal["auto", "none"] | list[Name] | None = None
    always: Literal[True] = True
    nothing: Literal[""] = ""
    path: int = 0
    counts: dict[Name, int] = Field({})
    inner: list[_Inner] = Field([])


def _told(body: dict[str, Any]) -> YuiError:
    with pytest.raises(ValidationError) as wrong:
        _Body.model_validate(body)
    return validation_error([{**e, "loc": ("body", *e["loc"])} for e in wrong.value.errors()])


@pytest.mark.parametrize(
    ("body", "en", "ja"),
    [
        ({"note": "x\0"}, "note holds the unprintable character U+0000.",
         "note に表示できない文字 U+0000 が含まれています。"),
        ({"note": "x" * 501}, "note must have at most 500 characters.",
         "note は 500 文字以内で指定してください。"),
        ({"several": 5}, "several must be a list.", "several はリストで指定してください。"),
        ({"several": ["kyoto", 5]}, "several[1] must be text.",
         "several[1] は文字列で指定してください。"),
        ({"always": False}, "always must be true.", "always は true で指定してください。"),
        ({"nothing": "x"}, "nothing must be empty.", "nothing は空にしてください。"),
        ({"path": "x"}, "path must be a whole number.", "path は整数で指定してください。"),
        ({"counts": {"a": "b"}}, "counts.a must be a whole number.",
         "counts.a は整数で指定してください。"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_the_names_that_the_sender_wrote(
    body: dict[str, Any], en: str, ja: str
) -> None:
    told = _told(body)
    assert (told.en, told.ja) == (en, ja)
    assert told.fields["count"] == 1


@pytest.mark.parametrize(
    "body", [{"path": True}, {"counts": {"a": False}}, {"inner": [{"k": True}]}]
)
def test_true_is_no_number(body: dict[str, Any]) -> None:
    assert "must be a whole number" in _told(body).en


def test_numbers_that_are_numbers_or_written_as_such_are_taken_as_before() -> None:
    taken = _Body.model_validate({"path": "7", "counts": {"a": 2.0}, "inner": [{"k": 3}]})
    assert (taken.path, taken.counts, taken.inner[0].k) == (7, {"a": 2}, 3)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/explain", {"count": True}),
        ("/v1/repositories", {"lock_days": True}),
    ],
)
def test_true_is_no_number_to_any_request(
    untouched_api: Api, path: str, body: dict[str, Any]
) -> None:
    found = problem_of(untouched_api.post(path, json=body), 422, "request-invalid")
    (field,) = body
    mistakes = {each["field"]: each["en"] for each in found["fields"]["mistakes"]}
    assert mistakes[field] == "must be a whole number"
