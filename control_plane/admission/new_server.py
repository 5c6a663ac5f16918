"""A server as it is asked for, before placement has chosen where it goes."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.model.blueprint import System
from control_plane.model.errors import YuiError
from control_plane.model.ids import (
    FlavorId,
    GroupId,
    HostId,
    ImageId,
    RegionId,
    ServerId,
    SiteId,
    StoragePoolId,
    SystemId,
)
from control_plane.model.image import Image
from control_plane.model.keypair import ServerKey
from control_plane.model.ledger import LedgerWorkload
from control_plane.model.workload import Flavor, Placed, Power, Server
from control_plane.store import Transaction


@dataclass(frozen=True, slots=True)
class NewServer:
    """Tenant, zone and tier come with its system, size and disk with its flavor. Servers that share
    a `group` never share a host; `sites` empty means any site of the region. `user_data` is what its
    seed disk gives cloud-init, `key` opens it to whoever has the other half."""

    id: ServerId
    system: SystemId
    name: str
    role: str
    flavor: FlavorId
    image: ImageId
    start_order: int = 0
    power: Power = Power.RUNNING
    group: GroupId | None = None
    traits: frozenset[str] = frozenset()
    sites: frozenset[SiteId] = frozenset()
    protected: bool = False
    user_data: str = ""
    isolated: bool = False
    key: ServerKey | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A new server with what its names stand for."""

    new: NewServer
    system: System
    flavor: Flavor

    def workload(self) -> LedgerWorkload:
        return LedgerWorkload(
            id=self.new.id,
            owner=self.system.tenant.text,
            size=self.flavor.size,
            disk=self.flavor.disk,
            zone=self.system.zone,
            tier=self.system.tier,
            storage=None,
            group=self.new.group,
            traits=self.new.traits,
            sites=self.new.sites,
        )

    def placed(self, host: HostId, storage: StoragePoolId, address: str) -> Server:
        return Server(
            id=self.new.id,
            tenant=self.system.tenant,
            system=self.system.id,
            name=self.new.name,
            role=self.new.role,
            flavor=self.flavor.id,
            size=self.flavor.size,
            disk=self.flavor.disk,
            image=self.new.image,
            zone=self.system.zone,
            tier=self.system.tier,
            start_order=self.new.start_order,
            storage=storage,
            address=address,
            placement=Placed(host),
            power=self.new.power,
            group=self.new.group,
            traits=self.new.traits,
            sites=self.new.sites,
            protected=self.new.protected,
            isolated=self.new.isolated,
        )


def resolve(tx: Transaction, region: RegionId, new: NewServer) -> Resolved:
    """Raises `system-not-found`, `system-deleting`, `flavor-not-found`, `image-not-found`,
    `site-not-found`, `system-elsewhere`, `image-larger-than-disk`."""
    system = tx.system(new.system)
    if system.deleting:
        raise YuiError(
            "system-deleting",
            en=f"System '{system.id}' is being removed, so it takes no more servers.",
            ja=f"システム「{system.id}」は削除処理中のため、サーバーを追加できません。",
            status=409,
            fields={"system": system.id},
        )
    if system.region != region:
        raise YuiError(
            "system-elsewhere",
            en=f"System '{system.id}' belongs to region '{system.region}', so its servers cannot be placed in '{region}': ask for them in its own region.",
            ja=f"システム「{system.id}」はリージョン「{system.region}」に属するため、サーバーを「{region}」に配置できません。システムのリージョンを指定してください。",
            fields={"system": system.id, "region": region},
        )
    for site in sorted(new.sites):
        tx.site(site)
    flavor = tx.flavor(new.flavor)
    check_disk(flavor, tx.image(new.image, system.tenant))
    return Resolved(new, system, flavor)


def check_disk(flavor: Flavor, image: Image) -> None:
    if image.virtual_size > flavor.disk:
        raise YuiError(
            "image-larger-than-disk",
            en=f"Image '{image.id}' needs a disk of {image.virtual_size} GiB, and flavor '{flavor.id}' has {flavor.disk} GiB: choose a larger flavor.",
            ja=f"イメージ「{image.id}」には {image.virtual_size} GiB のディスクが必要ですが、フレーバー「{flavor.id}」は {flavor.disk} GiB です。より大きなフレーバーを選んでください。",
            fields={
                "image": image.id,
                "flavor": flavor.id,
                "needed_gib": image.virtual_size,
                "disk_gib": flavor.disk,
            },
        )
