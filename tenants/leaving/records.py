"""What a member takes along beside its disks: its data as JSON, how its systems are put together, its
audit trail, and the sums by which all of it can be checked without Yui."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from control_plane.drivers.world import Clock
from control_plane.journal.audit_export import export as audit_lines
from control_plane.journal.audit_signing import Signer
from control_plane.model.addressing import mac_of
from control_plane.model.audit_chain import chain_of
from control_plane.model.container_group import ContainerGroup
from control_plane.model.export import ExportedDisk
from control_plane.model.ids import OperationId, SystemId, VolumeId
from control_plane.model.membership import Membership
from control_plane.model.network import Binding, Network, SecurityGroup
from control_plane.model.server_notes import ServerNotes
from control_plane.model.volume import Unattached, Volume
from control_plane.model.workload import Server
from control_plane.store import Snapshot, Store
from tenants.leaving.export_directory import Export, Spoiled, Written
from tenants.leaving.ovf import OvfDisk, OvfMachine, OvfSystem, read, write

FORMAT = "yui-member-export/1"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"

_OF_THE_POOL = {"tenant", "segment", "generation"}

README = """\
This is everything that the municipality had in the pool.
この一式が、貴団体が共同プールに置いていたすべてです。

  sha256sum -c SHA256SUMS                 is every file as it was written? / 全ファイルの検査
  systems/*/*.ovf                         what each system's servers run in (OVF 2, DMTF DSP0243) / 各システムの構成
  systems/*/*.qcow2                       their disks (QEMU qcow2; `qemu-img convert` makes others) / ディスク
  member/*.json                           systems, servers, users, capacity / 団体のデータ
  audit/audit.jsonl                       `yui audit verify FILE` checks it / 監査記録(検査コマンド)
  manifest.json                           every file with its size and SHA-256 / ファイル一覧

A server starts elsewhere with virtio disk and network, for example:
他の環境での起動例(virtio ディスクと virtio ネットワーク):

  qemu-system-x86_64 -m MEMORY -smp CPUS -drive file=DISK.qcow2,if=virtio -nic user,model=virtio-net-pci,mac=MAC
"""


@dataclass(frozen=True, slots=True)
class Member:
    """All that is written of a member, read at one moment."""

    membership: Membership
    operation: OperationId
    documents: Mapping[str, Any]
    servers: tuple[Server, ...]
    names: Mapping[SystemId, str]
    disks: tuple[ExportedDisk, ...]
    orders: Mapping[VolumeId, int]
    """Of the volumes that servers have, their places among them."""


def member_of(tx: Snapshot, membership: Membership, operation: OperationId) -> Member:
    code = membership.tenant.code
    servers = tx.servers(code)
    systems = tx.systems(code)
    volumes = tx.volumes(code)
    user_data = tx.user_data_of({server.id for server in servers})
    tenant, contact = membership.tenant, membership.contact
    documents = {
        "member": {
            "code": code.text,
            "name": tenant.name,
            "kana": tenant.kana,
            "prefecture": tenant.prefecture,
            "population": tenant.population,
            "region": membership.region,
            "contact": {"name": contact.name, "email": contact.email, "phone": contact.phone},
        },
        "systems": [
            {
                "id": system.id,
                "blueprint": system.blueprint,
                "blueprint_version": system.blueprint_version,
                "name": system.name,
                "tier": system.tier,
                "zone": system.zone.value,
                "created_at": system.created_at.isoformat(),
            }
            for system in systems
        ],
        "servers": [
            _server(server, user_data.get(server.id, ""), tx.notes_of(server.id))
            for server in servers
        ],
        "volumes": [
            {
                "id": volume.id,
                "name": volume.name,
                "size_gib": volume.size,
                "server": volume.server,
            }
            for volume in volumes
        ],
        "networks": [_plain(network) for network in tx.networks(code)],
        "security-groups": [_plain(group) for group in tx.security_groups(code)],
        "keypairs": [
            {"name": key.name, "public_key": key.public_key, "fingerprint": key.fingerprint}
            for key in tx.keypairs(code)
        ],
        "server-groups": [{"id": group.id, "name": group.name} for group in tx.server_groups(code)],
        "bindings": [_plain(binding) for binding in tx.bindings(code)],
        "container-groups": [_plain(group) for group in tx.container_groups(code)],
        "users": [
            {
                "name": user.name,
                "role": user.role.value,
                "issuer": user.issuer,
                "subject": user.subject,
                "email": user.email,
                "disabled": user.disabled,
            }
            for user in tx.users(code)
        ],
        "service-accounts": [
            {
                "name": account.name,
                "role": account.role.value,
                "scopes": sorted(account.scopes),
            }
            for account in tx.service_accounts(code)
        ],
        "capacity": [
            {
                "region": one.region,
                "guaranteed": dict(one.guaranteed),
                "quota": dict(one.quota),
            }
            for one in tx.allotments(code)
        ],
    }
    names = {system.id: system.name or str(system.blueprint) for system in systems}
    orders = {
        volume.id: volume.attachment.order
        for volume in volumes
        if not isinstance(volume.attachment, Unattached)
    }
    disks = tx.exported_disks(operation)
    return Member(membership, operation, documents, servers, names, disks, orders)


def _server(server: Server, user_data: str, notes: ServerNotes) -> dict[str, Any]:
    return {
        "id": server.id,
        "name": server.name,
        "system": server.system,
        "role": server.role,
        "flavor": server.flavor,
        "vcpus": server.size.vcpu,
        "memory_mib": server.size.memory,
        "disk_gib": server.disk,
        "image": server.image,
        "zone": server.zone.value,
        "tier": server.tier,
        "start_order": server.start_order,
        "address": server.address,
        "mac": mac_of(server.id),
        "user_data": user_data,
        "description": notes.description,
        "labels": dict(notes.labels),
        "tags": list(notes.tags),
    }


def _plain(thing: Network | SecurityGroup | Binding | ContainerGroup) -> dict[str, Any]:
    """Without what says something of the pool alone: segments, and how often it was changed."""
    parts = asdict(thing, dict_factory=_member_as_code)
    said = {key: value for key, value in parts.items() if key not in _OF_THE_POOL}
    text: dict[str, Any] = json.loads(json.dumps(said, ensure_ascii=False, default=_text))
    return text


def _member_as_code(parts: list[tuple[str, Any]]) -> Any:
    """A municipality's code is one text, whatever it is within Yui."""
    return parts[0][1] if [name for name, _ in parts] == ["text"] else dict(parts)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def root_path(server: Server) -> str:
    return f"systems/{server.system}/{server.name}.qcow2"


def volume_path(volume: Volume, server: Server | None) -> str:
    """Beside the root disk of its server. Names have no dots, so that no two disks have one path."""
    if server is None:
        return f"volumes/{volume.id}.qcow2"
    return f"systems/{server.system}/{server.name}.{volume.id}.qcow2"


def write_records(
    member: Member, export: Export, store: Store, clock: Clock, signer: Signer | None
) -> Written:
    """Write all but the disks, and read it back; answers the manifest. Raises OSError, Spoiled."""
    written = [
        Written(disk.path, disk.length or 0, disk.sha256)
        for disk in member.disks
        if disk.sha256 is not None
    ]
    _same_lengths(export, written)
    written += _descriptors(member, export)
    for name, document in member.documents.items():
        written.append(export.write(f"member/{name}.json", [_json(document)]))
    chain = chain_of(member.membership.tenant.code.text)
    written.append(export.write("audit/audit.jsonl", audit_lines(store, clock, signer, chain)))
    written.append(export.write("README.txt", [README.encode()]))
    manifest = export.write(MANIFEST, [_json(_manifest(member, written, clock.now()))])
    export.write(SUMS, _sums([*written, manifest]))
    return manifest


def _descriptors(member: Member, export: Export) -> Iterator[Written]:
    by_system: dict[SystemId, list[Server]] = defaultdict(list)
    for server in member.servers:
        by_system[server.system].append(server)
    for id, servers in sorted(by_system.items()):
        system = OvfSystem(
            id, member.names[id], tuple(_machine(server, member) for server in servers)
        )
        descriptor = export.write(f"systems/{id}/{id}.ovf", [write(system)])
        if read(export.place(descriptor.path).read_bytes()) != system:
            raise Spoiled(f"{descriptor.path} does not say what was written")
        yield descriptor
        folder = f"systems/{id}/"
        own = [
            Written(disk.path, 0, disk.sha256)
            for disk in member.disks
            if disk.path.startswith(folder) and disk.sha256 is not None
        ]
        # The package's own manifest, as DSP0243 describes it (5.1): next to its descriptor.
        yield export.write(
            f"systems/{id}/{id}.mf",
            [
                f"SHA256({one.path.removeprefix(folder)})= {one.sha256}\n".encode()
                for one in (descriptor, *own)
            ],
        )


def _machine(server: Server, member: Member) -> OvfMachine:
    own = [disk for disk in member.disks if disk.server == server.id and disk.sha256 is not None]
    # The root disk comes first: it is what the server boots from.
    own.sort(key=lambda disk: -1 if disk.volume is None else member.orders[disk.volume])
    return OvfMachine(
        server.id,
        server.name,
        server.size.vcpu,
        server.size.memory,
        mac_of(server.id),
        server.zone.value,
        server.start_order,
        tuple(
            OvfDisk(disk.path.rpartition("/")[2], disk.length or 0, disk.virtual_size or 0)
            for disk in own
        ),
    )


def _manifest(member: Member, written: Sequence[Written], at: datetime) -> dict[str, Any]:
    virtual = {disk.path: disk.virtual_size for disk in member.disks}
    return {
        "format": FORMAT,
        "member": member.membership.tenant.code.text,
        "operation": member.operation,
        "at": at.isoformat(),
        "files": [
            {
                "path": one.path,
                "size": one.length,
                "sha256": one.sha256,
                **({"virtual_size": virtual[one.path]} if one.path in virtual else {}),
            }
            for one in sorted(written, key=lambda one: one.path)
        ],
        # Servers that were never started have no disk; one that is gone is told here, not passed over.
        "missing": [
            {"path": disk.path, "server": disk.server} for disk in member.disks if disk.missing
        ],
    }


def _sums(written: Sequence[Written]) -> Iterator[bytes]:
    """As `sha256sum -c` reads it."""
    for one in sorted(written, key=lambda one: one.path):
        yield f"{one.sha256}  {one.path}\n".encode()


def _same_lengths(export: Export, disks: Sequence[Written]) -> None:
    """Their contents were read back when each was finished. Raises Spoiled."""
    for disk in disks:
        place = export.place(disk.path)
        if not place.is_file() or place.stat().st_size != disk.length:
            raise Spoiled(f"{disk.path} is not as it was exported")


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
