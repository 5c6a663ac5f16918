"""What an operator is told of a pool file that is wrong: file, line, and what was expected.

Each case is one change to a file that is right; the change's line is where the answer must point.
"""

from datetime import UTC, datetime

import pytest

from control_plane.model.errors import YuiError
from control_plane.model.host_health import Cleaning
from control_plane.model.pool import DomainKind, Endpoint, FailureDomain, Policy, Zone
from control_plane.pool_file import from_json, parse

RIGHT = """\
regions:
  - id: kyoto
    name: 京都
    policy: spread
    promised: [host, rack]
    prefectures: [京都府]
sites:
  - id: kyoto-dc
    region: kyoto
    name: 京都センター
    guest_network: 10.77.16.0/24
    guest_gateway: 10.77.16.1
    storage_pools:
      - {id: kyoto-pool, capacity: 500 GiB, path: /srv/yui/kyoto}
  - id: nantan-dc
    region: kyoto
    name: 南丹センター
    guest_network: 10.77.17.0/24
hosts:
  - id: kyoto-1
    site: kyoto-dc
    vcpus: 16
    overcommit: 4.0
    memory: 64 GiB
    reserved_memory: 4 GiB
    zones: [mynumber, lgwan]
    storage: [kyoto-pool]
    rack: r1
    power: a
    hazards: [yodo-flood]
    connection:
      driver: libvirt
      uri: qemu+tls://10.77.0.11/system
      bmc_url: https://10.77.1.11
      bmc_system: '1'
      bmc_password_ref: env:KYOTO_1_BMC
      lease_path: /srv/yui/kyoto/kyoto-1.lease
  - {id: kyoto-2, site: kyoto-dc, vcpus: 8, memory: 32 GiB, storage: [kyoto-pool], rack: r2}
flavors:
  - {id: m1.small, vcpus: 1, memory: 2 GiB, disk: 20 GiB}
"""


def mistakes_of(text):
    with pytest.raises(YuiError) as caught:
        parse(text, "pool.yaml")
    assert caught.value.type == "pool-file-invalid"
    return caught.value


def test_a_right_file_gives_regions_sites_hosts_and_flavors():
    pool = parse(RIGHT, "pool.yaml")
    region = pool.regions[0]
    assert (region.policy, region.promised) == (
        Policy.SPREAD,
        {DomainKind.HOST, DomainKind.RACK},
    )
    host = pool.hosts[0]
    assert (host.capacity.vcpu, host.capacity.memory) == (64, 60 * 1024)
    assert host.region == "kyoto"
    assert host.zones == {Zone.MYNUMBER, Zone.LGWAN}
    assert host.domains == {
        FailureDomain(DomainKind.HOST, "kyoto-1"),
        FailureDomain(DomainKind.RACK, "kyoto-dc/r1"),
        FailureDomain(DomainKind.POWER, "kyoto-dc/a"),
        FailureDomain(DomainKind.SITE, "kyoto-dc"),
        FailureDomain(DomainKind.HAZARD, "yodo-flood"),
    }
    assert pool.hosts[1].endpoint == Endpoint("simulated", "simulated://kyoto-2")
    assert pool.hosts[1].zones == set(Zone)
    assert pool.flavors[0].disk == 20


def test_a_described_host_enters_the_pool_cleaning_and_keeps_its_description():
    described = parse(RIGHT, "pool.yaml").hosts[0]
    at = datetime(2030, 1, 1, tzinfo=UTC)
    host = described.as_host(at)
    assert host.health == Cleaning(at)
    assert type(described).of(host) == described


