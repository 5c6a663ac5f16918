"""A whole Yui on one machine: hosts, their BMCs and agents, an image, and the API on loopback.

Everything is made under one folder and outlives the process that made it; `remove` takes all of it
away again, whoever made it and however far that came.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.cli.private_file import write_private
from control_plane.cli.settings import Settings
from control_plane.model.errors import YuiError
from control_plane.model.units import GiB, MiB, Seconds, VCpu
from deploy.local import bmc, daemon, network
from deploy.local.agent import start_agent
from deploy.local.description import LocalFlavor
from deploy.local.free_port import free_port
from deploy.local.network_agent import start_network_agent
from deploy.local.pool import LocalPool, LocalSite
from deploy.local.prerequisites import require_local_hosts
from images.tiny_guest import BuiltImage, build_tiny

TRIAL_SITES = (
    LocalSite("hokkaido", "hokkaido", "北海道データセンター", "北海道", ("北海道",)),
    LocalSite("kyoto", "kyoto", "京都データセンター", "京都", ("京都府",)),
    LocalSite(
        "saga", "saga", "佐賀データセンター", "佐賀", ("佐賀県", "徳島県", "大分県", "宮崎県")
    ),
)
"""The three data centres of the 2009–2011 trial and whom they served."""

_HOSTS_PER_SITE = 3
_SMALL, _LARGER = MiB(112), MiB(128)
FLAVORS = (
    LocalFlavor("m1.small", VCpu(1), _SMALL, GiB(1)),
    LocalFlavor("m1.medium", VCpu(1), _SMALL, GiB(1)),
    LocalFlavor("m1.large", VCpu(1), _LARGER, GiB(1)),
    LocalFlavor("m1.xlarge", VCpu(1), _LARGER, GiB(1)),
)
"""The blueprints' sizes, shrunk to what the tiny guest needs."""

_SOCKET = "api.sock"
_API_TIME_TO_BEGIN: Seconds = Seconds(60.0)


