"""Reads a backup policy from a file of its own: for one system, where it is not to be as its blueprint has it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from control_plane.model.backup.policy import BackupPolicy
from control_plane.model.backup.policy_document import policy_from, policy_mistakes
from control_plane.model.errors import YuiError
from tenants.blueprint_mistakes import at, schema_mistake
from tenants.yaml_lines import Mistake, read_yaml

_SCHEMA = Path(__file__).parent / "backup-policy.schema.json"


@cache
def policy_schema() -> Any:
    return json.loads(_SCHEMA.read_text(encoding="utf-8"))


def read_policy(path: Path) -> BackupPolicy:
    """Raises `backup-policy-invalid`, which tells every mistake with its line."""
    document = read_yaml(path)
    if isinstance(document, Mistake):
        raise _invalid([document])
    errors = sorted(
        Draft202012Validator(policy_schema()).iter_errors(document.value),
        key=lambda error: list(map(str, error.absolute_path)),
    )
    if errors:
        raise _invalid([schema_mistake(path.name, document, error) for error in errors])
    policy = policy_from(document.value)
    mistakes = [at(path.name, document, m.path, m.en, m.ja) for m in policy_mistakes(policy)]
    if mistakes:
        raise _invalid(mistakes)
    return policy


def _invalid(mistakes: list[Mistake]) -> YuiError:
    return YuiError(
        "backup-policy-invalid",
        en="\n".join(mistake.sentence_en for mistake in mistakes),
        ja="\n".join(mistake.sentence_ja for mistake in mistakes),
    )
