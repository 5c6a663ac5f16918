"""The catalogue of images: what may be started, where it came from, and that it is still whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId, is_name
from control_plane.model.image import Image
from control_plane.store import Store, Transaction
from images.inspection import Limits, open_regular
from images.judgement import Declared, judge

_NO_LIMITS = Limits()
_NOTHING_DECLARED = Declared()
_TAKEN = frozenset({"standard", "uploads"})
"""Names with a meaning of their own in the API's paths."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """What somebody says of a file. `expected_sha256` is the digest that its maker published, where
    there is one; `provenance` says in one line who made it from what. `machine` is a vendor's
    description of the machine that it wants: an OVF, a libvirt domain or JSON."""

    id: ImageId
    name: str
    version: str
    path: Path
    provenance: str
    expected_sha256: str | None = None
    declared: Declared = _NOTHING_DECLARED
    machine: str | None = None


def describe(new: NewImage, now: datetime, limits: Limits = _NO_LIMITS) -> Image:
    """The catalogue's entry for the file, which is read whole, judged, and changes nothing.

    Raises what `judge` raises, "image-name-invalid" and "image-checksum-mismatch"."""
    if not is_name(new.id) or new.id in _TAKEN:
        raise YuiError(
            "image-name-invalid",
            en=f"'{new.id[:63]}' can't name an image: use 1 to 63 of a-z, 0-9 and inner hyphens.",
            ja=f"「{new.id[:63]}」はイメージ名に使えません。a〜z、0〜9、途中のハイフンで 1〜63 文字にしてください。",
        )
    judged = judge(new.path, limits, new.declared, new.machine)
    facts = judged.facts
    if new.expected_sha256 is not None and new.expected_sha256.lower() != facts.sha256:
        raise _mismatch(new.id, new.expected_sha256.lower(), facts.sha256)
    return Image(
        id=new.id,
        name=new.name,
        version=new.version,
        format=facts.format,
        sha256=facts.sha256,
        size_bytes=facts.size_bytes,
        virtual_size=facts.virtual_size,
        location=str(new.path.resolve()),
        provenance=new.provenance,
        added_at=now,
        report=judged.report,
    )


def standing(known: Sequence[Image], image: Image) -> Image | None:
    """The entry that already says all of this, or None where the id is free. Raises "image-exists"
    when the id stands for other content or words."""
    same_id = next((each for each in known if each.id == image.id), None)
    if same_id is None or _same(same_id, image):
        return same_id
    raise YuiError(
        "image-exists",
        en=f"Image '{image.id}' is in the catalogue as version {same_id.version} and differs: add the new one under another id.",
        ja=f"イメージ「{image.id}」は異なる内容(版 {same_id.version})で登録済みです。新しいものは別の ID で登録してください。",
        status=409,
        fields={"image": image.id, "known_sha256": same_id.sha256, "sha256": image.sha256},
    )


def add_image(tx: Transaction, image: Image) -> Image:
    """Put the entry into the catalogue. Adding what is there already changes nothing, not even its
    date. Raises "image-exists"."""
    known = standing(tx.images(), image)
    if known is None:
        tx.put_image(image)
    return known or image


def list_images(store: Store) -> Sequence[Image]:
    with store.read() as tx:
        return tx.images()


def verify_image(store: Store, id: ImageId) -> Image:
    """Read the file again from end to end. Raises "image-not-found", "image-file-missing" and
    "image-checksum-mismatch" with the expected and the actual digest."""
    with store.read() as tx:
        image = tx.image(id)
    with open_regular(Path(image.location)) as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != image.sha256:
        raise _mismatch(id, image.sha256, actual)
    return image


def _same(one: Image, other: Image) -> bool:
    return (one.sha256, one.name, one.version, one.location, one.provenance) == (
        other.sha256,
        other.name,
        other.version,
        other.location,
        other.provenance,
    )


def _mismatch(id: ImageId, expected: str, actual: str) -> YuiError:
    return YuiError(
        "image-checksum-mismatch",
        en=f"Image '{id}' does not have the sha256 it should: expected {expected}, found {actual}. Fetch the file again.",
        ja=f"イメージ「{id}」の sha256 が一致しません(期待値 {expected}、実際 {actual})。ファイルを取得し直してください。",
        status=409,
        fields={"image": id, "expected_sha256": expected, "actual_sha256": actual},
    )
