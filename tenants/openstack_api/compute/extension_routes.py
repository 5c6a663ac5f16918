"""Extensions: by their old names, what of Compute is there."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from control_plane.http.auth import Whoever
from control_plane.model.errors import YuiError
from tenants.openstack_api.compute.bodies import told
from tenants.openstack_api.compute.server_view import View
from tenants.openstack_api.services import Service, in_region

router = APIRouter(prefix=in_region(Service.COMPUTE) + "/v2.1", tags=["openstack compute"])

_UPDATED = "2014-12-03T00:00:00Z"
"""As Nova dates all of them."""

_THERE = {
    "OS-DCF": ("DiskConfig", "Disk Management Extension."),
    "OS-EXT-AZ": ("ExtendedAvailabilityZone", "Extended Availability Zone support."),
    "OS-EXT-IPS": ("ExtendedIps", "Adds type parameter to the ip list."),
    "OS-EXT-IPS-MAC": ("ExtendedIpsMac", "Adds mac address parameter to the ip list."),
    "OS-EXT-STS": ("ExtendedStatus", "Extended Status support."),
    "OS-SCH-HNT": ("SchedulerHints", "Pass arbitrary key/value pairs to the scheduler."),
    "OS-SRV-USG": ("ServerUsage", "Adds launched_at and terminated_at on Servers."),
    "os-availability-zone": ("AvailabilityZone", "Availability zones of servers."),
    "os-console-output": ("ConsoleOutput", "Console log output support, with tailing ability."),
    "os-extended-volumes": ("ExtendedVolumes", "Extended Volumes support."),
    "os-flavor-extra-specs": ("FlavorExtraSpecs", "Flavors extra specs support."),
    "os-keypairs": ("Keypairs", "Keypair Support."),
    "os-multiple-create": ("MultipleCreate", "Allow multiple create."),
    "os-quota-sets": ("Quotas", "Quotas management support."),
    "os-security-groups": ("SecurityGroups", "Security group support."),
    "os-server-groups": ("ServerGroups", "Server group support."),
    "os-shelve": ("Shelve", "Instance shelve mode."),
    "os-used-limits": ("UsedLimits", "Provide data on limited resource being used."),
    "os-user-data": ("UserData", "Add user_data to the Create Server API."),
    "os-volume-attachment-update": ("VolumeAttachments", "Attaching volumes to servers."),
}


def _extension(alias: str) -> dict[str, Any]:
    name, description = _THERE[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": _UPDATED,
        "links": [],
    }


@router.get("/extensions")
async def read_extensions(_: Whoever, _view: View) -> Response:
    """What is there, by the names that extensions had."""
    return told({"extensions": [_extension(alias) for alias in _THERE]})


@router.get("/extensions/{alias}")
async def read_extension(
    alias: Annotated[str, Path(max_length=64)], _: Whoever, _view: View
) -> Response:
    """One of them."""
    if alias not in _THERE:
        raise YuiError(
            "extension-unknown",
            en="There is no such extension here: list those that there are.",
            ja="その拡張はありません。一覧で確認してください。",
            status=404,
        )
    return told({"extension": _extension(alias)})
