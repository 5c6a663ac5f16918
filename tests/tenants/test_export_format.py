"""What a member takes along can be read by others, and is never half of what it says."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.drivers.disks import DiskFile
from tenants.leaving.export_directory import DiskPart, Earlier, Export, PartInUse, Spoiled
from tenants.leaving.ovf import OVF, OvfDisk, OvfMachine, OvfSystem, read, write

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
TITLES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=20
)
SIZES = st.integers(1, 2**46)


@st.composite
def systems(draw: st.DrawFn) -> OvfSystem:
    files = iter(draw(st.lists(NAMES, unique=True, min_size=8, max_size=8)))
    machines = [
        OvfMachine(
            name,
            draw(TITLES),
            draw(st.integers(1, 512)),
            draw(st.integers(1, 2**22)),
            "52:54:00:00:00:01",
            draw(st.sampled_from(["mynumber", "lgwan", "internet"])),
            draw(st.integers(0, 1000)),
            tuple(
                OvfDisk(f"{next(files)}.qcow2", draw(SIZES), draw(SIZES))
                for _ in range(draw(st.integers(0, 2)))
            ),
        )
        for name in draw(st.lists(NAMES, unique=True, min_size=1, max_size=4))
    ]
    return OvfSystem(draw(NAMES), draw(TITLES), tuple(machines))


@pytest.mark.long
@given(systems())
def test_a_descriptor_says_again_what_was_written(system: OvfSystem) -> None:
    assert read(write(system)) == system


MACHINE = OvfMachine(
    "a", "a", 2, 4096, "52:54:00:00:00:01", "lgwan", 0, (OvfDisk("a.qcow2", 9, 2**30),)
)
DESCRIPTOR = write(OvfSystem("s", "住民記録", (MACHINE, replace(MACHINE, id="b", disks=()))))
FOR_PEOPLE = {"Info", "Description", "ElementName"}
NOT_ASKED_FOR = {
    "OperatingSystemSection",
    "System",
    "AllocationUnits",
    "ResourceSubType",
    "AutomaticAllocation",
}
"""What is constant in what Yui writes, so that nothing is lost where it is missing."""


def parts() -> list[tuple[int, ...]]:
    """The way to every element of the descriptor that carries a meaning."""
    found: list[tuple[int, ...]] = []

    def walk(element: Element, way: tuple[int, ...]) -> None:
        for number, child in enumerate(element):
            if child.tag.rpartition("}")[2] not in FOR_PEOPLE | NOT_ASKED_FOR:
                found.append((*way, number))
                walk(child, (*way, number))

    walk(fromstring(DESCRIPTOR), ())  # noqa: S314 — written above
    return found


@pytest.mark.parametrize("way", parts(), ids=str)
def test_a_descriptor_without_one_of_its_parts_is_no_descriptor(way: tuple[int, ...]) -> None:
    envelope = fromstring(DESCRIPTOR)  # noqa: S314 — written above
    parent = envelope
    for number in way[:-1]:
        parent = parent[number]
    parent.remove(parent[way[-1]])
    with pytest.raises(ValueError, match="not an OVF descriptor of ours"):
        read(tostring(envelope))


def test_parts_out_of_order_or_under_one_name_are_refused() -> None:
    envelope = fromstring(DESCRIPTOR)  # noqa: S314 — written above
    envelope[0], envelope[1] = envelope[1], envelope[0]
    with pytest.raises(ValueError, match="order"):
        read(tostring(envelope))
    with pytest.raises(ValueError, match="twice"):
        write(OvfSystem("s", "s", (MACHINE, MACHINE)))
    assert f'xmlns:ovf="{OVF}"'.encode() in DESCRIPTOR


CONTENT = bytes(range(256)) * 64
DISK = DiskFile(len(CONTENT), 2**30)


def begun(export: Export, safe: int, length: int | None = DISK.length) -> DiskPart:
    return export.begin_disk("a/b.qcow2", Earlier(safe, length), lambda *_: None, 1000)


@given(safe=st.integers(0, len(CONTENT)), torn=st.binary(max_size=200))
def test_what_lies_behind_what_is_safe_is_fetched_again(
    tmp_path_factory: pytest.TempPathFactory, safe: int, torn: bytes
) -> None:
    export = Export(tmp_path_factory.mktemp("export"))
    place = export.place("a/b.qcow2")
    place.parent.mkdir()
    place.with_name("b.qcow2.part").write_bytes(CONTENT[:safe] + torn)
    with begun(export, safe) as part:
        offset = part.expect(DISK)
        assert offset == safe
        part.write(CONTENT[offset:])
        found = part.finish()
    assert place.read_bytes() == CONTENT
    assert (found.length, found.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_a_disk_that_has_another_length_by_now_is_fetched_from_its_first_byte(
    tmp_path: Path,
) -> None:
    export = Export(tmp_path)
    with begun(export, 0) as part:
        part.expect(DISK)
        part.write(CONTENT[:5000])
    with begun(export, 5000, length=DISK.length - 1) as part:
        assert part.expect(DISK) == 0


def test_one_file_has_one_writer_and_what_is_read_back_differently_is_not_kept(
    tmp_path: Path,
) -> None:
    export = Export(tmp_path)
    with begun(export, 0) as part:
        with pytest.raises(PartInUse), begun(export, 0):
            pass
        part.expect(DISK)
        part.write(CONTENT)
        with (tmp_path / "a" / "b.qcow2.part").open("r+b") as beside:
            beside.seek(100)
            beside.write(b"bit rot")
        with pytest.raises(Spoiled):
            part.finish()
    assert not (tmp_path / "a" / "b.qcow2").exists()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "", "a\0b"])
def test_no_path_leads_out_of_an_export(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        Export(tmp_path).place(path)
