from __future__ import annotations

from typing import Any

from control_plane.model.access import Permission
from tests.openstack_api.needs.route import Route

_AT = "/openstack/regions/{region}/compute/v2.1"
_OF = f"{_AT}/servers/{{server}}"

OPEN: set[Route] = set()
FOR_ANYBODY: set[Route] = set()
NEEDS: dict[Route, Permission] = {
    # Each action needs its own beside.
    ("POST", f"{_OF}/action"): Permission.SERVERS_READ,
    ("POST", f"{_OF}/remote-consoles"): Permission.SERVERS_CONSOLE,
    ("GET", f"{_OF}/os-volume_attachments"): Permission.VOLUMES_READ,
    ("POST", f"{_OF}/os-volume_attachments"): Permission.VOLUMES_WRITE,
    ("GET", f"{_OF}/os-volume_attachments/{{volume}}"): Permission.VOLUMES_READ,
    ("DELETE", f"{_OF}/os-volume_attachments/{{volume}}"): Permission.VOLUMES_WRITE,
    ("GET", f"{_OF}/os-interface"): Permission.NETWORKS_READ,
    ("POST", f"{_OF}/os-interface"): Permission.NETWORKS_WRITE,
    ("GET", f"{_OF}/os-interface/{{port}}"): Permission.NETWORKS_READ,
    ("DELETE", f"{_OF}/os-interface/{{port}}"): Permission.NETWORKS_WRITE,
    ("GET", f"{_OF}/os-security-groups"): Permission.NETWORKS_READ,
    ("GET", f"{_OF}/os-instance-actions"): Permission.OPERATIONS_READ,
    ("GET", f"{_OF}/os-instance-actions/{{action}}"): Permission.OPERATIONS_READ,
    ("GET", f"{_AT}/os-keypairs"): Permission.SERVERS_READ,
    ("POST", f"{_AT}/os-keypairs"): Permission.SERVERS_WRITE,
    ("GET", f"{_AT}/os-keypairs/{{keypair}}"): Permission.SERVERS_READ,
    ("DELETE", f"{_AT}/os-keypairs/{{keypair}}"): Permission.SERVERS_WRITE,
    ("GET", f"{_AT}/os-server-groups"): Permission.SERVERS_READ,
    ("POST", f"{_AT}/os-server-groups"): Permission.SERVERS_WRITE,
    ("GET", f"{_AT}/os-server-groups/{{server_group}}"): Permission.SERVERS_READ,
    ("DELETE", f"{_AT}/os-server-groups/{{server_group}}"): Permission.SERVERS_WRITE,
}
BODIES: dict[Route, Any] = {
    ("POST", f"{_OF}/action"): {"reboot": {"type": "SOFT"}},
    ("POST", f"{_OF}/remote-consoles"): {"remote_console": {"protocol": "vnc", "type": "novnc"}},
    ("POST", f"{_OF}/os-volume_attachments"): {"volumeAttachment": {"volumeId": "zzzz-0000"}},
    ("POST", f"{_OF}/os-interface"): {"interfaceAttachment": {}},
    ("POST", f"{_AT}/os-keypairs"): {"keypair": {"name": "laptop"}},
    ("POST", f"{_AT}/os-server-groups"): {
        "server_group": {"name": "apart", "policies": ["anti-affinity"]}
    },
}
