"""What was made for a local pool, written down before it is made.

Whoever finds this file can remove the pool, also when its maker was killed half way.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId

_FILE = "local-pool.json"


@dataclass(frozen=True, slots=True)
class LocalSite:
    """A data centre to imitate. `region` is where it belongs and `prefectures` whose members that
    region takes; `name` and `region_name` are for people and default to the ids."""

    id: str
    region: str
    name: str = ""
    region_name: str = ""
    prefectures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalHost:
    """`address` is its IPv4 address in the pool's network, `namespace` and `link` its network
    namespace and the machine's end of its cable."""

    id: HostId
    site: str
    address: str
    namespace: str
    link: str


@dataclass(frozen=True, slots=True)
class PoolState:
    """With `segments` each host keeps members' networks apart; else one bridge is for all servers."""

    prefix: str
    subnet: str
    accelerated: bool
    made_root: bool
    sites: tuple[LocalSite, ...]
    hosts: tuple[LocalHost, ...]
    segments: bool = False

    @property
    def fabric(self) -> str:
        return f"{self.prefix}-fabric"


def prefix_for(root: Path) -> str:
    """Six characters that set apart the names of this pool's links and namespaces."""
    return "y" + hashlib.sha256(str(root).encode()).hexdigest()[:5]


def claim(root: Path, state: PoolState) -> None:
    """Write the state of a new pool. Raises YuiError where `root` already holds one."""
    with tempfile.NamedTemporaryFile("w", dir=root, encoding="utf-8") as file:
        json.dump(asdict(state), file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, root / _FILE)
        except FileExistsError:
            raise exists_already(root) from None


def exists_already(root: Path) -> YuiError:
    return YuiError(
        "local-pool-exists",
        en=f"There is already a pool in {root}: remove it first (make down).",
        ja=f"{root} にはすでにプールがあります。先に make down で削除してください。",
        status=409,
    )


def load(root: Path) -> PoolState | None:
    """The state of the pool in `root`; None where there is none."""
    try:
        fields = json.loads((root / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    sites = [
        LocalSite(**{**site, "prefectures": tuple(site["prefectures"])})
        for site in fields.pop("sites")
    ]
    hosts = [LocalHost(**host) for host in fields.pop("hosts")]
    return PoolState(**fields, sites=tuple(sites), hosts=tuple(hosts))


def forget(root: Path) -> None:
    (root / _FILE).unlink(missing_ok=True)
