"""The API with two members, and places for their backups."""

from __future__ import annotations

import pytest

from tests.api.backups import add_places
from tests.api.conftest import MIKASA, UJI, Api, api, prepared

__all__ = ["api", "prepared"]


@pytest.fixture
def towns(api: Api) -> Api:
    api.join(MIKASA)
    api.join(UJI)
    with api.store.write() as tx:
        add_places(tx)
    return api
