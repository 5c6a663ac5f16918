"""A control plane that trusts a real, small identity provider."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from control_plane.access.identity_providers import IdentityProviders
from control_plane.access.provider_keys import ProviderKeys
from control_plane.access.provider_settings import Provider
from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.model.membership import ApprovalRule
from control_plane.model.units import Seconds
from control_plane.store import Store
from tenants.register import MemberRegister
from tests.access.issuer import AUDIENCE, Issuer, new_key
from tests.api.conftest import MEMBERS, MIKASA, QUICKLY, Api, Prepared, prepared, standard_catalogue
from tests.api.in_process import InProcess

__all__ = ["prepared"]


@dataclass
class Clock:
    """Time as the provider tells it, which a test may move."""

    ahead: timedelta = timedelta(0)
    monotonic_seconds: float = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> Seconds:
        return Seconds(self.monotonic_seconds)


@dataclass
class SignedIn:
    api: Api
    issuer: Issuer
    clock: Clock
    keys: ProviderKeys

    def me(self, token: str, **headers: str) -> httpx.Response:
        return self.api.client.get(
            "/v1/me", headers={"Authorization": f"Bearer {token}", **headers}
        )

    def add_user(self, **more: Any) -> dict[str, Any]:
        body = {
            "issuer": self.issuer.url,
            "subject": "sato",
            "name": "佐藤 花子",
            "role": "member-admin",
            "tenant": MIKASA,
            **more,
        }
        answer = self.api.post("/v1/users", json={k: v for k, v in body.items() if v is not None})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer([new_key("first")])
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture
def provider_settings() -> dict[str, Any]:
    """A test module says here what its provider is set to."""
    return {}


@pytest.fixture
def signed_in(
    prepared: Prepared, tmp_path: Path, issuer: Issuer, provider_settings: dict[str, Any]
) -> Iterator[SignedIn]:
    """三笠市 is a member; nobody is a user yet."""
    shutil.copy(prepared.state_file, tmp_path / "state.db")
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    clock = Clock()
    provider = Provider(
        issuer=issuer.url,
        audience=AUDIENCE,
        client_id="yui-cli",
        algorithms=("RS256", "ES256", "EdDSA"),
        **provider_settings,
    )
    providers = IdentityProviders.of([provider], clock.now, clock.monotonic)
    try:
        app = create_app(
            store,
            SimulatedWorld(),
            Options(
                catalogue=standard_catalogue(),
                register=MemberRegister({member.code: member for member in MEMBERS}),
                look_every=Seconds(0.02),
                providers=providers,
                approval=ApprovalRule.ONE_PERSON,
                token_cost=QUICKLY,
            ),
        )
        with InProcess(app) as client:
            api = Api(app, store, SimulatedWorld(), tmp_path / "state.db", client, prepared.token)
            api.join(MIKASA)
            yield SignedIn(api, issuer, clock, providers.keys[issuer.url])
    finally:
        store.close()
