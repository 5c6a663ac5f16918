"""Which microversions of Block Storage are spoken (Cinder's REST API version history)."""

from __future__ import annotations

from typing import Annotated

from tenants.openstack_api.microversions import Range, Version, asked_of
from tenants.openstack_api.services import Service

VOLUME_VERSIONS = Range(Service.VOLUME, "volume", Version(3, 0), Version(3, 0))
"""What came after 3.0 is about groups, clusters, backups and transfers, of which there are none here."""

Asked = Annotated[Version, asked_of(VOLUME_VERSIONS)]
"""The microversion that a request is made with."""
