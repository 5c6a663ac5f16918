"""Members bring images of their own, in parts that go on where a connection broke.

The file grows where it will stay: `own/<id>/<name>` below the image directory, which every control
plane of a pool sees. How much of it has come is the file's length and nothing else, so whatever crashes,
the sender asks for it and goes on. One writes at a time; the kernel's lock on the file says who.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from control_plane.http.principal import Principal
from control_plane.journal.operations import draw
from control_plane.model.access import AuditEntry
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import Image, ImageFormat, ImageUpload, Properties
from control_plane.model.operation import Event, Severity
from control_plane.model.tenant import MunicipalityCode
from control_plane.model.units import GiB
from control_plane.store import Snapshot, Store, Transaction
from images.catalogue import NewImage, describe
from images.directory import directory_unset
from images.inspection import Limits
from images.judgement import Declared

PART_BYTES = 64 * 1024 * 1024
"""The most that one part may be."""
QUOTA = GiB(100)
"""What each member may keep of images where nothing else is set."""
KEPT_FOR = timedelta(days=3)
"""How long an upload is kept of which nothing more comes."""
_MOST_AT_ONCE = 10
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class UploadFolder:
    """Where uploads grow and images of members stay. None takes none."""

    directory: Path | None

    @property
    def root(self) -> Path:
        """Raises `image-directory-unset`."""
        if self.directory is None:
            raise directory_unset()
        return self.directory.resolve() / "own"

    def file(self, upload: ImageUpload) -> Path:
        # What was announced without a digest may be called anything, and be renamed.
        name = "image" if upload.sha256 is None else upload.name
        return self.root / upload.id / name

    def received(self, upload: ImageUpload) -> int:
        """Bytes that have come."""
        try:
            return self.file(upload).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def writing(self, upload: ImageUpload) -> Iterator[int]:
        """The file's descriptor, for one writer. Raises `image-upload-busy`."""
        path = self.file(upload)
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o640)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _busy(upload) from None
            yield descriptor
        finally:
            os.close(descriptor)

    def remove(self, id: ImageId) -> None:
        shutil.rmtree(self.root / id, ignore_errors=True)

    def last_written(self, upload: ImageUpload) -> datetime:
        try:
            written = self.file(upload).stat().st_mtime
        except FileNotFoundError:
            return upload.begun_at
        return max(upload.begun_at, datetime.fromtimestamp(written, upload.begun_at.tzinfo))


def begin(
    tx: Transaction, folder: UploadFolder, wanted: ImageUpload, who: Principal, limits: Limits
) -> ImageUpload:
    """Take an upload on record. Its whole length counts as used from now on, where it was said.

    Raises `image-directory-unset`, `image-too-big`, `image-uploads-too-many`, `image-quota-exceeded`
    and `image-disk-full`."""
    root = folder.root
    if wanted.size_bytes > limits.file * _GIB:
        raise too_big(wanted.name, wanted.size_bytes, limits)
    under_way = tx.image_uploads(who.tenant)
    if wanted.tenant is not None:
        if len(under_way) >= _MOST_AT_ONCE:
            raise _too_many()
        check_quota(tx, wanted.tenant, max(1, wanted.size_bytes))
    root.mkdir(mode=0o750, parents=True, exist_ok=True)
    need_disk(tx, folder, wanted.size_bytes)
    tx.add_image_upload(wanted)
    tx.add_audit(
        who.did(
            "image.upload",
            f"image:{wanted.id}",
            wanted.begun_at,
            tenant=who.tenant,
            fields={
                "name": wanted.name,
                "sha256": wanted.sha256,
                "size_bytes": None if wanted.sha256 is None else wanted.size_bytes,
            },
        )
    )
    return wanted


def need_disk(tx: Transaction, folder: UploadFolder, more: int) -> None:
    """Room on the disk for so many bytes beside all that is still to come. Raises `image-disk-full`."""
    known = tx.image_uploads()
    missing = sum(max(0, upload.size_bytes - folder.received(upload)) for upload in known)
    if shutil.disk_usage(folder.root).free < missing + more:
        raise disk_full()


def quota_of(tx: Snapshot, tenant: str) -> GiB:
    found = tx.image_quota(tenant)
    return QUOTA if found is None else found


def check_quota(tx: Transaction, tenant: str, more: int) -> None:
    """Raises `image-quota-exceeded` where so many bytes more are too many."""
    used, quota = tx.image_bytes(tenant), quota_of(tx, tenant)
    if used + more > quota * _GIB:
        raise YuiError(
            "image-quota-exceeded",
            en=f"Your images may take {quota} GiB; they take {used / _GIB:.1f} GiB, and this one {more / _GIB:.1f} GiB more: delete images that no server needs, or ask for more.",
            ja=f"イメージの上限は {quota} GiB です。使用中は {used / _GIB:.1f} GiB で、このイメージにはさらに {more / _GIB:.1f} GiB が必要です。使っていないイメージを削除するか、上限の引き上げを依頼してください。",
            status=422,
            fields={"quota_gib": quota, "used_bytes": used, "size_bytes": more},
        )


