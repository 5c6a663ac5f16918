"""Puts what is wrong with a blueprint's file into sentences, with the line and the field."""

from __future__ import annotations

from typing import Any

from jsonschema.exceptions import ValidationError

from control_plane.model.errors import YuiError
from tenants.yaml_lines import Document, Mistake

_TYPES_JA = {
    "object": "キーと値の組",
    "array": "リスト",
    "string": "文字列",
    "integer": "整数",
}


def blueprint_invalid(mistakes: list[Mistake]) -> YuiError:
    """One error that tells them all."""
    return YuiError(
        "blueprint-invalid",
        en="\n".join(mistake.sentence_en for mistake in mistakes),
        ja="\n".join(mistake.sentence_ja for mistake in mistakes),
        fields={
            "mistakes": [
                {"file": mistake.file, "line": mistake.line, "en": mistake.en, "ja": mistake.ja}
                for mistake in mistakes
            ]
        },
    )


def schema_mistake(  # noqa: PLR0912 — one case for each rule of a schema
    file: str, document: Document, error: ValidationError
) -> Mistake:
    path = list(error.absolute_path)
    limit: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "required":
            missing = next(name for name in limit if name not in value)
            en, ja = f"'{missing}' is missing", f"「{missing}」がありません"
        case "additionalProperties":
            known = schema["properties"]
            unknown = next(name for name in value if name not in known)
            path.append(unknown)
            en = f"this is not known here; known are {', '.join(known)}"
            ja = f"この項目はありません。使えるのは {', '.join(known)} です"
        case "type" | "pattern" if "told" in schema:
            en, ja = schema["told"]["en"], schema["told"]["ja"]
        case "type":
            en, ja = f"must be of type {limit}", f"{_TYPES_JA.get(limit, limit)}で書いてください"
        case "enum":
            choices = ", ".join(map(str, limit))
            en, ja = f"must be one of {choices}", f"{choices} のいずれかにしてください"
        case "minimum":
            en, ja = f"must be at least {limit}", f"{limit} 以上にしてください"
        case "maximum":
            en, ja = f"must be at most {limit}", f"{limit} 以下にしてください"
        case "minLength" | "minItems":
            en, ja = "must not be empty", "空にはできません"
        case "maxLength":
            en, ja = f"must have at most {limit} characters", f"{limit} 文字以内にしてください"
        case "maxItems":
            en, ja = f"must have at most {limit} items", f"{limit} 件以内にしてください"
        case "uniqueItems":
            en, ja = "must not name the same thing twice", "同じものを二度書けません"
        case "pattern":
            en = "must be a name of a–z, 0–9 and inner hyphens"
            ja = "英小文字・数字・ハイフン(先頭と末尾を除く)の名前にしてください"
        case _:
            en, ja = "is not valid", "値が正しくありません"
    field = field_name(*path) or "blueprint"
    return Mistake(file, document.line(*path), f"{field}: {en}.", f"{field}: {ja}。")


def field_name(*path: str | int) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")


def at(file: str, document: Document, path: tuple[str | int, ...], en: str, ja: str) -> Mistake:
    """A mistake at a field, which its sentence names first."""
    field = field_name(*path)
    return Mistake(file, document.line(*path), f"{field}: {en}", f"{field}: {ja}")
