"""JSON schemas of what Image answers, as older clients ask for them before they read any of it."""

from __future__ import annotations

from typing import Any

_WORD = {"type": ["null", "string"], "maxLength": 255}
_READ = {"type": "string", "readOnly": True}


def _only(*values: str) -> dict[str, Any]:
    return {"type": ["null", "string"], "enum": [None, *values]}


IMAGE: dict[str, Any] = {
    "name": "image",
    "properties": {
        "id": _READ,
        "name": _WORD,
        "status": {"type": "string", "readOnly": True, "enum": ["queued", "saving", "active"]},
        "visibility": {"type": "string", "enum": ["public", "private"]},
        "protected": {"type": "boolean"},
        "os_hidden": {"type": "boolean"},
        "checksum": {"type": ["null", "string"], "readOnly": True, "maxLength": 32},
        "os_hash_algo": {"type": ["null", "string"], "readOnly": True, "maxLength": 64},
        "os_hash_value": {"type": ["null", "string"], "readOnly": True, "maxLength": 128},
        "owner": {"type": ["null", "string"], "readOnly": True, "maxLength": 255},
        "size": {"type": ["null", "integer"], "readOnly": True},
        "virtual_size": {"type": ["null", "integer"], "readOnly": True},
        "container_format": _only("bare"),
        "disk_format": _only("qcow2", "raw"),
        "created_at": _READ,
        "updated_at": _READ,
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
        "min_ram": {"type": "integer", "readOnly": True},
        "min_disk": {"type": "integer", "readOnly": True},
        "self": _READ,
        "file": _READ,
        "schema": _READ,
    },
    "additionalProperties": {"type": "string"},
    "links": [
        {"rel": "self", "href": "{self}"},
        {"rel": "enclosure", "href": "{file}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}

IMAGES: dict[str, Any] = {
    "name": "images",
    "properties": {
        "images": {"type": "array", "items": IMAGE},
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
    },
    "links": [
        {"rel": "first", "href": "{first}"},
        {"rel": "next", "href": "{next}"},
        {"rel": "describedby", "href": "{schema}"},
    ],
}

OWN_NAMES = frozenset(IMAGE["properties"]) | {
    "locations",
    "direct_url",
    "deleted",
    "deleted_at",
    "id",
}
"""Names that mean something of their own, and so name no property of a member's."""
