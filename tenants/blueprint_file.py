"""Reads one file of a blueprint: its shape against the schema, and what a schema can't say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from control_plane.model.backup.policy_document import policy_from, policy_mistakes
from control_plane.model.blueprint import (
    Blueprint,
    BlueprintServer,
    ContainerGroup,
)
from control_plane.model.health import HttpCheck
from control_plane.model.hours import ALWAYS_OPEN, ServiceWindow, Weekday, minute_from
from control_plane.model.ids import BlueprintId, FlavorId, ImageId
from control_plane.model.pool import Zone
from control_plane.model.tenant import PopulationBand
from tenants.blueprint_mistakes import at, schema_mistake
from tenants.yaml_lines import Document, Mistake, read_yaml


@dataclass(frozen=True, slots=True)
class BlueprintFile:
    """`document` knows on which line of the file each field stands."""

    path: Path
    document: Document
    blueprint: Blueprint


def read_blueprint(
    path: Path, validator: Draft202012Validator
) -> BlueprintFile | Sequence[Mistake]:
    """The file's blueprint, or every mistake in it."""
    document = read_yaml(path)
    if isinstance(document, Mistake):
        return [document]
    errors = sorted(
        validator.iter_errors(document.value), key=lambda error: list(map(str, error.absolute_path))
    )
    if errors:
        return [schema_mistake(path.name, document, error) for error in errors]
    blueprint = _blueprint(document.value)
    mistakes = list(_inconsistencies(path, document, blueprint))
    return mistakes or BlueprintFile(path, document, blueprint)


def _blueprint(value: Mapping[str, Any]) -> Blueprint:
    return Blueprint(
        id=BlueprintId(value["id"]),
        version=value["version"],
        name_ja=value["name"]["ja"],
        name_en=value["name"]["en"],
        tier=value["tier"],
        zone=Zone(value["zone"]),
        servers=tuple(_server(server) for server in value.get("servers", ())),
        description_ja=value["description"]["ja"],
        description_en=value["description"]["en"],
        standard_task=value.get("standard_task"),
        container_groups=tuple(_group(group) for group in value.get("container_groups", ())),
        needs=tuple(map(BlueprintId, value.get("needs", ()))),
        works_with=tuple(map(BlueprintId, value.get("works_with", ()))),
        service_hours=_service_hours(value["service_hours"]),
        backup=policy_from(value["backup"]),
        needed_when_cut_off=value.get("needed_when_cut_off", False),
    )


def _server(server: Mapping[str, Any]) -> BlueprintServer:
    return BlueprintServer(
        role=server["role"],
        image=ImageId(server["image"]),
        start_order=server["start_order"],
        flavors=_flavors(server),
        anti_affinity=server.get("anti_affinity"),
        traits=frozenset(server.get("traits", ())),
        stop_order=server.get("stop_order"),
        health=_health(server.get("health")),
    )


def _health(health: Mapping[str, Any] | None) -> HttpCheck | None:
    return None if health is None else HttpCheck(**health)


def _group(group: Mapping[str, Any]) -> ContainerGroup:
    return ContainerGroup(
        role=group["role"],
        image=group["image"],
        start_order=group["start_order"],
        replicas={PopulationBand(band): count for band, count in group["replicas"].items()},
        flavors=_flavors(group),
        stop_order=group.get("stop_order"),
    )


def _flavors(workload: Mapping[str, Any]) -> dict[PopulationBand, FlavorId]:
    return {PopulationBand(band): FlavorId(id) for band, id in workload["flavors"].items()}


def _service_hours(value: Any) -> tuple[ServiceWindow, ...]:
    if value == "always":
        return ALWAYS_OPEN
    return tuple(
        ServiceWindow(
            tuple(map(Weekday, window["days"])),
            minute_from(window["from"]),
            minute_from(window["to"]),
        )
        for window in value
    )


def _inconsistencies(path: Path, document: Document, blueprint: Blueprint) -> Iterator[Mistake]:
    expected = f"{blueprint.id}.v{blueprint.version}.yaml"
    if path.name != expected:
        yield Mistake(
            path.name,
            document.line("id"),
            f"id and version say {expected}: rename the file, or mend them.",
            f"id と version によればファイル名は {expected} です。どちらかを直してください。",
        )
    yield from _workload_mistakes(path.name, document, blueprint)
    yield from _hours_mistakes(path.name, document, blueprint)
    yield from _backup_mistakes(path.name, document, blueprint)


def _workload_mistakes(file: str, document: Document, blueprint: Blueprint) -> Iterator[Mistake]:
    if not blueprint.workloads:
        yield Mistake(
            file,
            1,
            "a blueprint has servers or container_groups: give at least one of them.",
            "servers か container_groups のどちらかが必要です。少なくとも一つ書いてください。",
        )
    placed: list[tuple[str, int, BlueprintServer | ContainerGroup]] = [
        *(("servers", index, server) for index, server in enumerate(blueprint.servers)),
        *(("container_groups", i, group) for i, group in enumerate(blueprint.container_groups)),
    ]
    roles: set[str] = set()
    with_stop_order = [w for w in blueprint.workloads if w.stop_order is not None]
    for field, index, workload in placed:
        if workload.role in roles:
            yield at(
                file,
                document,
                (field, index, "role"),
                f"'{workload.role}' is given twice; a role names one workload.",
                f"「{workload.role}」が重複しています。役割はそれぞれ別にしてください。",
            )
        roles.add(workload.role)
        if with_stop_order and workload.stop_order is None:
            yield at(
                file,
                document,
                (field, index),
                "'stop_order' is missing, which others have: give it for all of them, or for none.",
                "ほかにある「stop_order」がありません。すべてに書くか、すべて省いてください。",
            )


def _hours_mistakes(file: str, document: Document, blueprint: Blueprint) -> Iterator[Mistake]:
    for index, window in enumerate(blueprint.service_hours):
        if window.opens >= window.closes:
            yield at(
                file,
                document,
                ("service_hours", index, "to"),
                "it closes before it opens: let the night belong to two windows.",
                "終了が開始より前です。夜をまたぐときは二つに分けて書いてください。",
            )


def _backup_mistakes(file: str, document: Document, blueprint: Blueprint) -> Iterator[Mistake]:
    for mistake in policy_mistakes(blueprint.backup):
        yield at(file, document, ("backup", *mistake.path), mistake.en, mistake.ja)
    roles = {server.role for server in blueprint.servers}
    for index, dump in enumerate(blueprint.backup.dumps):
        if dump.role not in roles:
            yield at(
                file,
                document,
                ("backup", "dumps", index, "role"),
                f"'{dump.role}' is the role of none of its servers.",
                f"「{dump.role}」という役割のサーバーがありません。",
            )
