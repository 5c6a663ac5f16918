"""A guest that runs sees its volume grow, and everything that it wrote on it is in the next backup."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control_plane.drivers.libvirt.disk_xml import target_of
from control_plane.model.full_read import WhyFull
from control_plane.model.image import Image
from control_plane.model.units import GiB
from tests.drivers.backup_contract import UNIT, renewed, whole
from tests.drivers.hook_contract import run
from tests.drivers.libvirt.test_quiesce import boot_with_agent, image  # noqa: F401 — the fixture
from tests.drivers.libvirt.two_hosts import LibvirtHosts

pytestmark = pytest.mark.hypervisor

SECTORS = 2**30 // 512
"""Of a GiB. The hook `marks` writes into the last sector, and says how many there are and what stands in
the one that was the last of a disk of 1 GiB."""


def test_a_guest_uses_the_larger_disk_at_once_and_finds_on_it_what_it_wrote(
    hosts: LibvirtHosts,
    image: Image,  # noqa: F811
) -> None:
    spec, volume = boot_with_agent(hosts, hosts.first, image), hosts.data_volume()
    hosts.first.ensure_data_volume(volume)
    hosts.first.attach(spec.id, volume, spec.generation)
    small = replace(spec, data_volumes=(volume,))
    hosts.until(lambda: run(hosts.first, spec, "marks").said != "")
    first = run(hosts.first, spec, "marks").said
    assert first == f"{SECTORS} sectors, its end was at {SECTORS}"
    with hosts.first.open_backup(small, checkpoint="small", since=None, quiesce=False) as source:
        before = whole(source.disks[1])
    grown = replace(volume, size=GiB(2))
    hosts.first.grow_data_volume(grown, spec.id, spec.generation)
    sizes: list[int] = []
    device = target_of(volume.order)
    hosts.on_machine(hosts.first, spec, lambda domain: sizes.append(domain.blockInfo(device)[0]))
    assert sizes == [2 * 2**30]
    later = run(hosts.first, spec, "marks").said
    assert later == f"{2 * SECTORS} sectors, its end was at {SECTORS}"

    large = replace(spec, data_volumes=(grown,))
    hosts.hold(hosts.first, spec)
    frozen = hosts.as_it_is(large)[volume.id]
    new_end = 2 * 2**30 - UNIT
    assert frozen.keys() == before.keys() | {new_end}
    with hosts.first.open_backup(large, checkpoint="large", since="small", quiesce=False) as source:
        assert source.disks[1].why is WhyFull.RESIZED
        assert whole(source.disks[1]) == frozen
    hosts.go_on(hosts.first, spec)
    with hosts.first.open_backup(large, checkpoint="last", since="large", quiesce=False) as source:
        assert renewed(frozen, source.disks[1]) == (frozen, 0)
