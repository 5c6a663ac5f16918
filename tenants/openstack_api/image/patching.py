"""Changes of an image as JSON Patch (RFC 6902), as far as Glance takes them: add, replace, remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from control_plane.http.bounds import ShortText
from control_plane.http.validation import validation_error
from control_plane.model.errors import YuiError
from control_plane.model.image import ImageFormat, Properties
from tenants.openstack_api.image.schemas import OWN_NAMES
from tenants.openstack_api.image.words import disk_format, properties_of, refuse, reserved

MEDIA_TYPE = "application/openstack-images-v2.1-json-patch"

PATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "array",
                    "maxItems": 300,
                    "items": {
                        "type": "object",
                        "required": ["op", "path"],
                        "properties": {
                            "op": {"enum": ["add", "replace", "remove"]},
                            "path": {"type": "string", "maxLength": 300},
                            "value": {},
                        },
                    },
                }
            }
        },
    }
}


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    op: Literal["add", "replace", "remove"]
    path: Annotated[str, Field(pattern=r"^/[^/]+$", max_length=300)]
    value: Any = None

    @property
    def attribute(self) -> str:
        return self.path[1:].replace("~1", "/").replace("~0", "~")


_CHANGES: TypeAdapter[list[Change]] = TypeAdapter(Annotated[list[Change], Field(max_length=300)])
_NAME: TypeAdapter[str] = TypeAdapter(ShortText)


async def _changes(request: Request) -> tuple[Change, ...]:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != MEDIA_TYPE:
        raise YuiError(
            "media-type-unsupported",
            en=f"A change of an image is sent as {MEDIA_TYPE}.",
            ja=f"イメージの変更は {MEDIA_TYPE} として送ってください。",
            status=415,
        )
    try:
        return tuple(_CHANGES.validate_json(await request.body()))
    except ValidationError as wrong:
        raise validation_error(wrong.errors()) from None


Changes = Annotated[tuple[Change, ...], Depends(_changes)]
"""Raises `media-type-unsupported` (415), `request-invalid`."""


@dataclass(frozen=True, slots=True)
class Described:
    """What may be changed of an image."""

    name: str
    format: ImageFormat | None
    visibility: str
    properties: Properties


def changed(before: Described, changes: Sequence[Change]) -> Described:
    """One after the other, or none of them. Raises what `words` raises, and `image-property-missing`."""
    after, properties = before, dict(before.properties)
    for change in changes:
        if change.attribute not in OWN_NAMES:
            _change_property(properties, change)
        else:
            after = _of_its_own(after, change)
    return replace(after, properties=properties_of(properties))


def _change_property(properties: dict[str, Any], change: Change) -> None:
    if change.op != "add" and change.attribute not in properties:
        raise YuiError(
            "image-property-missing",
            en=f"The image has no property '{change.attribute[:60]}': add it.",
            ja=f"イメージにプロパティー「{change.attribute[:60]}」はありません。add で追加してください。",
            status=409,
        )
    if change.op == "remove":
        del properties[change.attribute]
    else:
        properties[change.attribute] = change.value


def _of_its_own(before: Described, change: Change) -> Described:
    name, value = change.attribute, change.value
    if change.op == "remove":
        raise reserved(name)
    match name:
        case "name":
            try:
                return replace(before, name=_NAME.validate_python(value, strict=True))
            except ValidationError as wrong:
                named = [{**each, "loc": ("body", name)} for each in wrong.errors()]
                raise validation_error(named) from None
        case "visibility":
            need_visibility(value, before.visibility)
        case "disk_format":
            if not isinstance(value, str | None):
                raise refuse(name, "must be text", "は文字列で指定してください")
            return replace(before, format=disk_format(value))
        case "container_format":
            need_bare(value)
        case "protected" | "os_hidden" | "min_disk" | "min_ram" | "tags":
            need_usual(name, value)
        case _:
            raise reserved(name)
    return before


def need_visibility(value: object, now: str = "private") -> None:
    if value in (None, now):
        return
    if value == "public" or now == "public":
        raise refuse(
            "visibility",
            "of an image that members share is the operators' to change: ask them",
            "の公開と取りやめは運用担当者が行います。運用担当者に依頼してください",
            status=403,
        )
    raise refuse(
        "visibility",
        "is private here: an image is not shared with single projects, nor hidden among all",
        "は private だけです。特定の団体との共有や community には対応していません",
    )


def need_bare(value: object) -> None:
    if value not in (None, "bare"):
        raise refuse("container_format", "is bare here", "は bare だけです")


def need_usual(name: str, value: object) -> None:
    """What clients send although it says nothing may be said; nothing else."""
    if value in (None, False, 0, []):
        return
    told = {
        "protected": (
            "can't be had: an image that servers are made from is not deleted anyway",
            "には対応していません。サーバーが使っているイメージはもともと削除できません",
        ),
        "min_disk": ("is what the image's disk takes", "はイメージのディスクの大きさで決まります"),
    }
    en, ja = told.get(name, ("can't be kept of an image here", "には対応していません"))
    raise refuse(name, en, ja)
