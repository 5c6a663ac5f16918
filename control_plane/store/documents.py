"""Values as JSON documents and back, by their types: for states of which each has fields of its own.

Frozen dataclasses of texts, numbers, times, enumerations, tuples and other such dataclasses. Of a union of
dataclasses `kind` names the one that it is."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def state_name(standing: object) -> str:
    """As in `taking`: what its row is chosen by."""
    return type(standing).__name__.lower()


def document_of(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        document = {each.name: document_of(getattr(value, each.name)) for each in fields(value)}
        return {"kind": state_name(value), **document}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [document_of(each) for each in value]
    return value


def value_of(type_: Any, document: Any) -> Any:
    """What `document_of` was given, if it was of `type_`: a class, a union, or a tuple of such."""
    if isinstance(type_, NewType):
        return value_of(type_.__supertype__, document)
    if get_origin(type_) in (Union, UnionType):
        return _one_of(get_args(type_), document)
    if get_origin(type_) is tuple:
        return tuple(value_of(get_args(type_)[0], each) for each in document)
    if isinstance(type_, type) and is_dataclass(type_):
        hints = _hints(type_)
        known = {
            name: value_of(hint, document[name]) for name, hint in hints.items() if name in document
        }
        return type_(**known)
    if type_ is datetime:
        return datetime.fromisoformat(document)
    if isinstance(type_, type) and issubclass(type_, Enum):
        return type_(document)
    return document


def _one_of(types: tuple[Any, ...], document: Any) -> Any:
    if document is None and NoneType in types:
        return None
    rest = [each for each in types if each is not NoneType]
    if len(rest) == 1:
        return value_of(rest[0], document)
    named = {each.__name__.lower(): each for each in rest}
    return value_of(named[document["kind"]], document)


@lru_cache(maxsize=128)
def _hints(type_: Any) -> dict[str, Any]:
    return get_type_hints(type_)
