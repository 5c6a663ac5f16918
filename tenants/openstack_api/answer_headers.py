"""What every answer carries besides what it says: its request's id, and the microversion that it is for.

As the services do it themselves: what answers before a service is reached (a stranger's 401, a path that
there isn't) says no version; what the service says, errors too, tells the one that was asked for, even one
that it refuses, and none where it can't be read (nova.api.openstack.wsgi, cinder.api.openstack.wsgi).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Scope

from tenants.openstack_api.compute.versions import COMPUTE_VERSIONS
from tenants.openstack_api.microversions import Range
from tenants.openstack_api.services import Service, in_region, service_of
from tenants.openstack_api.volume.versions import VOLUME_VERSIONS

_RANGES: Mapping[Service, Range] = {
    each.service: each for each in (COMPUTE_VERSIONS, VOLUME_VERSIONS)
}
_UNVERSIONED = in_region(Service.COMPUTE)
"""Nova's document of all versions is under none of them; Cinder's is."""


def mark(headers: MutableHeaders, scope: Scope) -> None:
    """Adds to the `headers` of the answer to the request of `scope`. Doing it again changes nothing."""
    service = service_of(scope["path"])
    request_id = f"req-{scope['state'].get('request_id', '')}"
    headers["X-OpenStack-Request-Id"] = request_id
    if service is Service.IDENTITY:
        _vary(headers, ("X-Auth-Token",))
    versions = _RANGES.get(service) if service is not None else None
    if versions is None:
        return
    headers["X-Compute-Request-Id"] = request_id
    path = getattr(scope.get("route"), "path", None)
    if path is not None and path != _UNVERSIONED:
        told = versions.told(Headers(scope=scope))
        headers.update(told)
        _vary(headers, told)


def _vary(headers: MutableHeaders, names: Iterable[str]) -> None:
    said = [each.strip() for each in headers.get("vary", "").split(",") if each.strip()]
    known = {each.lower() for each in said}
    said += [name for name in names if name.lower() not in known]
    if said:
        headers["Vary"] = ", ".join(said)
