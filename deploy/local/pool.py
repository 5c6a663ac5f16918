"""A whole pool of hosts on one machine, with the switches that a machine room has: power, network.

`LocalPool.create` writes down what it is about to make, makes it, and starts every host. The pool
outlives the process that made it; `LocalPool.remove` takes away every trace of it, also after a
crash half way, and touches only namespaces, links, processes and files of this pool.
"""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from control_plane.model.errors import YuiError
from control_plane.model.ids import HostId, is_name
from control_plane.model.pool import Endpoint
from control_plane.model.units import GiB, MiB, Seconds, VCpu
from deploy.local import network, processes
from deploy.local import state as pool_state
from deploy.local.accounts import write_accounts
from deploy.local.daemon_settings import LIBVIRT_PORT, write_settings
from deploy.local.description import Bmc, LocalFlavor, connection, pool_description
from deploy.local.kvm_probe import kvm_works
from deploy.local.prerequisites import require_local_hosts, search_path
from deploy.local.state import LocalHost, LocalSite, PoolState

__all__ = ["LocalHost", "LocalPool", "LocalSite"]

_INIT = Path(__file__).with_name("host_init.sh")
_OVERLAID = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
_HOST_FOLDERS = ("etc", "lib", "cache", "log")
_NAMESPACE_UUID = uuid.UUID("8f1e8a51-3a0c-4c6e-9d2b-6f5d1c0a7e44")
_VCPUS = VCpu(16)
_MEMORY = MiB(2048)
_STORAGE = GiB(20)
_STORAGE_MARK = "yui-pool"
"""The directory by which the driver knows that storage is mounted and not an empty mount point."""


