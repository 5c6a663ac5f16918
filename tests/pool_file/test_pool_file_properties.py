"""What holds of every description and of every text."""

import json
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_plane.model.errors import YuiError
from control_plane.model.ids import FlavorId, HostId, RegionId, SiteId, StoragePoolId
from control_plane.model.pool import (
    DomainKind,
    Endpoint,
    Policy,
    Region,
    Site,
    StoragePool,
    Zone,
)
from control_plane.model.units import GiB, MiB, Resources, VCpu
from control_plane.model.workload import Flavor
from control_plane.pool_file import (
    ChangeKind,
    HostDescription,
    PoolDescription,
    compare,
    from_json,
    parse,
    to_json,
    to_yaml,
)
from tests.thoroughness import examples

names = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20).map(
    lambda text: unicodedata.normalize("NFC", text)
)
labels = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
memories = st.integers(1, 2**21).map(MiB)
disks = st.integers(1, 2**20).map(GiB)
vcpus = st.integers(1, 4096).map(VCpu)


@st.composite
def endpoints(draw, number, name, *, apart):
    if apart:
        bridge = draw(st.sampled_from(["s{segment}", "br-{segment}"]))
        return Endpoint(
            "simulated",
            f"simulated://{name}",
            bridge=bridge,
            **draw(
                st.sampled_from(
                    [{"tunnel_address": f"10.9.{number}.1"}, {"migration_host": f"10.9.{number}.1"}]
                )
            ),
        )
    if draw(st.booleans()):
        return Endpoint(
            "simulated", draw(st.sampled_from(["simulated://x", f"simulated://{name}"]))
        )
    has_bmc = draw(st.booleans())
    scheme = draw(st.sampled_from(["qemu+tls", "qemu+tcp", "qemu+ssh"]))
    return Endpoint(
        driver="libvirt",
        uri=f"{scheme}://10.0.{number}.1/system",
        migration_host=draw(st.sampled_from(["", "host.example", "10.0.0.1"])),
        bridge=draw(st.sampled_from(["", "br0", "br-{zone}"])),
        bmc_url=f"{draw(st.sampled_from(['http', 'https']))}://10.1.{number}.1"
        if has_bmc
        else None,
        bmc_system=draw(st.sampled_from([None, "1", "437XR1138R2"])) if has_bmc else None,
        bmc_user=draw(st.sampled_from([None, "yui"])) if has_bmc else None,
        bmc_password_ref=draw(st.sampled_from([None, "file:/etc/yui/bmc", "env:BMC"]))
        if has_bmc
        else None,
        lease_path=draw(st.sampled_from([None, f"/srv/leases/{number}"])),
    )


@st.composite
def descriptions(draw):
    prefectures = iter(["京都府", "佐賀県", "北海道", "徳島県"])
    regions, sites, hosts = [], [], []
    for r in range(draw(st.integers(0, 2))):
        promised = draw(st.frozensets(st.sampled_from(DomainKind))) | {DomainKind.HOST}
        regions.append(
            Region(
                RegionId(f"r{r}"),
                draw(names),
                frozenset([next(prefectures)] if draw(st.booleans()) else []),
                draw(st.sampled_from(Policy)),
                promised,
            )
        )
        for s in range(draw(st.integers(1, 2))):
            pools = tuple(
                StoragePool(StoragePoolId(f"p{r}{s}{n}"), draw(disks), f"/srv/{draw(labels)}{n}")
                for n in range(draw(st.integers(1, 2)))
            )
            network = f"10.{r}.{s}.0/24"
            gateway = draw(st.sampled_from([None, f"10.{r}.{s}.1"]))
            apart = draw(st.booleans())
            site = Site(
                SiteId(f"s{r}{s}"),
                RegionId(f"r{r}"),
                draw(names),
                network,
                gateway,
                pools,
                draw(st.integers(24, 29)) if apart else None,
            )
            sites.append(site)
            for h in range(draw(st.integers(0, 2))):
                racks = labels if DomainKind.RACK in promised else st.none() | labels
                feeds = labels if DomainKind.POWER in promised else st.none() | labels
                hosts.append(
                    HostDescription(
                        HostId(f"h{r}{s}{h}"),
                        site.id,
                        site.region,
                        Resources(draw(vcpus), draw(memories)),
                        draw(st.frozensets(st.sampled_from(Zone), min_size=1)),
                        draw(st.frozensets(st.sampled_from([p.id for p in pools]), min_size=1)),
                        draw(endpoints(len(hosts), f"h{r}{s}{h}", apart=apart)),
                        draw(st.frozensets(labels, max_size=2)),
                        draw(racks),
                        draw(feeds),
                        draw(st.frozensets(labels, max_size=2)),
                    )
                )
    flavors = tuple(
        Flavor(FlavorId(f"m1.f{n}"), Resources(draw(vcpus), draw(memories)), draw(disks))
        for n in range(draw(st.integers(0, 3)))
    )
    return PoolDescription(tuple(regions), tuple(sites), tuple(hosts), flavors)


