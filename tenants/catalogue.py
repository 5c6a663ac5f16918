"""The catalogue of standard business systems, read from versioned blueprint files.

A blueprint is written by people, so every mistake is told with its file, line and field; a catalogue
with a mistake in it is not used at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from control_plane.model.blueprint import Blueprint, BlueprintServer
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId, FlavorId, ImageId
from control_plane.model.pool import Zone
from control_plane.model.tenant import PopulationBand
from tenants.yaml_lines import Document, Mistake, read_yaml

STANDARD_BLUEPRINTS = Path(__file__).parent / "blueprints"
_SCHEMA = Path(__file__).parent / "blueprint.schema.json"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every version of every blueprint. Older versions stay, because members still run them."""

    versions: Mapping[BlueprintId, Mapping[int, Blueprint]]

    def newest(self) -> tuple[Blueprint, ...]:
        """The version of each blueprint that new members get, by tier, then id."""
        latest = (found[max(found)] for found in self.versions.values())
        return tuple(sorted(latest, key=lambda blueprint: (blueprint.tier, blueprint.id)))

    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:
        """The newest version unless one is named. Raises `blueprint-not-found` (404)."""
        found = self.versions.get(blueprint_id, {})
        wanted = max(found, default=0) if version is None else version
        if wanted not in found:
            known = ", ".join(blueprint.id for blueprint in self.newest()) or "none"
            named = blueprint_id if version is None else f"{blueprint_id} version {version}"
            raise YuiError(
                "blueprint-not-found",
                en=f"There is no blueprint {named}: the catalogue has {known}.",
                ja=f"ブループリント {named} はありません。カタログにあるのは {known} です。",
                status=404,
                fields={"blueprint": blueprint_id, "known": sorted(self.versions)},
            )
        return found[wanted]


def load_catalogue(*folders: Path) -> Catalogue:
    """Read every `*.yaml` of the folders. Raises `blueprint-invalid` naming file, line and field of
    each mistake."""
    validator = Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))
    versions: dict[BlueprintId, dict[int, Blueprint]] = {}
    mistakes: list[Mistake] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        found = _read(path, validator)
        if not isinstance(found, Blueprint):
            mistakes.extend(found)
        elif found.version in versions.setdefault(found.id, {}):
            mistakes.append(
                Mistake(
                    path.name,
                    1,
                    f"version {found.version} of {found.id} exists already: give it the next version.",
                    f"{found.id} のバージョン {found.version} はすでにあります。次のバージョン番号にしてください。",
                )
            )
        else:
            versions[found.id][found.version] = found
    if mistakes:
        raise YuiError(
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
    return Catalogue(versions)


def _read(path: Path, validator: Draft202012Validator) -> Blueprint | Sequence[Mistake]:
    document = read_yaml(path)
    if isinstance(document, Mistake):
        return [document]
    errors = sorted(
        validator.iter_errors(document.value), key=lambda error: list(map(str, error.absolute_path))
    )
    if errors:
        return [_mistake(path.name, document, error) for error in errors]
    blueprint = _blueprint(document.value)
    return _inconsistencies(path, document, blueprint) or blueprint


def _blueprint(value: Mapping[str, Any]) -> Blueprint:
    return Blueprint(
        id=BlueprintId(value["id"]),
        version=value["version"],
        name_ja=value["name"]["ja"],
        name_en=value["name"]["en"],
        tier=value["tier"],
        zone=Zone(value["zone"]),
        servers=tuple(
            BlueprintServer(
                role=server["role"],
                image=ImageId(server["image"]),
                start_order=server["start_order"],
                flavors={
                    PopulationBand(band): FlavorId(flavor)
                    for band, flavor in server["flavors"].items()
                },
                anti_affinity=server.get("anti_affinity"),
                traits=frozenset(server.get("traits", ())),
            )
            for server in value["servers"]
        ),
    )


def _inconsistencies(path: Path, document: Document, blueprint: Blueprint) -> list[Mistake]:
    """What a schema can't say."""
    found = []
    expected = f"{blueprint.id}.v{blueprint.version}.yaml"
    if path.name != expected:
        found.append(
            Mistake(
                path.name,
                document.line("id"),
                f"id and version say {expected}: rename the file, or mend them.",
                f"id と version によればファイル名は {expected} です。どちらかを直してください。",
            )
        )
    roles: set[str] = set()
    for index, server in enumerate(blueprint.servers):
        if server.role in roles:
            found.append(
                Mistake(
                    path.name,
                    document.line("servers", index, "role"),
                    f"servers[{index}].role: '{server.role}' is given twice; a role names one server.",
                    f"servers[{index}].role: 「{server.role}」が重複しています。役割はサーバーごとに別にしてください。",
                )
            )
        roles.add(server.role)
    return found


_TYPES_JA = {
    "object": "キーと値の組",
    "array": "リスト",
    "string": "文字列",
    "integer": "整数",
}


def _mistake(file: str, document: Document, error: ValidationError) -> Mistake:
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
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    field = field.lstrip(".") or "blueprint"
    return Mistake(file, document.line(*path), f"{field}: {en}.", f"{field}: {ja}。")
