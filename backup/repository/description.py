"""What a repository says of itself (`repository.json`), and putting that right where it is known.

No other repository says the same, so that nothing can be copied: whoever looks after a repository
remembers what was read there while it was whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from backup.repository.canonical import count, read_json, read_time
from backup.repository.errors import Damaged, malformed, missing
from backup.repository.heal import Healing, HealOutcome, retention
from backup.repository.keyrings import REPOSITORY_OBJECT
from backup.repository.sizes import LARGEST_SMALL, read_whole
from control_plane.drivers.objects import NoSuchObject, ObjectExists, ObjectLocked, ObjectStore

_ID = re.compile(r"[0-9a-f]{32}")


def read_description(objects: ObjectStore, known: str | None) -> str:
    """What it says, in its own bytes. `known` is what it said before, None: it was never read. Another
    repository, of another id that was made at another time, is no damage. Raises Damaged,
    ObjectStoreError."""
    try:
        data = read_whole(objects, REPOSITORY_OBJECT, LARGEST_SMALL)
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
        there = objects.get(REPOSITORY_OBJECT, length=LARGEST_SMALL + 1)
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


def described(data: bytes) -> tuple[int, str, datetime]:
    """(version, id, created), the latter two of version 1 alone. Raises ValueError."""
    value = read_json(data, most=LARGEST_SMALL)
    if value.get("format") != "yui-repository":
        raise ValueError("another format")
    version, id = count(value.get("version")), value.get("id")
    if version != 1:
        return version, "", datetime.min.replace(tzinfo=UTC)
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise ValueError("no id")
    return version, id, read_time(value.get("created"))


def _parsed(data: bytes) -> tuple[str, datetime]:
    """(id, created)."""
    if _newer(data):
        raise Damaged(
            REPOSITORY_OBJECT,
            "it tells a version of the format that this program does not know",
            ja="このプログラムが知らない書式バージョンです",
        )
    try:
        _, id, created = described(data)
        return id, created
    except ValueError:
        raise malformed(REPOSITORY_OBJECT, "the repository's description") from None


def _newer(data: bytes) -> bool:
    try:
        return described(data)[0] != 1
    except ValueError:
        return False