def new_upload(
    name: str,
    version: str,
    provenance: str,
    size_bytes: int | None,
    sha256: str | None,
    *,
    at: datetime,
    tenant: MunicipalityCode | None,
    format: ImageFormat | None = None,
    properties: Properties = (),
) -> ImageUpload:
    """Its id is drawn, so that nobody learns from it what others call theirs. Without `sha256` its length
    stands open as well."""
    return ImageUpload(
        ImageId(f"img-{draw(16)}"),
        None if tenant is None else tenant.text,
        name,
        version,
        provenance,
        0 if size_bytes is None or sha256 is None else size_bytes,
        None if sha256 is None else sha256.lower(),
        at,
        format,
        properties,
    )


def describe_upload(
    tx: Transaction, upload: ImageUpload, who: Principal, at: datetime
) -> ImageUpload:
    """As it is described anew. Raises `image-upload-not-found`."""
    if tx.image_upload(upload.id) != upload:
        tx.save_image_upload(upload)
        tx.add_audit(_entry("image.describe", upload, who, at))
    return upload


def give_up(tx: Transaction, upload: ImageUpload, who: Principal, at: datetime) -> None:
    """What has come of it is the caller's to remove, once that is kept. Raises
    `image-upload-not-found`."""
    tx.remove_image_upload(upload.id)
    tx.add_audit(_entry("image.upload-remove", upload, who, at))


def _entry(action: str, upload: ImageUpload, who: Principal, at: datetime) -> AuditEntry:
    tenant = None if upload.tenant is None else MunicipalityCode(upload.tenant)
    return who.did(action, f"image:{upload.id}", at, tenant=tenant, fields={"name": upload.name})


def need_offset(upload: ImageUpload, received: int, offset: int) -> None:
    """Raises `image-upload-elsewhere`, which says where to go on."""
    if received != offset:
        raise YuiError(
            "image-upload-elsewhere",
            en=f"{received} bytes of '{upload.name}' have come: go on there, not at {offset}.",
            ja=f"「{upload.name}」は {received} バイトまで届いています。{offset} ではなく、その続きから送ってください。",
            status=409,
            fields={"image_upload": upload.id, "received_bytes": received, "offset": offset},
        )


def judged(
    folder: UploadFolder,
    upload: ImageUpload,
    declared: Declared,
    machine: str | None,
    *,
    limits: Limits,
    at: datetime,
    sha256: str | None = None,
) -> Image:
    """The image that the whole file is. It is read from end to end.

    `sha256` is what it must have where the upload does not say. Raises `image-upload-incomplete`,
    `image-checksum-mismatch`, `image-format-differs`, and what `judge` raises."""
    received = folder.received(upload)
    if not received or (upload.sha256 is not None and received != upload.size_bytes):
        raise YuiError(
            "image-upload-incomplete",
            en=f"{received} of {upload.size_bytes} bytes of '{upload.name}' have come: send the rest first."
            if received
            else f"Nothing of '{upload.name}' has come yet: send it first.",
            ja=f"「{upload.name}」は {upload.size_bytes} バイトのうち {received} バイトが届いています。残りを送ってから完了してください。"
            if received
            else f"「{upload.name}」のデータはまだ届いていません。先に送ってください。",
            status=409,
            fields={"image_upload": upload.id, "received_bytes": received},
        )
    new = NewImage(
        id=upload.id,
        name=upload.name,
        version=upload.version,
        path=folder.file(upload),
        provenance=upload.provenance,
        expected_sha256=upload.sha256 or sha256,
        declared=declared,
        machine=machine,
    )
    found = describe(new, at, limits)
    if upload.format not in (None, found.format):
        raise _other_format(upload, found)
    return replace(
        found,
        owner=upload.tenant,
        private=upload.tenant is not None,
        properties=upload.properties,
    )


def take_in(tx: Transaction, image: Image, who: Principal, at: datetime) -> None:
    """The upload becomes an image. Raises `image-upload-not-found` where another request made it one or
    gave it up meanwhile."""
    tx.remove_image_upload(image.id)
    tx.put_image(image)
    tell(tx, image, who, at, action="image.add", said=("was added", "を登録しました"))


