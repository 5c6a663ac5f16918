"""What Cinder's clients ask of a volume by `action`, most of which is refused with a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.documents import TYPE
from tenants.openstack_api.volume.read_routes import VolumeRef, own_volume
from tenants.openstack_api.volume.view import View

routes = Routes()

Writer = Annotated[Principal, needs(Permission.VOLUMES_WRITE)]

_AS_IT_IS: Mapping[str, tuple[str, object]] = {
    "os-set_bootable": ("bootable", False),
    "os-update_readonly_flag": ("readonly", False),
    "os-retype": ("new_type", TYPE),
}
"""Changes to what every volume is anyway: the argument, and that value of it."""

_BY_COMPUTE = (
    "is asked of Compute, whose server gets or gives up the volume",
    "は Compute のサーバー側で行ってください",
)
_NOT_YOURS = ("is nothing that members do", "は参加団体では行えません")

_REFUSED: Mapping[str, tuple[int, str, str]] = {
    "os-extend": (
        400,
        "can't be had: a volume keeps its size; make a larger one and copy",
        "には対応していません。大きいボリュームを新しく作って複写してください",
    ),
    "os-set_bootable": (
        400,
        "true can't be had: servers start from their own disks",
        "の true には対応していません。サーバーは自分のディスクから起動します",
    ),
    "os-update_readonly_flag": (400, "true can't be had", "の true には対応していません"),
    "os-retype": (
        400,
        f"can't be had: there is one type, {TYPE}",
        f"には対応していません。種類は {TYPE} だけです",
    ),
    "os-volume_upload_image": (
        400,
        "can't be had: images are made from servers' own disks (createImage)",
        "には対応していません。イメージはサーバー本体のディスクから作れます(createImage)",
    ),
    "os-set_image_metadata": (400, "can't be had", "には対応していません"),
    "os-unset_image_metadata": (400, "can't be had", "には対応していません"),
    "os-show_image_metadata": (400, "can't be had", "には対応していません"),
    "revert": (
        400,
        "can't be had: a server is restored with its volumes by POST /v1/snapshots/{snapshot}/restore",
        "には対応していません。サーバーごとの復元は POST /v1/snapshots/{snapshot}/restore で行えます",
    ),
    "os-attach": (400, *_BY_COMPUTE),
    "os-detach": (400, *_BY_COMPUTE),
    "os-begin_detaching": (400, *_BY_COMPUTE),
    "os-roll_detaching": (400, *_BY_COMPUTE),
    "os-reserve": (400, *_BY_COMPUTE),
    "os-unreserve": (400, *_BY_COMPUTE),
    "os-initialize_connection": (400, *_BY_COMPUTE),
    "os-terminate_connection": (400, *_BY_COMPUTE),
    "os-force_detach": (403, *_NOT_YOURS),
    "os-force_delete": (403, *_NOT_YOURS),
    "os-reset_status": (403, *_NOT_YOURS),
    "os-migrate_volume": (403, *_NOT_YOURS),
    "os-migrate_volume_completion": (403, *_NOT_YOURS),
    "os-unmanage": (403, *_NOT_YOURS),
}


@routes.post("/volumes/{volume}/action", 202)
@audited("volume.protect", "volume")
async def act(
    volume: VolumeRef,
    body: Annotated[dict[str, Any], Body(max_length=16)],
    _: Writer,
    view: View,
    edge: AtHand,
) -> Response:
    """Takes what a volume is anyway (not bootable, writable, of the one type) and refuses everything else."""
    await edge.look(lambda tx: own_volume(tx, volume, view))
    if len(body) != 1:
        raise _refused(
            "action",
            400,
            "is one object with one name",
            "は名前が1つのオブジェクトで指定してください",
        )
    ((action, arguments),) = body.items()
    if action in _AS_IT_IS and isinstance(arguments, dict):
        name, value = _AS_IT_IS[action]
        if arguments.get(name) == value and type(arguments.get(name)) is type(value):
            return view.told(None, 200 if action == "os-set_bootable" else 202)
    if action not in _REFUSED:
        shown = "".join(c if c.isprintable() else "?" for c in action[:60])
        raise _refused(shown, 400, "is no action of a volume", "という操作はありません")
    raise _refused(action, *_REFUSED[action])


def _refused(action: str, status: int, en: str, ja: str) -> YuiError:
    return YuiError(
        "volume-action-refused",
        en=f"{action} {en}.",
        ja=f"{action} {ja}。",
        status=status,
        fields={"action": action},
    )
