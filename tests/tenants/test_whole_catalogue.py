"""All standard systems at once: members of every size have room, and what they take is known before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.admission import certify
from control_plane.http.principal import Principal
from control_plane.model.access import Role
from control_plane.model.blueprint import Blueprint, BlueprintServer, ContainerGroup
from control_plane.model.blueprint_set import Footprint, footprint, lacks, recovery_order
from control_plane.model.errors import YuiError
from control_plane.model.host_health import Cleaning
from control_plane.model.ids import BlueprintId, FlavorId, ImageId, RegionId
from control_plane.model.pool import Zone
from control_plane.model.tenant import MunicipalityCode, PopulationBand, Tenant, check_digit
from control_plane.model.units import GiB, MiB, Resources, Seconds, VCpu
from control_plane.placement import check
from control_plane.pool.description import apply_description
from control_plane.pool_file import parse
from control_plane.store import Store
from tenants.asked import JoinRequest
from tenants.catalogue import STANDARD_BLUEPRINTS, Catalogue, load_catalogue
from tenants.onboarding import Onboarding
from tenants.register import MemberRegister
from tests.api.conftest import NOW, TINY

OPERATOR = Principal("test", "operator", Role.OPERATOR, None)
REGION = RegionId("kyoto")
POOL = """\
regions: [{id: kyoto, name: 京都, promised: [host], prefectures: [京都府]}]
sites:
  - id: kyoto-dc
    region: kyoto
    name: 京都センター
    guest_network: 10.64.0.0/22
    storage_pools: [{id: kyoto-pool, capacity: 65536 GiB, path: /srv/yui/kyoto}]
hosts:
""" + "".join(
    f"  - {{id: kyoto-{number}, site: kyoto-dc, vcpus: 32, overcommit: 4.0, memory: 256 GiB,"
    f" reserved_memory: 8 GiB, storage: [kyoto-pool]}}\n"
    for number in range(1, 7)
)
FLAVORS = """\
flavors:
  - {id: m1.small, vcpus: 1, memory: 2 GiB, disk: 20 GiB}
  - {id: m1.medium, vcpus: 2, memory: 4 GiB, disk: 40 GiB}
  - {id: m1.large, vcpus: 4, memory: 8 GiB, disk: 80 GiB}
  - {id: m1.xlarge, vcpus: 8, memory: 16 GiB, disk: 160 GiB}
"""


def member(number: int, population: int) -> Tenant:
    first_five = f"26{number:03d}"
    code = MunicipalityCode(f"{first_five}{check_digit(first_five)}")
    return Tenant(code, f"第{number}市", "だいし", "京都府", population)


ONE_OF_EACH_BAND = [member(1, 8_000), member(2, 77_000), member(3, 179_000), member(4, 410_000)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Six hosts of 32 threads and 256 GiB that are well."""
    store = Store.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.write() as tx:
        description = parse(POOL + FLAVORS, "pool.yaml")
        apply_description(tx, description, OPERATOR, NOW, lambda _: None)
        for host in tx.hosts():
            assert isinstance(host.health, Cleaning)
            tx.save_host(replace(host, health=host.health.cleaned(NOW)))
        tx.put_image(TINY)
    yield store
    store.close()


def onboarding(store: Store, catalogue: Catalogue) -> Onboarding:
    return Onboarding(
        store, catalogue, MemberRegister({each.code: each for each in ONE_OF_EACH_BAND})
    )


@pytest.mark.long
def test_members_of_the_four_bands_run_the_whole_catalogue_with_the_promise_kept(
    store: Store,
) -> None:
    catalogue = load_catalogue(STANDARD_BLUEPRINTS)
    everything = tuple(blueprint.id for blueprint in catalogue.newest())
    assert len(everything) >= 26
    for tenant in ONE_OF_EACH_BAND:
        joined = onboarding(store, catalogue).join(
            JoinRequest(tenant.code.text, everything), OPERATOR, NOW
        )
        assert joined.lacks == ()
    with store.read() as tx:
        flavors = {flavor.id: flavor for flavor in tx.flavors()}
        assert check(tx.ledger(REGION)) == ()
        servers = tx.servers()
        taken = {
            tenant.band: sum(
                (Footprint(1, s.size, s.disk) for s in tx.servers(tenant.code)), Footprint()
            )
            for tenant in ONE_OF_EACH_BAND
        }
    foretold = {
        band: sum((footprint(b, band, flavors) for b in catalogue.newest()), Footprint())
        for band in PopulationBand
    }
    assert taken == foretold
    assert len(servers) == 4 * sum(len(blueprint.servers) for blueprint in catalogue.newest())
    lease = store.acquire_lease("test", "test", Seconds(60), NOW)
    assert lease is not None
    assert certify(store, REGION, lease).uncovered == ()
    sizes = [foretold[band].size.memory for band in PopulationBand]
    assert sizes == sorted(set(sizes)), "a larger town takes more"


