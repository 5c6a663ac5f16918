"""What a repository says of itself (`repository.json`), and putting that right where it is known.

No other repository says the same, so that nothing can be copied: whoever looks after a repository
remembers what was read there while it was whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from backup.repository.canonical import read_time
from backup.repository.errors import Damaged, malformed, missing
from backup.repository.heal import Healing, HealOutcome, retention
from backup.repository.keyrings import REPOSITORY_OBJECT
from control_plane.drivers.objects import NoSuchObject, ObjectExists, ObjectLocked, ObjectStore


def read_description(objects: ObjectStore, known: str | None) -> str:
    """What it says, in its own bytes. `known` is what it said before, None: it was never read. Another
    repository, of another id that was made at another time, is no damage. Raises Damaged,
    ObjectStoreError."""
    try:
        data = objects.get(REPOSITORY_OBJECT)
    except NoSuchObject:
        raise missing(REPOSITORY_OBJECT) from None
    told = _parsed(data)
    if known is not None and data != known.encode():
        before = _parsed(known.encode())
        if before[0] == told[0] or before[1] == told[1]:
            raise Damaged(
                REPOSITORY_OBJECT,
                "the repository's description is not what it was",
                ja="リポジトリの説明が以前と異なります",
            )
    return data.decode()


def heal_description(
    objects: ObjectStore,
    known: str | None,
    *,
    is_this_one: Callable[[], bool],
    locked_until: datetime | None = None,
) -> Healing:
    """Make `repository.json` say again what it said. Where it is not there, only if `is_this_one` tells by
    what else lies there that it is no other place. One of a version that this program does not know is left
    as it is. Raises ObjectStoreError."""
    try:
        read_description(objects, known)
        return Healing(REPOSITORY_OBJECT, objects.name, HealOutcome.WHOLE)
    except Damaged:
        pass
    lost = Healing(REPOSITORY_OBJECT, objects.name, HealOutcome.NO_COPY)
    if known is None:
        return lost
    try:
        there = objects.get(REPOSITORY_OBJECT)
    except NoSuchObject:
        there = None
    if there is None and not is_this_one():
        return lost
    if there is not None and _newer(there):
        return lost
    try:
        ends = [until for until in (retention(objects, REPOSITORY_OBJECT), locked_until) if until]
        objects.put(
            REPOSITORY_OBJECT,
            known.encode(),
            only_new=there is None,
            locked_until=max(ends, default=None),
        )
    except ObjectExists:
        return lost
    except ObjectLocked:
        return Healing(REPOSITORY_OBJECT, objects.name, HealOutcome.LOCKED)
    try:
        read_description(objects, known)
    except Damaged:
        return lost
    return Healing(REPOSITORY_OBJECT, objects.name, HealOutcome.REWRITTEN)


def _parsed(data: bytes) -> tuple[str, datetime]:
    """(id, created)."""
    if _newer(data):
        raise Damaged(
            REPOSITORY_OBJECT,
            "it tells a version of the format that this program does not know",
            ja="このプログラムが知らない書式バージョンです",
        )
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.get("format") != "yui-repository":
            raise ValueError("another format")
        id = value.get("id")
        if value.get("version") != 1 or not isinstance(id, str) or len(bytes.fromhex(id)) != 16:
            raise ValueError("no id")
        return id, read_time(value.get("created"))
    except ValueError:
        raise malformed(REPOSITORY_OBJECT, "the repository's description") from None


def _newer(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return (
        isinstance(value, dict)
        and value.get("format") == "yui-repository"
        and type(value.get("version")) is int
        and value["version"] != 1
    )
