"""True and false are no whole numbers, though Python counts with them: in JSON they are a kind of their own."""

from __future__ import annotations

from typing import Any

from pydantic_core import CoreSchema, PydanticKnownError, core_schema

_WITHIN = (
    "schema",
    "fields",
    "choices",
    "items_schema",
    "keys_schema",
    "values_schema",
    "extras_schema",
)
"""Where schemas stand within one another (pydantic_core.core_schema)."""


def no_truth_value(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


def without_truth_values(schema: CoreSchema) -> CoreSchema:
    """The same schema, whose whole numbers are never given as true or false. Those of nested models are
    theirs to see to."""
    changed: CoreSchema = _within(schema)
    return changed


def _within(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_within(each) for each in schema]
    if isinstance(schema, tuple):
        return (_within(schema[0]), *schema[1:])
    if not isinstance(schema, dict):
        return schema
    match schema.get("type"):
        case "int":
            return core_schema.no_info_before_validator_function(no_truth_value, schema)
        case "function-before" if schema["function"]["function"] is no_truth_value:
            return schema
        case None:
            # The fields of a model by their names.
            return {name: _within(each) for name, each in schema.items()}
    return {key: _within(each) if key in _WITHIN else each for key, each in schema.items()}