@pytest.mark.long
@given(descriptions())
@settings(deadline=None)
def test_what_is_written_reads_back_equal(description):
    assert parse(to_yaml(description), "pool.yaml") == description
    assert from_json(json.loads(json.dumps(to_json(description)))) == description


@given(descriptions(), descriptions())
@settings(deadline=None, max_examples=examples(25))
def test_a_difference_names_exactly_what_was_added_and_removed(before, after):
    assert compare(before, before) == ()
    changes = compare(before, after)
    old = {("host", h.id) for h in before.hosts} | {("flavor", f.id) for f in before.flavors}
    new = {("host", h.id) for h in after.hosts} | {("flavor", f.id) for f in after.flavors}
    told = {
        kind: {(c.thing, c.id) for c in changes if c.kind is kind and c.thing in ("host", "flavor")}
        for kind in ChangeKind
    }
    assert told[ChangeKind.ADDED] == new - old
    assert told[ChangeKind.REMOVED] == old - new
    assert told[ChangeKind.CHANGED] <= new & old


WORDS = r"""regions: sites: hosts: flavors: - { } [ ] , &a *a id: name: vcpus: memory: 64GB 1e9 .nan ~
!!int <<: connection: driver: uri: ' " \x | > # ? : 京都 guest_network: 10.0.0.0/8 storage_pools:
promised: zones: host é"""
yamlish = st.lists(
    st.sampled_from([*WORDS.split(), "\n", "\n", " ", " ", "  ", "\t", "\x85"]), max_size=60
).map("".join)


def told(read, given):
    """The mistake that `read` tells of; None where there is none."""
    try:
        read(given)
    except YuiError as error:
        return error
    return None


@given(st.text() | yamlish)
@settings(deadline=None, max_examples=examples(100))
def test_no_text_raises_anything_but_a_told_mistake(text):
    error = told(lambda text: parse(text, "pool.yaml"), text)
    if error is not None:
        assert error.type == "pool-file-invalid"
        json.dumps(error.fields)


keys = st.sampled_from(
    [
        "regions",
        "sites",
        "hosts",
        "flavors",
        "id",
        "name",
        "vcpus",
        "memory",
        "storage",
        "zones",
        "connection",
        "driver",
        "uri",
        "site",
        "region",
        "promised",
        "prefectures",
        "guest_network",
        "guest_gateway",
        "member_prefix",
        "bridge",
        "tunnel_address",
        "storage_pools",
        "overcommit",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | labels,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=25,
)


@pytest.mark.long
@given(st.dictionaries(keys, values, max_size=4))
@settings(deadline=None, max_examples=examples(100))
def test_no_json_raises_anything_but_a_told_mistake(body):
    error = told(from_json, body)
    if error is not None:
        assert error.type == "pool-file-invalid"
        json.dumps(error.fields)
