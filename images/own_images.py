"""What members do with images of their own: describe them anew, delete them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from control_plane.http.principal import Principal
from control_plane.model.errors import YuiError
from control_plane.model.ids import ImageId
from control_plane.model.image import Image, Properties
from control_plane.store import Transaction
from images.uploads import tell


def describe(
    tx: Transaction,
    image: Image,
    who: Principal,
    at: datetime,
    *,
    name: str,
    properties: Properties,
) -> Image:
    """Raises `image-not-owned`, `image-shared`."""
    _need_own(image, who)
    changed = replace(image, name=name, properties=properties)
    if changed != image:
        tx.put_image(changed)
        said = ("was described anew", "の説明を変更しました")
        tell(tx, changed, who, at, action="image.describe", said=said)
    return changed


def delete(tx: Transaction, image: Image, who: Principal, at: datetime) -> None:
    """Its file is the caller's to remove, once that is kept. Raises `image-not-owned`, `image-shared`,
    `image-in-use`."""
    _need_own(image, who)
    tx.remove_image(image.id)
    tell(tx, image, who, at, action="image.delete", said=("was deleted", "を削除しました"))


def _need_own(image: Image, who: Principal) -> None:
    if image.owner is None or (who.tenant is not None and image.owner != who.tenant.text):
        raise not_owned(image.id)
    if not image.private and who.tenant is not None:
        raise _is_shared(image.id)


def not_owned(id: ImageId) -> YuiError:
    return YuiError(
        "image-not-owned",
        en=f"Image '{id}' belongs to the consortium's catalogue, and not to you: this is for what a member brought.",
        ja=f"イメージ「{id}」は共同カタログのものです。この操作ができるのは、団体が登録したイメージだけです。",
        status=409,
        fields={"image": id},
    )


def _is_shared(id: ImageId) -> YuiError:
    return YuiError(
        "image-shared",
        en=f"Image '{id}' is shared with all members, who may be using it: ask an operator to end that first.",
        ja=f"イメージ「{id}」はすべての団体と共有中です。先に運用担当者に共有の終了を依頼してください。",
        status=409,
        fields={"image": id},
    )
