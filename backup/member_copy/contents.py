"""Of which objects a member's copy consists: its points' manifests and just the packs that these need.

No keyring is among them, which only the operator's key opens: a member reads its copy with an escrow
file. Nor is an index, which a reader makes from the packs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from backup.keeper.vaults import Vaults
from backup.member_copy.choice import Choice, Wanted
from backup.repository import PointFacts, RecoveryPoint, Vault
from backup.repository.errors import missing
from backup.repository.ids import object_id
from backup.repository.index import listed_packs
from backup.repository.items import ItemReader
from backup.repository.pack import pack_object
from backup.repository.reach import Reach, Trunk
from backup.repository.sizes import LARGEST_SMALL, read_whole
from backup.repository.tree import chunks_in
from control_plane.drivers.objects import ObjectStoreError
from control_plane.model.backup.ids import RepositoryId
from control_plane.model.backup.places import Repository
from control_plane.model.errors import YuiError
from control_plane.model.tenant import MunicipalityCode

DESCRIPTION = "repository.json"
"""The one object of a repository that is nobody's; it says of which format the rest is."""

_HASH = "[0-9a-f]{64}"
_MINE = re.compile(
    rf"(?:packs/[0-9a-f]{{2}}/{_HASH}|points/[a-z0-9][a-z0-9-]{{0,62}}/\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}\.{_HASH})"
)


@dataclass(frozen=True, slots=True)
class CopyObject:
    """`hash`: hex of the BLAKE3 of its bytes."""

    key: str
    size: int
    hash: str
    repository: RepositoryId


@dataclass(frozen=True, slots=True)
class Contents:
    """`objects` stand in the order in which they are to be fetched: manifests last."""

    choice: Choice
    objects: tuple[CopyObject, ...]


def may_be_read(key: str, tenant: MunicipalityCode) -> bool:
    """Whether a copy of that member's may hold an object of that name."""
    prefix = f"tenants/{tenant}/"
    return key == DESCRIPTION or (
        key.startswith(prefix) and _MINE.fullmatch(key[len(prefix) :]) is not None
    )


def contents_of(choice: Choice, vaults: Vaults) -> Contents:
    """Each point from the nearest repository that can be read. Raises `backup-copy-unreadable`."""
    found: dict[str, CopyObject] = {}
    with ExitStack() as stack:
        opened: dict[RepositoryId, _Opened] = {}

        def at(repository: Repository) -> _Opened:
            if repository.id not in opened:
                vault = vaults.open(repository, choice.tenant).vault
                opened[repository.id] = _Opened(repository, stack.enter_context(closing(vault)))
            return opened[repository.id]

        for wanted in choice.wanted:
            for each in _needed(wanted, at):
                found.setdefault(each.key, each)
        for place in list(opened.values())[:1]:
            found[DESCRIPTION] = place.description()
    order = sorted(found.values(), key=lambda one: ("/points/" in one.key, one.key))
    return Contents(choice, tuple(order))


@dataclass(slots=True)
class _Opened:
    repository: Repository
    vault: Vault
    _packs: dict[bytes, int] = field(init=False)
    _points: dict[str, PointFacts] = field(init=False)

    def __post_init__(self) -> None:
        self._packs = dict(listed_packs(self.vault.objects, self.vault.tenant))
        self._points = {facts.id: facts for facts in self.vault.points()}

    def needed(self, points: list[str]) -> Iterator[CopyObject]:
        """Raises Damaged where anything is lacking, ObjectStoreError, YuiError."""
        index = self.vault.index
        nodes = ItemReader(self.vault.objects, index)

        def pack_of(id: bytes) -> list[bytes]:
            return sorted(pack for pack in index.packs_of(id) if pack in self._packs)[:1]

        reach: Reach[None] = Reach(nodes, pack_of, lambda _: True)
        manifests = []
        for id in points:
            facts = self._points.get(id)
            if facts is None:
                raise missing(f"recovery point {id}")
            manifests.append(facts)
            for trunk in _trunks(self.vault.point(facts)):
                reach.go_through(trunk, None)
        if reach.lacking:
            raise reach.lacking[0]
        for pack in reach.live:
            key = pack_object(self.vault.tenant, pack)
            yield self._object(key, self._packs[pack], pack)
        for facts in manifests:
            yield self._object(facts.key, facts.size, facts.hash)

    def description(self) -> CopyObject:
        data = read_whole(self.vault.objects, DESCRIPTION, LARGEST_SMALL)
        return self._object(DESCRIPTION, len(data), object_id(data))

    def _object(self, key: str, size: int, hash: bytes) -> CopyObject:
        return CopyObject(key, size, hash.hex(), self.repository.id)


def _needed(wanted: Wanted, at: Callable[[Repository], _Opened]) -> list[CopyObject]:
    points = [server.point for server in wanted.point.servers]
    for repository in wanted.among:
        try:
            return list(at(repository).needed(points))
        except (ObjectStoreError, YuiError):
            continue  # What is damaged or away is told by those who look after it.
    raise YuiError(
        "backup-copy-unreadable",
        en=f"No repository that holds recovery point '{wanted.point.id}' can be read as a whole now: ask again later, or for other points.",
        ja=f"復元ポイント「{wanted.point.id}」を完全に読み取れるリポジトリが現在ありません。後でもう一度試すか、別の復元ポイントを指定してください。",
        status=409,
        fields={"point": wanted.point.id, "system": wanted.point.system},
    )


def _trunks(point: RecoveryPoint) -> list[Trunk]:
    return [
        Trunk(
            point.id,
            f"{point.server}/{disk.name}",
            disk.root,
            chunks_in(disk.size, disk.chunk_bytes),
        )
        for disk in point.disks
    ]
