"""The page of what the OpenStack-compatible API supports, made from its routes: `docs/openstack-api.md`.

`python -m tenants.openstack_api.supported_page` writes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path

from fastapi.routing import APIRoute

from tenants.openstack_api.absent import ABSENT
from tenants.openstack_api.compute.versions import COMPUTE_VERSIONS
from tenants.openstack_api.routers import ROUTERS
from tenants.openstack_api.services import PREFIX, Service, service_of
from tenants.openstack_api.volume.versions import VOLUME_VERSIONS

FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "openstack-api.md"

_TITLES = {
    Service.IDENTITY: "Identity v3",
    Service.COMPUTE: f"Compute v2.1, microversions {COMPUTE_VERSIONS.least} to {COMPUTE_VERSIONS.most}",
    Service.IMAGE: "Image v2",
    Service.NETWORK: "Network v2.0",
    Service.VOLUME: f"Block Storage v3, microversion {VOLUME_VERSIONS.most}",
}
_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_HEAD = """# The OpenStack-compatible API: what is there and what isn't

Made from the routes by `python -m tenants.openstack_api.supported_page`; `docs/openstack.md` tells how to use them. A
project is a member, its id and name the municipality code. Below `/openstack/regions/<region>/` each region has its own
compute, image, network and block storage. What is not in these tables answers 404 or 405 in the service's own shape;
what a request asks for and can't be had is refused with 400 and a sentence, never passed over in silence. Identity answers
HEAD wherever it answers GET. The documents of versions, but for those of Network v2.0 and Block Storage v3, need no token.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD.rstrip()
    routes: dict[Service, list[tuple[str, str, str]]] = defaultdict(list)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                service = service_of(route.path) or Service.IDENTITY
                methods = sorted((route.methods or set()) - {"HEAD"}, key=_ORDER.index)
                routes[service] += [(_below(route.path), each, _what(route)) for each in methods]
    for service, title in _TITLES.items():
        yield from ("", f"## {title}", "", "| | path | |", "| --- | --- | --- |")
        for path, method, what in sorted(routes[service], key=_by_path):
            yield f"| {method} | `{path}` | {what} |"
        absent = [each for each in ABSENT if each.service is service]
        if absent:
            yield from ("", "Not there:", "", "| | in its place |", "| --- | --- |")
            for each in absent:
                yield f"| {each.what} (`{each.path}`) | {each.instead} |"


def _by_path(row: tuple[str, str, str]) -> tuple[str, int]:
    return row[0], _ORDER.index(row[1])


def _below(path: str) -> str:
    """Without what every path of the service begins with."""
    parts = path.removeprefix(f"{PREFIX}/").split("/")
    return "/" + "/".join(parts[3:] if parts[0] == "regions" else parts[1:])


def _what(route: APIRoute) -> str:
    """The first sentence of its docstring."""
    text = " ".join((getdoc(route.endpoint) or "").split())
    return text.partition(". ")[0].rstrip(".").replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