class LocalPool:
    """The hosts of one pool; safe to use from several threads, a host at a time."""

    def __init__(self, root: Path, state: PoolState) -> None:
        self.root = root
        self._state = state
        self._hosts = {host.id: host for host in state.hosts}
        self._starters: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def create(
        root: Path,
        sites: Sequence[LocalSite],
        hosts_per_site: int = 3,
        *,
        subnet: str = network.DEFAULT_SUBNET,
        accelerated: bool | None = None,
        segments: bool = False,
    ) -> LocalPool:
        """Make the pool under `root` and start every host, named `<site>-1` and on.

        `accelerated` says whether hosts may see /dev/kvm; None finds out. With `segments` hosts keep
        members' networks apart, as their network agents are told (`network_agent`), and this machine is
        the sites' router, which needs a route to each network by the hosts that carry it. Raises YuiError where this
        machine can't run hosts, `root` holds a pool already, or `subnet` (a private IPv4 /16) is in
        use; nothing is left behind then."""
        require_local_hosts()
        network_range = network.parse_subnet(subnet)
        _check_size(sites, hosts_per_site)
        network.require_free(network_range)
        root = root.resolve()
        made_root = not root.exists()
        root.mkdir(parents=True, exist_ok=True)
        prefix = pool_state.prefix_for(root)
        if pool_state.load(root) is not None or _names(prefix):
            raise pool_state.exists_already(root)
        state = PoolState(
            prefix=prefix,
            subnet=str(network_range),
            accelerated=kvm_works() if accelerated is None else accelerated,
            made_root=made_root,
            segments=segments,
            sites=tuple(sites),
            hosts=tuple(
                LocalHost(
                    id=HostId(f"{site.id}-{number}"),
                    site=site.id,
                    address=network.address(network_range, site_number, number),
                    namespace=f"{prefix}-{site.id}-{number}",
                    link=f"{prefix}-{site_number}-{number}",
                )
                for site_number, site in enumerate(sites, start=1)
                for number in range(1, hosts_per_site + 1)
            ),
        )
        pool_state.claim(root, state)
        pool = LocalPool(root, state)
        try:
            pool._build()
        except BaseException:
            pool.destroy()
            raise
        return pool

    @staticmethod
    def open(root: Path) -> LocalPool | None:
        """The pool that another process made under `root`; None where there is none."""
        root = root.resolve()
        state = pool_state.load(root)
        return None if state is None else LocalPool(root, state)

    @staticmethod
    def remove(root: Path) -> bool:
        """Destroy the pool under `root`, whoever made it, also when its files are gone already;
        False where there was none."""
        pool = LocalPool.open(root)
        if pool is not None:
            pool.destroy()
            return True
        prefix = pool_state.prefix_for(root.resolve())
        orphaned = bool(_names(prefix))
        _remove_names(prefix)
        return orphaned

    @property
    def hosts(self) -> tuple[LocalHost, ...]:
        return self._state.hosts

    @property
    def sites(self) -> tuple[LocalSite, ...]:
        return self._state.sites

    @property
    def subnet(self) -> str:
        return self._state.subnet

    @property
    def gateway(self) -> str:
        """This machine's own address in the pool's network, such as `10.77.0.1`."""
        return network.address(self._range, 0, 1)

    def office(self, number: int) -> str:
        """An address of this machine, other than `gateway`, from which to speak as one office."""
        return network.add_office(self._state.fabric, self._range, number)

    @property
    def accelerated(self) -> bool:
        """Whether servers run on KVM here rather than by emulation."""
        return self._state.accelerated

    @property
    def segments(self) -> bool:
        """Whether the hosts keep members' networks apart."""
        return self._state.segments

    @property
    def _range(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self._state.subnet)

    def host(self, host: HostId) -> LocalHost:
        """Raises YuiError for a host that the pool doesn't have."""
        try:
            return self._hosts[host]
        except KeyError:
            raise YuiError(
                "host-not-found",
                en=f"There is no host '{host}' in the pool in {self.root}: its hosts are {', '.join(self._hosts)}.",
                ja=f"{self.root} のプールにホスト「{host}」はありません。あるのは {', '.join(self._hosts)} です。",
                status=404,
            ) from None

    def storage(self, site: str) -> Path:
        """The shared directory of a site, at this path on all its hosts and on this machine."""
        return self.root / "storage" / site

    def endpoint(self, host: HostId, bmc: Bmc | None = None) -> Endpoint:
        return Endpoint(
            **connection(self.host(host), self.root / "storage", bmc, segments=self.segments)
        )

    def describe(
        self,
        *,
        bmcs: Mapping[HostId, Bmc] | None = None,
        flavors: Sequence[LocalFlavor] = (),
        vcpus: VCpu = _VCPUS,
        memory: MiB = _MEMORY,
        storage_capacity: GiB = _STORAGE,
    ) -> dict[str, object]:
        """The pool in the shape of a pool file: what each host and each site's storage hand out."""
        return pool_description(
            subnet=self._range,
            storage=self.root / "storage",
            segments=self.segments,
            sites=self.sites,
            hosts=self.hosts,
            bmcs=bmcs or {},
            flavors=flavors,
            vcpus=vcpus,
            memory=memory,
            storage_capacity=storage_capacity,
        )

    def _build(self) -> None:
        for path in _OVERLAID:
            Path(path).mkdir(parents=True, exist_ok=True)
        for site in self.sites:
            storage = self.storage(site.id)
            (storage / "leases").mkdir(parents=True)
            (storage / _STORAGE_MARK).mkdir()
        gateways = 0 if self.segments else len(self.sites)
        network.make_fabric(self._state.fabric, self._range, gateways)
        for host in self.hosts:
            self._furnish(host)
            network.plug_in(
                host.namespace,
                host.link,
                self._state.fabric,
                f"{host.address}/{self._range.prefixlen}",
            )
        for host in self.hosts:
            self._boot(host)
        for host in self.hosts:
            self._wait_until_up(host)

    def _folder(self, host: LocalHost) -> Path:
        return self.root / "hosts" / host.id

    def _furnish(self, host: LocalHost) -> None:
        folder = self._folder(host)
        for name in _HOST_FOLDERS:
            (folder / name).mkdir(parents=True)
        # Every host has its own identity, or libvirt takes a migration for one to itself.
        identity = uuid.uuid5(_NAMESPACE_UUID, f"{self._state.prefix}/{host.id}")
        write_settings(folder / "etc", address=host.address, uuid=str(identity))
        names = ["127.0.0.1 localhost", *(f"{peer.address} {peer.id}" for peer in self.hosts)]
        (folder / "hosts").write_text("\n".join(names) + "\n")
        write_accounts(folder)

    def start_host(self, host: HostId) -> None:
        """Start a host that is off and wait until its libvirt answers; success where it is on."""
        self.power_on(host)

    def power_on(self, host: HostId) -> None:
        """Boot the host with nothing running on it. Returns once its libvirt answers, or, while its
        network is cut, once it has begun to boot."""
        chosen = self.host(host)
        if not self.is_on(host):
            self._boot(chosen)
        if network.is_up(chosen.link):
            self._wait_until_up(chosen)

    def power_off(self, host: HostId) -> None:
        """Cut the host's power: every process on it, servers too, dies at once. Idempotent."""
        chosen = self.host(host)
        processes.kill_all(chosen.namespace)
        # A machine without power shows no carrier, so that switches forget what was behind it.
        network.ip("link", "set", "uplink", "down", namespace=chosen.namespace)
        if self.segments:
            network.forget_segments(chosen.namespace)
        self._reap()

    def is_on(self, host: HostId) -> bool:
        return processes.init_of(self.host(host).namespace) is not None

    def cut_network(self, host: HostId) -> None:
        """Pull the host's cable: it and its servers run on, and nobody reaches them."""
        network.ip("link", "set", self.host(host).link, "down")

    def join_network(self, host: HostId) -> None:
        network.ip("link", "set", self.host(host).link, "up")

    def command_on(self, host: HostId, *command: str) -> list[str]:
        """The argument vector that runs `command` inside a host that is on; it dies with the host.

        Raises YuiError where the host is off."""
        first = processes.init_of(self.host(host).namespace)
        if first is None:
            raise YuiError(
                "host-is-off",
                en=f"Host {host} is off, so nothing can be run on it: power it on first.",
                ja=f"ホスト {host} の電源が切れているため、何も実行できません。先に電源を入れてください。",
                status=409,
            )
        nsenter = shutil.which("nsenter", path=search_path()) or "nsenter"
        return [
            nsenter, f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *command,
        ]  # fmt: skip

    def _boot(self, host: LocalHost) -> None:
        folder = self._folder(host)
        network.ip("link", "set", "uplink", "up", namespace=host.namespace)
        if self.segments:
            network.ip("route", "replace", "default", "via", self.gateway, namespace=host.namespace)
        command = [
            "ip", "netns", "exec", host.namespace,
            "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc",
            "/bin/sh", str(_INIT), str(folder), host.id,
            "no" if self._state.accelerated else "yes",
        ]  # fmt: skip
        with (folder / "log" / "boot.log").open("ab") as log:
            starter = subprocess.Popen(  # noqa: S603
                command,
                env={"PATH": search_path(), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        self._starters.append(starter)

    def _wait_until_up(self, host: LocalHost, patience: Seconds = Seconds(60.0)) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection((host.address, LIBVIRT_PORT), timeout=1.0).close()
                return
            time.sleep(0.05)
        log = self._folder(host) / "log"
        said = "; ".join(
            line
            for name in ("boot.log", "libvirtd.log")
            if (log / name).exists()
            for line in (log / name).read_text(errors="replace").splitlines()[-3:]
        )
        raise YuiError(
            "local-host-not-up",
            en=f"Host {host.id} did not come up within {patience:.0f} s; its last words: {said[:600] or 'none'}.",
            ja=f"ホスト {host.id} が {patience:.0f} 秒以内に起動しませんでした。最後の出力: {said[:600] or 'なし'}",
            status=500,
        )

    def destroy(self) -> None:
        """Remove every trace: processes, namespaces, links, mounts and files. Repeatable."""
        _remove_names(self._state.prefix)
        self._reap()
        for folder in (self.root / "hosts", self.root / "storage"):
            if folder.exists():
                shutil.rmtree(folder)
        pool_state.forget(self.root)
        if self._state.made_root:
            with contextlib.suppress(OSError):
                self.root.rmdir()

    def _reap(self) -> None:
        self._starters = [starter for starter in self._starters if starter.poll() is None]


def _names(prefix: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The namespaces and links of the pool with this prefix; None where there are none."""
    namespaces = {name for name in network.namespaces() if name.startswith(f"{prefix}-")}
    links = {name for name in network.links() if name.startswith(f"{prefix}-")}
    return (frozenset(namespaces), frozenset(links)) if namespaces or links else None


def _remove_names(prefix: str) -> None:
    namespaces, links = _names(prefix) or (frozenset(), frozenset())
    for name in namespaces:
        processes.kill_all(name)
    for name in namespaces:
        network.ip("netns", "delete", name)
    for link in links:
        # A host's link goes with its namespace, which the kernel takes apart in its own time.
        with contextlib.suppress(YuiError):
            network.ip("link", "delete", link)


def _check_size(sites: Sequence[LocalSite], hosts_per_site: int) -> None:
    names = [site.id for site in sites]
    fits = 1 <= len(sites) <= network.MAX_SITES
    fits = fits and 1 <= hosts_per_site <= network.MAX_HOSTS_PER_SITE
    if not fits or len(set(names)) != len(names) or not all(is_name(name) for name in names):
        raise YuiError(
            "local-pool-invalid",
            en=f"A pool has 1 to {network.MAX_SITES} sites with different names of a–z, 0–9 and hyphens, and 1 to {network.MAX_HOSTS_PER_SITE} hosts each: check the sites {', '.join(names) or '(none)'} and the {hosts_per_site} hosts each.",
            ja=f"プールには、a–z・0–9・ハイフンからなる異なる名前のサイトが 1〜{network.MAX_SITES} か所、ホストが各 1〜{network.MAX_HOSTS_PER_SITE} 台必要です。サイト {', '.join(names) or '(なし)'} と台数 {hosts_per_site} を確認してください。",
        )