class LocalCloud:
    """`root` holds pool/ (hosts and storage), images/, exports/ (of members that leave), run/
    (processes, state, token)."""

    def __init__(self, root: Path, pool: LocalPool) -> None:
        self.root = root
        self.pool = pool

    @staticmethod
    def create(
        root: Path,
        members: Path,
        *,
        tell: Callable[[str], None] = lambda _: None,
        images: Path | None = None,
        sites: Sequence[LocalSite] = TRIAL_SITES,
        hosts_per_site: int = _HOSTS_PER_SITE,
        segments: bool = False,
    ) -> LocalCloud:
        """Make everything and wait until the API has taken the pool in. `members` is the register;
        `images` a folder that keeps built images for later (None: they go with the rest); `tell`
        hears what is being made. With `segments` each member's network is its own, and this machine
        is the sites' router: it reaches servers as one of its member's offices, once the member has
        declared `LocalPool.office` as such. Raises YuiError; nothing is left behind then."""
        require_local_hosts()
        root = root.resolve()
        try:
            tell("image")
            image = build_tiny(images or root / "images")
            tell(f"{len(sites) * hosts_per_site} hosts")
            pool = _pool_in_a_free_network(root / "pool", sites, hosts_per_site, segments)
            cloud = LocalCloud(root, pool)
            tell("API")
            cloud._start(image, members)
        except BaseException:
            LocalCloud.remove(root)
            raise
        return cloud

    @staticmethod
    def open(root: Path) -> LocalCloud | None:
        """What another process made under `root`; None where there is nothing."""
        pool = LocalPool.open(root / "pool")
        return None if pool is None else LocalCloud(root.resolve(), pool)

    @staticmethod
    def remove(root: Path) -> bool:
        """Take away what `create` made under `root`; False where there was nothing."""
        root = root.resolve()
        if not root.exists():
            return False
        for name in ("router", "api"):
            daemon.stop(name, root / "run")
        daemon.stop("bmc", root / "run")
        LocalPool.remove(root / "pool")
        shutil.rmtree(root)
        return True

    @property
    def url(self) -> str:
        return (self.root / "run" / "url").read_text().strip()

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def token_file(self) -> Path:
        return self.root / "run" / "token"

    @property
    def approver_token_file(self) -> Path:
        return self.root / "run" / "approver-token"

    @property
    def hypervisor(self) -> str:
        return (
            "libvirt/QEMU with KVM" if self.pool.accelerated else "libvirt/QEMU by emulation (TCG)"
        )

    def api(self, language: Language = Language.EN) -> Api:
        return Api(Settings(self.url, self.token_file, None), language)

    def approver(self, language: Language = Language.EN) -> Api:
        """As the second person."""
        return Api(Settings(self.url, self.approver_token_file, None), language)

    def destroy(self) -> None:
        LocalCloud.remove(self.root)

    def _start(self, image: BuiltImage, members: Path) -> None:
        run = self.root / "run"
        run.mkdir(parents=True)
        bmcs = bmc.start(self.pool, run)
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda host: start_agent(self.pool, host.id), self.pool.hosts))
        url = self._start_api(image.path.parent, members)
        (run / "url").write_text(url + "\n")
        self._wait_for_api()
        api = self.api()
        try:
            api.put("/v1/pool", self.pool.describe(bmcs=bmcs, flavors=FLAVORS))
            api.post(
                "/v1/images",
                {
                    "id": "tiny",
                    "name": image.name,
                    "version": image.version,
                    "path": image.path.name,
                    "provenance": image.provenance,
                    "sha256": image.sha256,
                    # The seed is read by its own /init, which nobody can see from outside.
                    "declares": {"cloud_init": "nocloud", "no_host_pinning": True},
                },
            )
            if self.pool.segments:
                self._start_networks(api)
        finally:
            api.close()

    def _start_networks(self, api: Api) -> None:
        run = self.root / "run"
        scopes = ["host-network.read"]
        account = api.post(
            "/v1/service-accounts", {"name": "hosts", "role": "auditor", "scopes": scopes}
        )
        issued = api.post(f"/v1/service-accounts/{account['id']}/tokens", {"scopes": scopes})
        token_file = run / "network-token"
        write_private(token_file, lambda: f"{issued['token']}\n")
        for host in self.pool.hosts:
            start_network_agent(self.pool, host.id, f"unix:{run / _SOCKET}", token_file)
        command = [
            sys.executable, "-m", "deploy.local.router", "--pool-root", str(self.pool.root),
        ]  # fmt: skip
        checkout = str(Path(__file__).resolve().parents[2])
        daemon.start("router", command, run, {**os.environ, "PYTHONPATH": checkout})

    def _start_api(self, images: Path, members: Path) -> str:
        run, port = self.root / "run", free_port()
        command = [
            sys.executable, "-m", "control_plane.cli", "serve",
            "--database", f"sqlite:///{run / 'state.db'}",
            "--plain-http", "--port", str(port), "--socket", str(run / _SOCKET),
            "--register", str(members.resolve()), "--images", str(images),
            "--export-dir", str(self.exports),
            "--first-token", str(self.token_file),
            "--first-approver-token", str(self.approver_token_file),
        ]  # fmt: skip
        daemon.start("api", command, run, {**os.environ, "PYTHONUNBUFFERED": "1"})
        return f"http://127.0.0.1:{port}"

    def _wait_for_api(self) -> None:
        give_up = time.monotonic() + _API_TIME_TO_BEGIN
        while True:
            try:
                api = self.api()
            except YuiError as error:
                waiting: YuiError = error
            else:
                try:
                    api.get("/healthz")
                    return
                except YuiError as error:
                    waiting = error
                finally:
                    api.close()
            if time.monotonic() > give_up or not daemon.is_running("api", self.root / "run"):
                said = daemon.last_words("api", self.root / "run")
                raise YuiError(
                    "local-api-not-up",
                    en=f"The API did not begin to answer ({waiting.en}); its last words: {said or 'none'}.",
                    ja=f"API が応答を始めませんでした({waiting.ja})。最後の出力: {said or 'なし'}",
                    status=500,
                )
            time.sleep(0.1)


def _pool_in_a_free_network(
    root: Path, sites: Sequence[LocalSite], hosts_per_site: int, segments: bool
) -> LocalPool:
    """The usual network where nothing else has it, else the next one."""
    for tries_left in (4, 3, 2, 1, 0):
        try:
            return LocalPool.create(
                root, sites, hosts_per_site, subnet=network.free_subnet(), segments=segments
            )
        except YuiError as refused:
            # Another pool on this machine took the same network a moment earlier.
            if refused.type != "local-subnet-in-use" or not tries_left:
                raise
    raise AssertionError("the last try returns or raises")
