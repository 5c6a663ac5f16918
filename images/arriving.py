"""The bytes of an upload as they come: written where they stay, within the room that was given to them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from anyio import to_thread

from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import ImageUpload
from control_plane.store import LostRace, Store
from images.inspection import Limits
from images.uploads import UploadFolder, check_quota, disk_full, is_full, need_disk, too_big

_AT_ONCE = 1024 * 1024
_STEP = 256 * 1024 * 1024
_GIB = 1024**3
_TRIES = 3

Room = Callable[[int], int]
"""Told how many bytes there are to be in all, answers for how many there is room. Raises where there is
none."""


def announced(upload: ImageUpload) -> Room:
    """What its sender said, and no more. Raises `image-upload-too-long`."""

    def room(needed: int) -> int:
        if needed > upload.size_bytes:
            raise _too_long(upload)
        return upload.size_bytes

    return room


def growing(store: Store, folder: UploadFolder, id: ImageId, limits: Limits) -> Room:
    """As much as comes, counted as used before it is written. Raises `image-too-big`,
    `image-quota-exceeded`, `image-disk-full`, and `image-upload-not-found` once it was given up."""

    def room(needed: int) -> int:
        try:
            return make_room(store, folder, id, needed + _STEP, limits)
        except YuiError as error:
            if error.type not in ("image-quota-exceeded", "image-too-big", "image-disk-full"):
                raise
            return make_room(store, folder, id, needed, limits)

    return room


def make_room(store: Store, folder: UploadFolder, id: ImageId, needed: int, limits: Limits) -> int:
    """Count so many bytes of an upload as used; says how many are. Raises as `growing`."""
    for _ in range(_TRIES - 1):
        try:
            return _make_room(store, folder, id, needed, limits)
        except LostRace:
            continue
    return _make_room(store, folder, id, needed, limits)


def _make_room(store: Store, folder: UploadFolder, id: ImageId, needed: int, limits: Limits) -> int:
    with store.write(turn="images") as tx:
        upload = tx.image_upload(id)
        more = needed - upload.size_bytes
        if more <= 0:
            return upload.size_bytes
        if needed > limits.file * _GIB:
            raise too_big(upload.name, needed, limits)
        if upload.tenant is not None:
            check_quota(tx, upload.tenant, more)
        need_disk(tx, folder, more)
        tx.save_image_upload(replace(upload, size_bytes=needed))
    return needed


async def append(descriptor: int, at: int, chunks: AsyncIterator[bytes], room: Room) -> int:
    """Write what comes to a file that has `at` bytes; says how many it then has, all of them safe. Raises
    what `room` raises, and `image-disk-full`."""
    waiting = bytearray()
    left = at
    async for chunk in chunks:
        waiting += chunk
        if at + len(waiting) > left:
            left = await to_thread.run_sync(room, at + len(waiting))
        if len(waiting) >= _AT_ONCE:
            at += await to_thread.run_sync(write, descriptor, bytes(waiting), at)
            waiting.clear()
    at += await to_thread.run_sync(write, descriptor, bytes(waiting), at)
    await to_thread.run_sync(partial(os.fsync, descriptor))
    return at


def write(descriptor: int, data: bytes, at: int) -> int:
    """All of `data` at that place. Raises `image-disk-full`."""
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], at + written)
    except OSError as failed:
        if is_full(failed):
            raise disk_full() from failed
        raise
    return written


def _too_long(upload: ImageUpload) -> YuiError:
    return YuiError(
        "image-upload-too-long",
        en=f"'{upload.name}' was to have {upload.size_bytes} bytes, and more came: give it up and begin anew with its true length.",
        ja=f"「{upload.name}」は {upload.size_bytes} バイトのはずですが、それを超えるデータが届きました。取りやめて、正しい長さで始め直してください。",
        status=409,
        fields={"image_upload": upload.id, "size_bytes": upload.size_bytes},
    )
