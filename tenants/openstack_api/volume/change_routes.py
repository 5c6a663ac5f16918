"""Volumes are made, described anew and deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.operations import draw
from control_plane.model.access import Permission
from control_plane.model.ids import SiteId
from control_plane.model.operation import Operation
from control_plane.model.units import GiB
from control_plane.store import Transaction
from tenants.asking import Asker
from tenants.openstack_api.answers import Answer
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.documents import TYPE, document
from tenants.openstack_api.volume.models import NewVolume, VolumeChange, VolumeIn
from tenants.openstack_api.volume.read_routes import VolumeRef, own_volume
from tenants.openstack_api.volume.refusals import as_cinder_says, unsupported
from tenants.openstack_api.volume.view import View
from tenants.volumes.describing import describe
from tenants.volumes.placing import VolumeRequest
from tenants.volumes.volumes import create, delete

routes = Routes()

Writer = Annotated[Principal, needs(Permission.VOLUMES_WRITE)]

_FILLED = {
    "snapshot_id": "a server's snapshot fills volumes through POST /v1/volumes",
    "source_volid": "volumes are not copied from each other",
    "image": "an image fills a server's own disk",
    "backup_id": "systems are restored from their recovery points whole",
}
_FILLED_JA = {
    "snapshot_id": "サーバーのスナップショットからの作成は POST /v1/volumes で行えます",
    "source_volid": "ボリューム同士の複写はできません",
    "image": "イメージはサーバー本体のディスクになります",
    "backup_id": "復元はシステム全体を単位として行います",
}


@routes.post("/volumes", status=202)
@audited("volume.create", "volume")
def create_volume(
    body: NewVolume, who: Writer, view: View, edge: AtHand, *, once: Once
) -> Response:
    """Makes an empty volume where the member's servers have their disks, or in the zone, or beside the
    server (the hint `local_to_instance`), that is named."""
    wanted = body.volume
    _refuse(wanted)
    if wanted.size is None:
        raise unsupported("size", "is missing: say how many GiB", "(GiB)を指定してください")
    hints = body.hints
    request = VolumeRequest(
        name=wanted.name or f"volume-{draw(12)}",
        size=GiB(wanted.size),
        region=view.region,
        site=None if wanted.availability_zone is None else SiteId(wanted.availability_zone),
        beside=None if hints is None else hints.local_to_instance,
        description=wanted.description or "",
        labels=tuple(sorted((wanted.metadata or {}).items())),
    )

    def work(remember: Remember) -> Answer:
        answers: list[Answer] = []

        def keep(tx: Transaction, begun: Operation) -> None:
            made = own_volume(tx, str((begun.fields or {})["volume"]), view)
            answers.append(Answer({"volume": document(tx, made, view)}))
            remember(tx, answers[-1])

        create(edge.store, request, Asker(who, edge.clock.now()), keep)
        return answers[-1]

    with as_cinder_says():
        return view.retold(once.run(work, status=202))


@routes.put("/volumes/{volume}")
@audited("volume.protect", "volume")
def change_volume(
    volume: VolumeRef, body: VolumeChange, who: Writer, view: View, edge: AtHand, *, once: Once
) -> Response:
    """Gives a volume another name, description or metadata."""
    change = body.volume
    name = change.display_name if change.name is None else change.name
    described = change.display_description if change.description is None else change.description
    labels = None if change.metadata is None else tuple(sorted(change.metadata.items()))

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            found = own_volume(tx, volume, view)
            asker = Asker(who, edge.clock.now())
            after = describe(tx, found, asker, name=name, description=described, labels=labels)
            answer = Answer({"volume": document(tx, after, view)})
            remember(tx, answer)
        return answer

    with as_cinder_says():
        return view.retold(once.run(work))


@routes.delete("/volumes/{volume}")
@audited("volume.delete", "volume")
def delete_volume(
    volume: VolumeRef,
    who: Writer,
    view: View,
    edge: AtHand,
    *,
    once: Once,
    force: bool = False,
) -> Response:
    """Removes a volume with all that is on it; one that a server has, or that is protected, is not."""
    if force:
        raise unsupported(
            "force",
            "can't be had: a volume that a server has is detached first",
            "は使えません。先にサーバーから切り離してください",
        )

    def work(remember: Remember) -> Answer:
        with edge.store.write() as tx:
            found = own_volume(tx, volume, view)
            answer = Answer({})
            delete(tx, found, Asker(who, edge.clock.now()), lambda _: remember(tx, answer))
        return answer

    with as_cinder_says():
        return view.retold(once.run(work, status=202), empty=True)


def _refuse(wanted: VolumeIn) -> None:
    """What can't be had of a new volume."""
    for name, en in _FILLED.items():
        if getattr(wanted, name) is not None:
            raise unsupported(
                "imageRef" if name == "image" else name,
                f"can't be had: {en}",
                f"は指定できません。{_FILLED_JA[name]}",
            )
    if wanted.volume_type not in (None, "", TYPE, "__DEFAULT__"):
        raise unsupported(
            "volume_type", f"is {TYPE}: there is one type", f"は {TYPE} だけです", status=404
        )
    if wanted.multiattach:
        raise unsupported(
            "multiattach",
            "can't be had: a disk has one writer",
            "は使えません。ディスクに書き込めるのは1台だけです",
        )
    if wanted.consistencygroup_id is not None:
        raise unsupported("consistencygroup_id", "can't be had", "は使えません")
