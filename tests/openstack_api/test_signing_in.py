"""Members' tools sign in with what Yui gave them."""

from __future__ import annotations

from tests.api.conftest import MIKASA
from tests.openstack_api.cloud import REGION, Cloud


def test_the_sdk_signs_in_and_finds_every_service_of_its_region(cloud: Cloud) -> None:
    with cloud.connection() as connection:
        assert connection.current_project_id == MIKASA
        catalogue = connection.session.auth.get_access(connection.session).service_catalog
        found = catalogue.get_endpoints_data(region_name=REGION)
    assert {"identity", "compute", "image", "network", "block-storage"} <= set(found)
    assert all(endpoint[0].url.startswith(cloud.url) for endpoint in found.values())
