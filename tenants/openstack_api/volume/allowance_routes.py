"""How much of disk a member may have, in Cinder's words. It counts servers' own disks and snapshots too, since
they are all of one quota."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Response

from control_plane.http.auth import needs
from control_plane.http.edge import AtHand
from control_plane.http.principal import Principal
from control_plane.http.refusals import audited
from control_plane.model.access import Permission
from control_plane.model.errors import YuiError
from control_plane.store import Snapshot, not_found
from tenants.openstack_api.volume.both_paths import Routes
from tenants.openstack_api.volume.view import Json, View, VolumeView
from tenants.volumes.models import LARGEST

routes = Routes()

Reader = Annotated[Principal, needs(Permission.QUOTAS_READ)]
Setter = Annotated[Principal, needs(Permission.QUOTAS_WRITE)]
Whose = Annotated[str, Path(max_length=64, description="The member's own code, and no other.")]

_UNLIMITED = -1
_QUOTA = "/os-quota-sets/{project_id}"


@routes.get("/limits")
async def read_limits(_: Reader, view: View, edge: AtHand) -> Response:
    """How much of disk the member may have here and how much of it is used; -1 where there is no limit."""
    counts = await edge.look(lambda tx: _counts(tx, view))
    (most_gib, used_gib), (most, used) = counts["gigabytes"], counts["volumes"]
    absolute = {
        "maxTotalVolumes": most,
        "maxTotalVolumeGigabytes": most_gib,
        "maxTotalSnapshots": 0,
        "maxTotalBackups": 0,
        "maxTotalBackupGigabytes": 0,
        "totalVolumesUsed": used,
        "totalGigabytesUsed": used_gib,
        "totalSnapshotsUsed": 0,
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return view.told({"limits": {"rate": [], "absolute": absolute}})


@routes.get(_QUOTA)
async def read_quota(
    project_id: Whose,
    _: Reader,
    view: View,
    edge: AtHand,
    *,
    usage: Annotated[str, Query(max_length=5)] = "false",
) -> Response:
    """The member's quota of disk in the region, with what is used of it where `usage` asks."""
    _need_own(view, project_id)
    counts = await edge.look(lambda tx: _counts(tx, view))
    if usage.lower() in ("true", "1"):
        told: Json = {
            name: {"limit": most, "in_use": used, "reserved": 0}
            for name, (most, used) in counts.items()
        }
    else:
        told = {name: most for name, (most, _used) in counts.items()}
    return view.told({"quota_set": {"id": view.tenant.text, **told}})


@routes.get(_QUOTA + "/defaults")
async def read_default_quota(project_id: Whose, _: Reader, view: View, edge: AtHand) -> Response:
    """What a member has where nobody has set anything: no limit."""
    _need_own(view, project_id)
    counts = await edge.look(lambda tx: _counts(tx, view))
    told: Json = {name: most for name, (most, _used) in counts.items()}
    told["gigabytes"] = _UNLIMITED
    return view.told({"quota_set": {"id": view.tenant.text, **told}})


@routes.put(_QUOTA)
@audited("quota.set", "member")
def set_quota(project_id: Whose, _: Setter, view: View) -> Response:
    """Refused: operators and approvers set quotas, through `/v1/members/{code}/quota`."""
    _need_own(view, project_id)
    raise _NOT_HERE


def _counts(tx: Snapshot, view: VolumeView) -> dict[str, tuple[int, int]]:
    """The limit and what is used of it, by the names of `os-quota-sets`."""
    allotment, used = tx.allotment(view.tenant, view.region), tx.used_by(view.tenant, view.region)
    return {
        "volumes": (_UNLIMITED, len(tx.volumes(view.tenant, region=view.region))),
        "gigabytes": (_UNLIMITED if allotment is None else allotment.quota.disk, used.disk),
        "per_volume_gigabytes": (LARGEST, 0),
        "snapshots": (0, 0),
        "backups": (0, 0),
        "backup_gigabytes": (0, 0),
        "groups": (0, 0),
    }


def _need_own(view: VolumeView, project: str) -> None:
    if project != view.tenant.text:
        raise not_found("tenant", project)


_NOT_HERE = YuiError(
    "quota-not-set-here",
    en="Quotas are set by the consortium's operators and approvers through /v1/members/{code}/quota.",
    ja="クォータは運用担当者または承認者が /v1/members/{code}/quota で設定します。",
    status=403,
)
