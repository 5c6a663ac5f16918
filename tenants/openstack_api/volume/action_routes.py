"""What Cinder's clients ask of a volume by `action`: it grows, and most else is refused with a word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Body, Request, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand, Edge
from control_plane.http.idempotency import Once, OnceOnly, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited, called
from control_plane.journal.volume_progress import VOLUME_GROW
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.model.units import GiB
from control_plane.model.volume import Unattached, Volume
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.documents import TYPE
from tenants.openstack_api.volume.read_routes import VolumeRef, own_volume
from tenants.openstack_api.volume.refusals import as_cinder_says
from tenants.openstack_api.volume.view import View, VolumeView
from tenants.volumes.growing import grow
from tenants.volumes.models import LARGEST

routes = Routes()

Writer = Annotated[Principal, needs(Permission.VOLUMES_WRITE)]

_AS_IT_IS: Mapping[str, tuple[str, object]] = {
    "os-set_bootable": ("bootable", False),
    "os-update_readonly_flag": ("readonly", False),
    "os-retype": ("new_type", TYPE),
}
"""Changes to what every volume is anyway: the argument, and that value of it."""

_FIGURES = re.compile(r"[0-9]{1,9}")

_BY_COMPUTE = (
    "is asked of Compute, whose server gets or gives up the volume",
    "は Compute のサーバー側で行ってください",
)
_NOT_YOURS = ("is nothing that members do", "は参加団体では行えません")

_REFUSED: Mapping[str, tuple[int, str, str]] = {
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
def act(
    volume: VolumeRef,
    body: Annotated[dict[str, Any], Body(max_length=16)],
    request: Request,
    who: Writer,
    view: View,
    *,
    edge: AtHand,
    once: Once,
) -> Response:
    """Makes an available volume larger (os-extend), takes what a volume is anyway (not bootable, writable, of
    the one type) and refuses everything else."""
    with edge.store.read() as tx:
        own_volume(tx, volume, view)
    if len(body) != 1:
        raise _refused(
            "action",
            400,
            "is one object with one name",
            "は名前が1つのオブジェクトで指定してください",
        )
    ((action, arguments),) = body.items()
    if action == "os-extend":
        called(request, VOLUME_GROW)
        asker = Asker(who, edge.clock.now())
        return _extend(volume, _size_in(arguments), asker, view, edge=edge, once=once)
    if action in _AS_IT_IS and isinstance(arguments, dict):
        name, value = _AS_IT_IS[action]
        if arguments.get(name) == value and type(arguments.get(name)) is type(value):
            return view.told(None, 200 if action == "os-set_bootable" else 202)
    if action not in _REFUSED:
        shown = "".join(c if c.isprintable() else "?" for c in action[:60])
        raise _refused(shown, 400, "is no action of a volume", "という操作はありません")
    raise _refused(action, *_REFUSED[action])


def _size_in(arguments: object) -> GiB:
    """Figures in quotes are taken too, as Cinder takes them."""
    said = (
        arguments.get("new_size") if isinstance(arguments, dict) and len(arguments) == 1 else None
    )
    if isinstance(said, str) and _FIGURES.fullmatch(said):
        said = int(said)
    if type(said) is not int or not 1 <= said <= LARGEST:
        raise _refused(
            "os-extend",
            400,
            f"takes new_size alone, in GiB from 1 to {LARGEST}",
            f"には new_size だけを 1 以上 {LARGEST} 以下(GiB)で指定してください",
        )
    return GiB(said)


def _need_extensible(found: Volume, size: GiB) -> None:
    if found.growing or not isinstance(found.attachment, Unattached):
        raise _refused(
            "os-extend",
            400,
            "takes an available volume: detach it, or grow it where it is by POST /v1/volumes/{volume}/grow",
            "の対象は利用可能なボリュームだけです。切り離すか、接続したまま POST /v1/volumes/{volume}/grow で拡張してください",
        )
    if size <= found.size:
        raise _refused(
            "os-extend",
            400,
            f"makes a volume larger, and it has {found.size} GiB",
            f"では拡張だけができます。現在は {found.size} GiB です",
        )


def _extend(
    volume: str, size: GiB, asker: Asker, view: VolumeView, *, edge: Edge, once: OnceOnly
) -> Response:
    """Of one that no server has: for those that one has Cinder's clients need microversion 3.42."""

    def work(remember: Remember) -> Answer:
        with edge.store.read() as tx:
            found = own_volume(tx, volume, view)
        _need_extensible(found, size)
        answer = Answer({})
        grow(
            edge.store,
            found.id,
            size,
            asker,
            lambda tx, _: remember(tx, answer),
            expected=found.generation,
        )
        return answer

    with as_cinder_says():
        return view.retold(once.run(work, status=202), empty=True)


def _refused(action: str, status: int, en: str, ja: str) -> YuiError:
    return YuiError(
        "volume-action-refused",
        en=f"{action} {en}.",
        ja=f"{action} {ja}。",
        status=status,
        fields={"action": action},
    )
