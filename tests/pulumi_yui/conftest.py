from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from tests.api.conftest import prepared
from tests.openstack_api.cloud import Cloud
from tests.openstack_api.conftest import cloud
from tests.pulumi_yui.engine import Engine, dynamic_provider

__all__ = ["cloud", "prepared"]


@pytest.fixture(scope="module")
def token_file(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("vendor") / "token"
    file.write_text(cloud.account().token + "\n")
    file.chmod(0o600)
    return file


@pytest.fixture(scope="module")
def plugin(cloud: Cloud, token_file: Path) -> Iterator[ResourceProviderStub]:
    at = {"YUI_URL": cloud.url, "YUI_TOKEN_FILE": str(token_file)}
    with dynamic_provider(at) as plugin:
        yield plugin


@pytest.fixture
def engine(plugin: ResourceProviderStub) -> Engine:
    """With nothing in its state."""
    return Engine(plugin)


@pytest.fixture(scope="module")
def repositories(cloud: Cloud) -> None:
    """One in each region: a policy needs a place for its copies."""
    for id, region, prefecture in (("hill", "hokkaido", "北海道"), ("valley", "kyoto", "京都府")):
        where = {"region": region, "prefecture": prefecture, "place": f"s3://{id}/yui"}
        body = {"id": id, "name": id, "key_ref": "env:YUI_KEY", **where}
        added = cloud.ask("POST", "/v1/repositories", json=body)
        assert added.status_code == 201, added.text
