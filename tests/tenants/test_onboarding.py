"""Joining as the service behind the API does it: draws, blueprints of other shapes, the real register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.addressing import mac_of
from control_plane.model.blueprint import Blueprint, BlueprintServer
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Cleaning
from control_plane.model.ids import BlueprintId, FlavorId, ImageId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, PopulationBand, Tenant
from control_plane.model.workload import Placed
from control_plane.pool.description import apply_description
from control_plane.pool_file import from_json
from control_plane.store import Store
from tenants.asked import JoinRequest
from tenants.catalogue import Catalogue
from tenants.onboarding import Onboarding
from tenants.register import MemberRegister, load_register
from tests.api.conftest import NOW, TINY, pool

OPERATOR = Principal("test", "operator", Role.OPERATOR, None)
MIKASA = Tenant(MunicipalityCode("012220"), "三笠市", "みかさし", "北海道", 8_040)
TRIAL_REGISTER = Path(__file__).parents[2] / "examples" / "trial" / "members.csv"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two regions of three hosts that are well."""
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.write() as tx:
        apply_description(tx, from_json(pool()), OPERATOR, NOW, lambda _: None)
        for host in tx.hosts():
            assert isinstance(host.health, Cleaning)
            tx.save_host(replace(host, health=host.health.cleaned(NOW)))
        tx.put_image(TINY)
    yield store
    store.close()


def twin_blueprint(copies: int) -> Blueprint:
    """Servers that stand in for each other, so that no two may share a host."""
    return Blueprint(
        BlueprintId("twins"),
        1,
        "双子",
        "Twins",
        1,
        Zone.LGWAN,
        tuple(
            BlueprintServer(
                f"web-{number}",
                ImageId("tiny"),
                0,
                dict.fromkeys(PopulationBand, FlavorId("m1.small")),
                anti_affinity="web",
            )
            for number in range(copies)
        ),
    )


def onboarding(store: Store, *blueprints: Blueprint) -> Onboarding:
    numbers = count()
    return Onboarding(
        store,
        Catalogue({blueprint.id: {blueprint.version: blueprint} for blueprint in blueprints}),
        MemberRegister({MIKASA.code: MIKASA}),
        draw=lambda length: f"{next(numbers):0{length}d}",
    )


def test_servers_that_stand_in_for_each_other_never_share_a_host(store: Store) -> None:
    joined = onboarding(store, twin_blueprint(2)).join(
        JoinRequest("012220", (BlueprintId("twins"),)), OPERATOR, NOW
    )
    hosts = [server.placement for server in joined.servers]
    assert all(isinstance(placement, Placed) for placement in hosts)
    assert len(set(hosts)) == 2
    for server in joined.servers:
        (refuge,) = [host for (_, id), host in joined.refuges.items() if id == server.id]
        assert refuge not in [p.host for p in hosts if isinstance(p, Placed)]


def test_three_that_must_stay_apart_do_not_fit_on_three_hosts_of_which_one_may_die(
    store: Store,
) -> None:
    with pytest.raises(YuiError) as caught:
        onboarding(store, twin_blueprint(3)).join(
            JoinRequest("012220", (BlueprintId("twins"),)), OPERATOR, NOW
        )
    assert caught.value.type == "no-room"
    with store.read() as tx:
        assert tx.tenants() == tx.systems() == tx.servers() == tx.operations() == ()


def test_what_is_drawn_names_the_servers_so_a_story_can_fix_it(store: Store) -> None:
    joined = onboarding(store, twin_blueprint(1)).join(
        JoinRequest("012220", (BlueprintId("twins"),)), OPERATOR, NOW
    )
    assert joined.operation.id == "op-0000000000000000"
    assert [server.id for server in joined.servers] == ["m012220-twins-web-0-00000001"]


def test_the_register_of_the_trial_holds_its_78_members() -> None:
    register = load_register(TRIAL_REGISTER)
    assert len(register.members) == 78
    by_prefecture: dict[str, int] = {}
    for member in register.members.values():
        by_prefecture[member.prefecture] = by_prefecture.get(member.prefecture, 0) + 1
    assert by_prefecture == {
        "北海道": 29,
        "京都府": 25,
        "徳島県": 8,
        "佐賀県": 6,
        "大分県": 5,
        "宮崎県": 5,
    }
    assert register.tenant(MunicipalityCode("012220")).name == "三笠市"


@pytest.mark.long
@given(st.lists(st.from_regex(r"\Am[0-9]{6}-[a-z-]{1,20}-[a-z2-7]{8}\Z"), unique=True))
def test_a_hardware_address_is_local_to_one_server_and_steady(ids: list[str]) -> None:
    addresses = [mac_of(server_id) for server_id in ids]
    assert addresses == [mac_of(server_id) for server_id in ids]
    assert len(set(addresses)) == len(ids)
    for address in addresses:
        octets = bytes.fromhex(address.replace(":", ""))
        assert len(octets) == 6
        assert octets[0] & 0b11 == 0b10, "locally administered, for one card"
        assert octets[0] != 0xFE
