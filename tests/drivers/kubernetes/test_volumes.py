"""Volumes on a real Kubernetes do what every platform's do, and nothing of ours stays beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.volumes_contract import GROUP, TENANT, VolumesContract
from tests.kubernetes_cluster import Cluster
from tests.kubernetes_group import KubernetesGroup

pytestmark = pytest.mark.hypervisor


@pytest.fixture(scope="session")
def group(kubernetes: Cluster, volume_agent_image: str) -> KubernetesGroup:
    return KubernetesGroup(kubernetes, TENANT, GROUP, volume_agent_image)


@pytest.fixture
def stage(group: KubernetesGroup) -> Iterator[KubernetesGroup]:
    yield group
    group.stop()
    group.until(lambda: not group.all_pods())


class TestKubernetesVolumes(VolumesContract):
    pass
