"""The catalogue of standard business systems, read from versioned blueprint files.

A blueprint is written by people, so every mistake is told with its file, line and field; a catalogue
with a mistake in it is not used at all.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from control_plane.model.blueprint import Blueprint
from control_plane.model.blueprint_set import recovery_order
from control_plane.model.errors import YuiError
from control_plane.model.ids import BlueprintId
from tenants.backup_policy_file import policy_schema
from tenants.blueprint_file import BlueprintFile, read_blueprint
from tenants.blueprint_mistakes import at, blueprint_invalid
from tenants.yaml_lines import Mistake

STANDARD_BLUEPRINTS = Path(__file__).parent / "blueprints"
_SCHEMA = Path(__file__).parent / "blueprint.schema.json"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every version of every blueprint. Older versions stay, because members still run them."""

    versions: Mapping[BlueprintId, Mapping[int, Blueprint]]

    def newest(self) -> tuple[Blueprint, ...]:
        """The version of each blueprint that new members get, in the order in which they come back
        after a failure."""
        return recovery_order([found[max(found)] for found in self.versions.values()])

    def blueprint(self, blueprint_id: BlueprintId, version: int | None = None) -> Blueprint:
        """The newest version unless one is named. Raises `blueprint-not-found` (404)."""
        found = self.versions.get(blueprint_id, {})
        wanted = max(found, default=0) if version is None else version
        if wanted not in found:
            raise self._not_found(blueprint_id, version)
        return found[wanted]

    def versions_of(self, blueprint_id: BlueprintId) -> tuple[int, ...]:
        """Oldest first. Raises `blueprint-not-found` (404)."""
        if blueprint_id not in self.versions:
            raise self._not_found(blueprint_id, None)
        return tuple(sorted(self.versions[blueprint_id]))

    def _not_found(self, blueprint_id: BlueprintId, version: int | None) -> YuiError:
        if blueprint_id in self.versions:
            known = ", ".join(map(str, self.versions_of(blueprint_id)))
            en = f"There is no version {version} of blueprint {blueprint_id}: there is {known}."
            ja = f"ブループリント {blueprint_id} にバージョン {version} はありません。あるのは {known} です。"
        else:
            near = ", ".join(self._near(blueprint_id)) or "none"
            en = f"There is no blueprint {blueprint_id}: nearest in the catalogue is {near}, and `yui blueprint list` shows them all."
            ja = f"ブループリント {blueprint_id} はありません。近いものは {near} です。一覧は `yui blueprint list` で確認できます。"
        return YuiError(
            "blueprint-not-found",
            en=en,
            ja=ja,
            status=404,
            fields={"blueprint": blueprint_id, "known": sorted(self.versions)},
        )

    def _near(self, name: str) -> Sequence[str]:
        """Three at most, and one wherever there is any."""
        known = sorted(self.versions)
        holding = [each for each in known if name in each]
        return (holding or difflib.get_close_matches(name, known, cutoff=0.0))[:3]


def blueprint_schema() -> Any:
    """With the schema of backup policies, to which it refers, inside of it."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    schema["$defs"]["backup_policy"] = policy_schema()
    return schema


def load_catalogue(*folders: Path) -> Catalogue:
    """Read every `*.yaml` of the folders. Raises `blueprint-folder-missing`, and `blueprint-invalid`
    naming file, line and field of each mistake."""
    for folder in folders:
        if not folder.is_dir():
            raise YuiError(
                "blueprint-folder-missing",
                en=f"There is no folder {folder} to read blueprints from: check its path.",
                ja=f"ブループリントのフォルダー {folder} がありません。パスを確認してください。",
            )
    validator = Draft202012Validator(blueprint_schema())
    files: dict[tuple[BlueprintId, int], BlueprintFile] = {}
    mistakes: list[Mistake] = []
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        found = read_blueprint(path, validator)
        if not isinstance(found, BlueprintFile):
            mistakes.extend(found)
            continue
        key = (found.blueprint.id, found.blueprint.version)
        if key in files:
            mistakes.append(
                Mistake(
                    path.name,
                    1,
                    f"version {key[1]} of {key[0]} exists already: give it the next version.",
                    f"{key[0]} のバージョン {key[1]} はすでにあります。次のバージョン番号にしてください。",
                )
            )
        else:
            files[key] = found
    versions: dict[BlueprintId, dict[int, Blueprint]] = {}
    for (id, version), file in sorted(files.items()):
        versions.setdefault(id, {})[version] = file.blueprint
    catalogue = Catalogue(versions)
    # With a file missing, what others say of it can't be judged.
    mistakes = mistakes or list(_relation_mistakes(catalogue, files))
    if mistakes:
        raise blueprint_invalid(mistakes)
    return catalogue


def _relation_mistakes(
    catalogue: Catalogue, files: Mapping[tuple[BlueprintId, int], BlueprintFile]
) -> Iterator[Mistake]:
    """What a blueprint says of others. Only the newest versions are held to it: older ones were
    right when they were written."""
    for blueprint in catalogue.newest():
        file = files[(blueprint.id, blueprint.version)]
        for field, names in (("needs", blueprint.needs), ("works_with", blueprint.works_with)):
            for index, name in enumerate(names):
                wrong = _wrong_relation(catalogue, blueprint, field, name)
                if wrong is not None:
                    yield at(file.path.name, file.document, (field, index), *wrong)


def _wrong_relation(
    catalogue: Catalogue, blueprint: Blueprint, field: str, name: BlueprintId
) -> tuple[str, str] | None:
    if name not in catalogue.versions:
        return (
            f"there is no blueprint {name}: mend the name, or add its file.",
            f"ブループリント {name} はありません。名前を直すか、ファイルを追加してください。",
        )
    other = catalogue.blueprint(name)
    if field == "works_with":
        return None
    if _reaches(catalogue, name, blueprint.id):
        return (
            f"{name} needs {blueprint.id} in turn, so neither could start first: make one of them works_with.",
            f"{name} も {blueprint.id} を必要とするため、どちらも先に起動できません。一方を works_with にしてください。",
        )
    if other.zone is not blueprint.zone:
        return (
            f"{name} is in zone {other.zone.value} and zones are never bridged: say works_with.",
            f"{name} は系統 {other.zone.value} にあり、系統どうしはつながりません。works_with にしてください。",
        )
    if other.tier > blueprint.tier:
        return (
            f"{name} comes back later, in tier {other.tier}: give this tier {other.tier} or more, or say works_with.",
            f"{name} の復旧は後(ティア {other.tier})です。この tier を {other.tier} 以上にするか、works_with にしてください。",
        )
    return None


def _reaches(catalogue: Catalogue, start: BlueprintId, goal: BlueprintId) -> bool:
    """Whether `start` needs `goal`, directly or through others."""
    seen: set[BlueprintId] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name not in seen and name in catalogue.versions:
            seen.add(name)
            waiting.extend(catalogue.blueprint(name).needs)
    return False