def test_a_system_that_is_chosen_without_what_it_needs_is_warned_of_and_joins(store: Store) -> None:
    joined = onboarding(store, load_catalogue(STANDARD_BLUEPRINTS)).join(
        JoinRequest(
            ONE_OF_EACH_BAND[0].code.text,
            (BlueprintId("disaster-victims"), BlueprintId("seal-registration")),
        ),
        OPERATOR,
        NOW,
        dry_run=True,
    )
    assert [(lack.blueprint.id, lack.missing, lack.needed) for lack in joined.lacks] == [
        ("seal-registration", "resident-records", True),
        ("disaster-victims", "resident-records", False),
        ("disaster-victims", "property-tax", False),
        ("disaster-victims", "integrated-gis", False),
    ]


def blueprint(id: str, tier: int = 0, *needs: str) -> Blueprint:
    server = BlueprintServer(
        "application", ImageId("tiny"), 0, dict.fromkeys(PopulationBand, FlavorId("m1.small"))
    )
    return Blueprint(
        BlueprintId(id),
        1,
        id,
        id,
        tier,
        Zone.LGWAN,
        (server,),
        needs=tuple(map(BlueprintId, needs)),
    )


def test_a_blueprint_with_container_groups_can_be_shown_and_not_joined(store: Store) -> None:
    group = ContainerGroup(
        "web",
        "registry.example/web:1",
        0,
        dict.fromkeys(PopulationBand, 2),
        dict.fromkeys(PopulationBand, FlavorId("m1.small")),
    )
    modern = replace(blueprint("modern"), container_groups=(group,))
    assert modern.start_sequence == (("application", "web"),)
    with pytest.raises(YuiError) as refused:
        onboarding(store, Catalogue({modern.id: {1: modern}})).join(
            JoinRequest(ONE_OF_EACH_BAND[0].code.text, (modern.id,)), OPERATOR, NOW
        )
    assert refused.value.type == "container-groups-not-runnable"
    assert "modern runs web as container groups" in refused.value.en
    with store.read() as tx:
        assert tx.tenants() == ()


def test_within_a_tier_what_is_needed_comes_first_and_a_circle_holds_nothing_up() -> None:
    a, b, c = blueprint("a", 1, "c"), blueprint("b", 0, "a"), blueprint("c", 1)
    assert [each.id for each in recovery_order([a, b, c])] == ["b", "c", "a"]
    left, right = blueprint("left", 0, "right"), blueprint("right", 0, "left")
    assert len(recovery_order([left, right])) == 2


IDS = st.sampled_from("abcdef")


@given(st.dictionaries(IDS, st.tuples(st.integers(0, 2), st.sets(IDS))))
def test_the_order_of_recovery_keeps_tiers_and_loses_nobody(
    drawn: dict[str, tuple[int, set[str]]],
) -> None:
    blueprints = [blueprint(id, tier, *needs) for id, (tier, needs) in drawn.items()]
    ordered = recovery_order(blueprints)
    assert sorted(b.id for b in ordered) == sorted(drawn)
    assert [b.tier for b in ordered] == sorted(b.tier for b in blueprints)
    for lack in lacks(blueprints):
        assert lack.missing not in drawn


def test_what_a_blueprint_takes_is_the_sum_of_its_servers() -> None:
    catalogue = load_catalogue(STANDARD_BLUEPRINTS)
    description = parse(POOL + FLAVORS, "pool.yaml")
    flavors = {flavor.id: flavor for flavor in description.flavors}
    records = catalogue.blueprint(BlueprintId("resident-records"))
    assert footprint(records, PopulationBand.FROM_50K, flavors) == Footprint(
        2, Resources(VCpu(4), MiB(8192)), GiB(80)
    )
