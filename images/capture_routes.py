"""Images out of servers over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response

from control_plane.http.auth import needs, permission_missing
from control_plane.http.bounds import Name
from control_plane.http.edge import AtHand, DryRun
from control_plane.http.idempotency import Once, Remember
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.journal.models import OperationOut
from control_plane.journal.operations import operation_out
from control_plane.model.access import Permission
from control_plane.pool.certificate_change import certificate_change
from control_plane.pool.plan import ChangePlan, Cost, added
from control_plane.store import Transaction
from images.at_hand import Folder
from images.captures import Captured, CaptureRequest, capture
from images.models import CaptureIn

router = APIRouter(prefix="/v1", tags=["images"])

_REHEARSED: dict[int | str, dict[str, Any]] = {
    200: {"model": ChangePlan, "description": "What it would do, asked for with dry_run."}
}


@router.post(
    "/servers/{server}/image",
    status_code=202,
    response_model=OperationOut,
    responses=_REHEARSED,
)
@audited("image.from-server", "server")
def make_image(
    server: Name,
    body: CaptureIn,
    who: Annotated[Principal, needs(Permission.VOLUMES_WRITE)],
    edge: AtHand,
    folder: Folder,
    *,
    once: Once,
    dry_run: DryRun = False,
) -> Response:
    """Make an image of one's own out of the server's root disk as it is now, whether it runs or not. A
    copy of the disk counts as disk until the image is there; the operation names the image."""
    request = CaptureRequest(
        server, body.name, body.version, tuple(sorted(body.properties.items()))
    )
    need_both(who)

    def rehearse(_: Remember) -> ChangePlan:
        asked = capture(
            edge.store, folder, request, who, edge.clock.now(), keep=lambda *_: None, dry_run=True
        )
        shown = {"version": asked.upload.version, "server": asked.snapshot.server_name}
        return ChangePlan(
            diff=[added(f"/images/{asked.upload.name}", shown)],
            certificate=certificate_change(asked.ledger, None),
            capacity=Cost(vcpus=0, memory_mib=0, disk_gib=asked.snapshot.size),
        )

    def work(remember: Remember) -> OperationOut:
        def keep(tx: Transaction, asked: Captured) -> None:
            remember(tx, operation_out(asked.operation))

        asked = capture(edge.store, folder, request, who, edge.clock.now(), keep=keep)
        return operation_out(asked.operation)

    return once.run(rehearse) if dry_run else once.run(work, status=202, headers=_location)


def need_both(who: Principal) -> None:
    """Copying disks, and keeping images. Raises `permission-missing`."""
    if not who.may(Permission.IMAGES_WRITE):
        raise permission_missing(Permission.IMAGES_WRITE)


def _location(body: Mapping[str, Any]) -> Mapping[str, str]:
    return {"Location": f"/v1/operations/{body['id']}"}
