"""Words that members put to their things, as options say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from control_plane.cli import server_note_messages as n
from control_plane.model.errors import YuiError


def with_changes(known: Mapping[str, str], given: Iterable[str]) -> dict[str, str]:
    """`known` with each KEY=VALUE, and without each KEY=. Raises YuiError `label-unclear`."""
    changed = dict(known)
    for label in given:
        key, equals, value = label.partition("=")
        if not equals:
            raise YuiError("label-unclear", en=n.LABEL_UNCLEAR.en, ja=n.LABEL_UNCLEAR.ja)
        if value:
            changed[key] = value
        else:
            changed.pop(key, None)
    return changed
