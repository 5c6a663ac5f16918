"""What is wrong with a request, said in a sentence for each field, in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    "string_pattern_mismatch": (
        "must be a name of a–z, 0–9 and inner hyphens, at most 63 characters",
        "は英小文字・数字・ハイフン(先頭と末尾を除く)で63文字以内の名前を指定してください",
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
    told = [_sentence(error) for error in errors[:REPORTED]]
    unreadable = any(error["type"] == "json_invalid" for error in errors)
    return YuiError(
        "request-unreadable" if unreadable else "request-invalid",
        en=" ".join(f"{place} {en}." for place, en, _ in told),
        ja="".join(f"{place} {ja}。" for place, _, ja in told),
        status=400 if unreadable else 422,
        fields={
            "mistakes": [{"field": place, "en": en, "ja": ja} for place, en, ja in told],
            "count": len(errors),
        },
    )


def _sentence(error: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = error["type"]
    location = [part for part in error["loc"] if part not in ("body", "query", "path", "header")]
    if kind == "json_invalid":
        location = []
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place[:80] or "The body", *what_is_wrong(kind, error.get("ctx") or {})


def what_is_wrong(kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """What follows the name of a value in a sentence, in English and in Japanese, for a mistake of
    pydantic's `kind` and its context."""
    en, ja = _SENTENCES.get(kind, ("is not valid", "の値が正しくありません"))
    expected = str(context.get("expected", "")).replace("'", "")
    return (
        en.format_map({**context, "expected": expected}),
        ja.format_map({**context, "expected": expected.replace(" or ", "・").replace(", ", "・")}),
    )
