"""What is wrong with a request, said in a sentence for each field, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.http import pattern_sentences
from control_plane.model.errors import YuiError

REPORTED = 10
"""How many mistakes one answer tells of."""

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "を指定してください"),
    "extra_forbidden": ("is not known here", "という項目はありません"),
    "json_invalid": ("is not JSON", "が JSON ではありません"),
    "string_type": ("must be text", "は文字列で指定してください"),
    "string_too_short": (
        "must have at least {min_length} characters",
        "は {min_length} 文字以上で指定してください",
    ),
    "string_too_long": (
        "must have at most {max_length} characters",
        "は {max_length} 文字以内で指定してください",
    ),
    "string_unicode": ("must be valid Unicode", "に不正な文字が含まれています"),
    "unprintable_character": (
        "holds the unprintable character U+{code}",
        "に表示できない文字 U+{code} が含まれています",
    ),
    "nothing_visible": ("shows nothing", "に目に見える文字がありません"),
    "token_inside": (
        "holds a token, which belongs in the header Authorization alone",
        "にトークンが含まれています。トークンは Authorization ヘッダーだけに入れてください",
    ),
    "not_base64": (
        "must be Base64 of UTF-8 text, at most 65535 characters",
        "は UTF-8 の文字列を Base64 にした 65535 文字以内の値を指定してください",
    ),
    "int_type": ("must be a whole number", "は整数で指定してください"),
    "int_parsing": ("must be a whole number", "は整数で指定してください"),
    "int_parsing_size": ("is a number too large", "の数値が大きすぎます"),
    "int_from_float": ("must be a whole number", "は整数で指定してください"),
    "finite_number": ("must be a finite number", "は有限の数で指定してください"),
    "float_type": ("must be a number", "は数値で指定してください"),
    "float_parsing": ("must be a number", "は数値で指定してください"),
    "greater_than_equal": ("must be at least {ge}", "は {ge} 以上で指定してください"),
    "less_than_equal": ("must be at most {le}", "は {le} 以下で指定してください"),
    "bool_type": ("must be true or false", "は true か false で指定してください"),
    "bool_parsing": ("must be true or false", "は true か false で指定してください"),
    "list_type": ("must be a list", "はリストで指定してください"),
    "too_short": ("must have at least {min_length} items", "は {min_length} 件以上必要です"),
    "too_long": ("must have at most {max_length} items", "は {max_length} 件以内にしてください"),
    "literal_error": ("must be {expected}", "は {expected} のいずれかで指定してください"),
    "enum": ("must be {expected}", "は {expected} のいずれかで指定してください"),
    "dict_type": ("must be an object", "はオブジェクトで指定してください"),
    "model_type": ("must be an object", "はオブジェクトで指定してください"),
    "one_without_the_other": (
        "gives one of {these} without the other",
        "は {these} の両方を指定するか、どちらも省略してください",
    ),
    "too_many_bytes": (
        "has more than {most} bytes in all",
        "は全体で {most} バイト以内にしてください",
    ),
    "model_attributes_type": ("must be a JSON object", "は JSON オブジェクトで指定してください"),
}


def validation_error(errors: Sequence[Any]) -> YuiError:
    """`request-invalid` (or `request-unreadable` for what is not JSON) from pydantic's error list.

    What was sent is not repeated: it may be long, or a secret in the wrong field.
    """
    mistakes = list(_mistakes(errors))
    told = [each.told for each in mistakes[:REPORTED]]
    unreadable = any(error["type"] == "json_invalid" for error in errors)
    return YuiError(
        "request-unreadable" if unreadable else "request-invalid",
        en=" ".join(f"{place} {en}." for place, en, _ in told),
        ja="".join(f"{place} {ja}。" for place, _, ja in told),
        status=400 if unreadable else 422,
        fields={
            "mistakes": [{"field": place, "en": en, "ja": ja} for place, en, ja in told],
            "count": len(mistakes),
        },
    )


_PARTS_OF_REQUEST = ("body", "query", "path", "header")
_KIND_OF_TYPE = re.compile(r"(?:[a-z-]+\[.*\]|constrained-[a-z]+|str|int|float|bool|\[key\])", re.S)
"""What pydantic puts into the place of a mistake besides names: which kind of a union's it means, such as
`literal['']`, `list[str]` or `constrained-str`, and that a key is meant."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    place: tuple[str | int, ...]
    kind: str
    context: Mapping[str, Any]
    of_union: bool

    @property
    def told(self) -> tuple[str, str, str]:
        place = ""
        for part in self.place:
            place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
        return place[:80] or "The body", *what_is_wrong(self.kind, self.context)


def _mistakes(errors: Sequence[Any]) -> Iterator[_Mistake]:
    """One for each place. Where a value may be of several kinds, each of them complains: what is told is
    what hinders the one that says the most of the value, which is never the one that is a fixed word."""
    known = [_mistake(error) for error in errors]
    told: set[tuple[str | int, ...]] = set()
    for each in known:
        better = any(
            other.kind != "literal_error"
            and other.of_union
            and other.place[: len(each.place)] == each.place
            for other in known
        )
        if each.of_union and (each.place in told or (each.kind == "literal_error" and better)):
            continue
        told.add(each.place)
        yield each


def _mistake(error: Mapping[str, Any]) -> _Mistake:
    kind, location = str(error["type"]), tuple(error["loc"])
    if location[:1] and location[0] in _PARTS_OF_REQUEST:
        location = location[1:]
    # The first is a name always.
    kept = tuple(
        part
        for at, part in enumerate(location)
        if not at or not isinstance(part, str) or not _KIND_OF_TYPE.fullmatch(part)
    )
    place = () if kind == "json_invalid" else kept
    return _Mistake(place, kind, error.get("ctx") or {}, kept != location)


def what_is_wrong(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """What follows the name of a value in a sentence, in English and in Japanese, for a mistake of
    pydantic's `kind` and its context."""
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        return pattern_sentences.SENTENCES.get(pattern, pattern_sentences.UNNAMED)
    en, ja = _SENTENCES.get(kind, ("is not valid", "の値が正しくありません"))
    expected = str(context.get("expected", ""))
    if kind in ("literal_error", "enum") and " or " not in expected:
        en, ja = _ONE_CHOICE if expected != "''" else _EMPTY
    return (
        en.format_map({**context, "expected": _choices(expected, "empty")}),
        ja.format_map(
            {
                **context,
                "expected": _choices(expected, "空").replace(" or ", "・").replace(", ", "・"),
            }
        ),
    )


_ONE_CHOICE = ("must be {expected}", "は {expected} で指定してください")
_EMPTY = ("must be empty", "は空にしてください")


def _choices(expected: str, empty: str) -> str:
    """Pydantic's words for what a value may be, as JSON would have them."""
    for python, json in (("''", empty), ("'", ""), ("True", "true"), ("False", "false")):
        expected = expected.replace(python, json)
    return expected
