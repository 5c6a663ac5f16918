from tests.api.conftest import prepared
from tests.openstack_api.conftest import cloud

__all__ = ["cloud", "prepared"]