def tell(
    tx: Transaction,
    image: Image,
    who: Principal,
    at: datetime,
    *,
    action: str,
    said: tuple[str, str],
) -> None:
    """An event for the image's owner, and the entry of the audit trail."""
    owner = None if image.owner is None else MunicipalityCode(image.owner)
    tx.add_event(
        Event(
            action,
            f"image:{image.id}",
            at,
            Severity.INFO,
            f"Image {image.name} {image.version} ({image.id}) {said[0]} by {who.label}.",
            f"{who.label} さんがイメージ {image.name} {image.version}({image.id}){said[1]}。",
            image.owner,
        )
    )
    fields = {"name": image.name, "version": image.version, "sha256": image.sha256}
    tx.add_audit(who.did(action, f"image:{image.id}", at, tenant=owner, fields=fields))


@contextmanager
def letting_go(store: Store, folder: UploadFolder, upload: ImageUpload) -> Iterator[None]:
    """While the upload is given up, nobody writes it; its file goes at the end. One that is made from a
    server is cleared away by whoever makes it. Raises `image-upload-busy`."""
    with store.read() as tx:
        made_here = tx.image_capture(upload.id) is not None
    if made_here:
        yield
        return
    with folder.writing(upload):
        yield
    folder.remove(upload.id)


def need_sender(tx: Snapshot, upload: ImageUpload) -> ImageUpload:
    """Raises `image-from-server` where nobody is to send it."""
    capture = tx.image_capture(upload.id)
    if capture is None:
        return upload
    raise YuiError(
        "image-from-server",
        en=f"'{upload.name}' is made from server {capture.server_name}'s disk: nothing is to be sent.",
        ja=f"「{upload.name}」はサーバー {capture.server_name} のディスクから作成中です。送信は不要です。",
        status=409,
        fields={"image": upload.id, "server": capture.server},
    )


def forget_stale(store: Store, folder: UploadFolder, now: datetime) -> int:
    """Drop uploads of which nothing has come for `KEPT_FOR`, and files that nobody knows any more; says
    how many uploads."""
    root = folder.root
    with store.read() as tx:
        uploads = tx.image_uploads()
        known = {upload.id for upload in uploads} | {image.id for image in tx.images()}
        made = {capture.image for capture in tx.image_captures()}
    stale = [u for u in uploads if u.id not in made and now - folder.last_written(u) > KEPT_FOR]
    for upload in stale:
        with store.write() as tx:
            tx.remove_image_upload(upload.id)
        folder.remove(upload.id)
    for left in root.iterdir() if root.is_dir() else ():
        old = now.timestamp() - left.stat().st_mtime > KEPT_FOR.total_seconds()
        if left.name not in known and old:
            folder.remove(ImageId(left.name))
    return len(stale)


def disk_full() -> YuiError:
    return YuiError(
        "image-disk-full",
        en="The consortium's disk for images has no room for this one: ask an operator to make some.",
        ja="イメージを保存するディスクに空きがありません。運用担当者に依頼してください。",
        status=507,
    )


def is_full(failed: OSError) -> bool:
    return failed.errno in (errno.ENOSPC, errno.EDQUOT)


def _busy(upload: ImageUpload) -> YuiError:
    return YuiError(
        "image-upload-busy",
        en=f"Another request is sending or judging '{upload.name}': wait for it to end.",
        ja=f"「{upload.name}」は別のリクエストで送信中か検査中です。終わるまでお待ちください。",
        status=409,
        fields={"image_upload": upload.id},
    )


def _other_format(upload: ImageUpload, found: Image) -> YuiError:
    return YuiError(
        "image-format-differs",
        en=f"'{upload.name}' was announced as {upload.format} and is {found.format}: announce it as that, and send it again.",
        ja=f"「{upload.name}」は {upload.format} として登録されましたが、実際の形式は {found.format} です。正しい形式を指定して送り直してください。",
        fields={"announced": str(upload.format), "found": str(found.format)},
    )


def _too_many() -> YuiError:
    return YuiError(
        "image-uploads-too-many",
        en=f"{_MOST_AT_ONCE} uploads are under way: finish or give up one of them first.",
        ja=f"アップロードは同時に {_MOST_AT_ONCE} 件までです。どれかを完了するか取りやめてください。",
        status=409,
        fields={"most": _MOST_AT_ONCE},
    )


def too_big(name: str, size_bytes: int, limits: Limits) -> YuiError:
    return YuiError(
        "image-too-big",
        en=f"'{name}' has {size_bytes / _GIB:.1f} GiB, and an image may have {limits.file} GiB at most.",
        ja=f"「{name}」は {size_bytes / _GIB:.1f} GiB あります。イメージは {limits.file} GiB までです。",
        fields={"size_bytes": size_bytes, "most_gib": limits.file},
    )