CASES = {
    "unknown key": ("    vcpus: 16", "    vcpu: 16", "did you mean 'vcpus'?"),
    "decimal unit": ("memory: 64 GiB", "memory: 64GB", "'64GB'; expected '64 GiB'"),
    "bare number as size": ("memory: 64 GiB", "memory: 64", "expected a size such as"),
    "fraction of a GiB on disk": ("capacity: 500 GiB", "capacity: 0.5 GiB", "whole number of GiB"),
    "zero vcpus": ("    vcpus: 16", "    vcpus: 0", "whole number from 1"),
    "octal vcpus": ("    vcpus: 16", "    vcpus: 016", "whole number from 1"),
    "text for vcpus": ("    vcpus: 16", "    vcpus: many", "'many'; expected a whole number"),
    "endless overcommit": ("overcommit: 4.0", "overcommit: .inf", "number from 0.1 to 64"),
    "reserve beyond memory": ("reserved_memory: 4 GiB", "reserved_memory: 65 GiB", "64 GiB"),
    "unknown zone": ("zones: [mynumber, lgwan]", "zones: [mynumbr]", "did you mean 'mynumber'?"),
    "no zone at all": ("zones: [mynumber, lgwan]", "zones: []", "could carry nothing"),
    "unknown storage": ("    storage: [kyoto-pool]", "    storage: [kyoto-pol]", "'kyoto-pool'?"),
    "unknown site": ("    site: kyoto-dc\n    vcpus", "    site: kioto-dc\n    vcpus", "'kyoto-dc'?"),
    "unknown region": ("    region: kyoto\n    name: 南丹", "    region: nara\n    name: 南丹", "unknown region"),
    "unknown promise": ("promised: [host, rack]", "promised: [host, rak]", "did you mean 'rack'?"),
    "promise that a host can't back": ("    rack: r1", "    rack:", "does not say its rack"),
    "unknown policy": ("policy: spread", "policy: spred", "did you mean 'spread'?"),
    "misspelt prefecture": ("[京都府]", "[京都]", "did you mean '京都府'?"),
    "host bits in a network": ("10.77.17.0/24", "10.77.17.4/24", "10.77.17.0/24"),
    "not a network": ("10.77.17.0/24", "kyoto", "IPv4 network"),
    "overlapping networks": ("10.77.17.0/24", "10.77.16.128/25", "overlaps 10.77.16.0/24"),
    "gateway elsewhere": ("guest_gateway: 10.77.16.1", "guest_gateway: 10.77.18.1", "10.77.16.0/24"),
    "relative path": ("path: /srv/yui/kyoto}", "path: srv/yui}", "absolute path"),
    "path that climbs": ("path: /srv/yui/kyoto}", "path: /srv/../etc}", "without . or .."),
    "id with capitals": ("  - id: kyoto-1", "  - id: Kyoto-1", "a-z, 0-9"),
    "unknown driver": ("driver: libvirt", "driver: libvrt", "did you mean 'libvirt'?"),
    "plaintext libvirt": ("qemu+tls:", "qemu+tcp:", "allow_plaintext: true"),
    "plaintext BMC": ("https://10.77.1.11", "http://10.77.1.11", "allow_plaintext: true"),
    "BMC's secrets without a BMC": ("      bmc_url: https://10.77.1.11\n", "", "has no bmc_url"),
    "key given twice": ("    power: a", "    site: kyoto-dc", "given twice, first on line 21"),
    "python object": ("    rack: r1", "    rack: !!python/name:os.system r1", "short name"),
    "merge key": ("    rack: r1", "    rack: r1\n    <<: {power: b}", "unknown key '<<'"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES.values(), ids=CASES.keys())
def test_each_mistake_names_the_file_its_line_and_what_was_expected(old, new, expected):
    assert RIGHT.count(old) == 1
    wrong = RIGHT.replace(old, new)
    error = mistakes_of(wrong)
    about = [m for m in error.fields["mistakes"] if expected in m["en"]]
    assert about, error.en
    assert about[0]["file"] == "pool.yaml"
    assert about[0]["en"].startswith(f"pool.yaml, line {about[0]['line']}: ")
    assert about[0]["ja"].startswith(f"pool.yaml の {about[0]['line']} 行目: ")
    assert about[0]["expected"]
    changed = RIGHT[: RIGHT.index(old)].count("\n") + 1
    told = about[0]["line"]
    # A thing that lacks a key is pointed at by its own first line, a little above.
    assert changed - 10 <= told <= changed + 2
    assert error.fields["count"] == 1, error.en


def test_duplicate_ids_point_back_to_the_first():
    error = mistakes_of(RIGHT.replace("id: kyoto-2", "id: kyoto-1"))
    assert error.en == "pool.yaml, line 38: host kyoto-1 is described twice, first at line 20; give each its own id."  # fmt: skip
    assert error.fields["line"] == 38


def test_one_machine_can_not_be_described_as_two_hosts():
    second = "rack: r2, connection: {driver: libvirt, uri: 'qemu+tls://10.77.0.11/system'}}"
    error = mistakes_of(RIGHT.replace("rack: r2}", second))
    assert "one machine is one host" in error.en


def test_two_hosts_can_not_share_a_bmc():
    second = "rack: r2, connection: {driver: libvirt, uri: 'qemu+tls://b/system', bmc_url: 'https://10.77.1.11', bmc_system: '1'}}"
    error = mistakes_of(RIGHT.replace("rack: r2}", second))
    assert "wrong machine's power" in error.en


def test_plaintext_is_accepted_where_somebody_wrote_that_it_may_be():
    text = RIGHT.replace("qemu+tls:", "qemu+tcp:").replace(
        "      driver: libvirt", "      driver: libvirt\n      allow_plaintext: true"
    )
    assert parse(text, "pool.yaml").hosts[0].endpoint.uri == "qemu+tcp://10.77.0.11/system"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("qemu+tls://10.77", "qemu+tls://root:hunter2@10.77"),
        ("env:KYOTO_1_BMC", "hunter2"),
        ("https://10.77.1.11", "https://root:hunter2@10.77.1.11"),
        ("bmc_password_ref: env:KYOTO_1_BMC", "bmc_password: hunter2"),
    ],
)
def test_a_password_written_into_the_file_is_refused_without_repeating_it(old, new):
    error = mistakes_of(RIGHT.replace(old, new))
    assert "hunter2" not in error.en + error.ja + repr(error.fields)


