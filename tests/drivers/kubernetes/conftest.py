"""One Kubernetes for the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes_cluster import Cluster, NoKubernetes, agent_image, running_kubernetes


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        with running_kubernetes() as cluster:
            yield cluster
    except NoKubernetes as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    try:
        return agent_image(cluster)
    except NoKubernetes as error:
        pytest.skip(str(error))