def test_a_host_reaches_only_the_storage_of_its_own_region():
    text = RIGHT.replace("sites:", "  - {id: saga, name: 佐賀}\nsites:").replace(
        "id: kyoto-2, site: kyoto-dc", "id: kyoto-2, site: nantan-dc"
    ).replace("id: nantan-dc\n    region: kyoto", "id: nantan-dc\n    region: saga")  # fmt: skip
    assert "storage of its own region" in mistakes_of(text).en


def test_ten_mistakes_are_told_at_once_and_the_rest_counted():
    flavors = "".join(
        f"  - {{id: f{n}, vcpus: 0, memory: 1 GiB, disk: 1 GiB}}\n" for n in range(25)
    )
    error = mistakes_of(RIGHT + flavors)
    assert error.fields["count"] == 25
    assert len(error.fields["mistakes"]) == 10
    assert "15 more" in error.en.splitlines()[-1]
    assert "15 件" in error.ja.splitlines()[-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "- a\n- list",
        "regions: {",
        "regions: [\t",
        "a: b\n---\nc: d",
        'name: "\\UFFFFFFFF"',
        "%YAML " + "9" * 5000 + ".1\n---\na",
        "\x00",
        "[" * 5000,
        "- " * 5000,
        "? " * 5000,
        "&a [*a]",
        "&a {regions: *a}",
        "a: *nowhere",
        "regions: !!python/object/apply:os.system [id]",
    ],
)
def test_text_that_is_no_pool_is_one_clear_mistake(text):
    error = mistakes_of(text)
    assert error.en.startswith("pool.yaml, line ")
    assert error.ja.startswith("pool.yaml の ")


@pytest.mark.long
def test_a_small_file_can_not_unfold_into_a_large_one():
    levels = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    levels += [
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    ]
    assert "unfolds into more than" in mistakes_of("\n".join(levels)).en


def test_a_file_beyond_the_bound_is_not_even_read():
    assert "longer than" in mistakes_of("#" * 2_000_001).en


def test_terminal_escapes_from_a_file_reach_no_screen():
    error = mistakes_of(RIGHT.replace("policy: spread", 'policy: "\\e[2J\\x07"'))
    assert "\x1b" not in error.en + error.ja
    assert "\x07" not in error.en + error.ja


def test_mistakes_in_json_name_the_path_instead_of_a_line():
    body = {"regions": [{"id": "kyoto", "name": "京都", "promised": ["moon"]}]}
    with pytest.raises(YuiError) as caught:
        from_json(body)
    assert caught.value.en.startswith("regions[0].promised[0]: promised of region kyoto")
    assert caught.value.fields["path"] == "regions[0].promised[0]"
    assert caught.value.fields["line"] is None


def test_names_of_things_may_look_like_numbers_in_yaml_but_not_in_json():
    assert parse(RIGHT.replace("rack: r1", "rack: 1"), "p").hosts[0].rack == "1"
    with pytest.raises(YuiError, match=r"name of region kyoto is '1'"):
        from_json({"regions": [{"id": "kyoto", "name": 1}]})


APART = RIGHT.replace(
    "      uri: qemu+tls://10.77.0.11/system\n",
    "      uri: qemu+tls://10.77.0.11/system\n"
    "      bridge: s{segment}\n"
    "      tunnel_address: 10.77.0.11\n",
).replace(
    "rack: r2}",
    "rack: r2, connection: {driver: simulated, bridge: 's{segment}', tunnel_address: 10.77.0.12}}",
)


@pytest.mark.parametrize(
    ("guest_network", "prefix"),
    [("10.77.16.0/24", 28), ("10.64.0.0/12", 26), ("10.77.16.0/20", 28), ("10.77.16.0/29", 29)],
)
def test_a_site_whose_hosts_make_segments_gives_members_blocks_of_a_fitting_size(
    guest_network, prefix
):
    text = APART.replace("    guest_gateway: 10.77.16.1\n", "").replace("10.77.17.0", "10.200.0.0")
    sites = parse(text.replace("10.77.16.0/24", guest_network), "pool.yaml").sites
    assert [site.member_prefix for site in sites] == [prefix, None]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (", bridge: 's{segment}'", "", "host kyoto-2 carries servers of site kyoto-dc, which"),
        ("      tunnel_address: 10.77.0.11\n", "", "has no tunnel_address; expected an IPv4"),
        ("tunnel_address: 10.77.0.12", "tunnel_address: kyoto", "tunnel_address of the connection"),
        ("10.77.0.12}", "10.77.0.11}", "tunnel address 10.77.0.11 is already another host's"),
        ("bridge: s{segment}", "bridge: members-{segment}", "at most 15 characters"),
        ("bridge: s{segment}", "bridge: s{vlan}", "at most 15 characters"),
        ("    guest_gateway: 10.77.16.1\n", "    member_prefix: 23\n", "from 24 to 29"),
    ],
)
def test_a_site_that_keeps_members_apart_on_some_hosts_only_is_told(old, new, said):
    assert old in APART
    assert said in mistakes_of(APART.replace(old, new)).en
