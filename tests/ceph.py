"""Data centres of the tests' own: Ceph clusters with S3 gateways, which vanish with them.

Each has one monitor, one disk and one gateway, listens on loopback alone, and keeps everything in a
temporary folder: about 130 MB of memory, and a disk that is sparse.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import botocore.session
import httpx

_PROGRAMS = {
    "ceph": "ceph-common",
    "ceph-authtool": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "monmaptool": "ceph-common",
    "radosgw": "radosgw",
    "radosgw-admin": "radosgw",
    "setpriv": "util-linux",
}
_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to whoever asks for any."""
_AT_ONCE = 48
"""How many ports one cluster may use, one after another."""
_PATIENCE = 120.0


class NoCeph(Exception):
    """Says in a sentence why no cluster can be had here."""


class CephFailed(Exception):
    """Its programs are here, and do not do what they should."""


@dataclass(frozen=True)
class S3User:
    name: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass
class Ceph:
    """A running data centre. `endpoint` is its gateway's address."""

    folder: Path
    port: int
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def new_user(self) -> S3User:
        name = f"user{next(self._numbers)}"
        user = S3User(name, f"AK{name}", f"SK{uuid.uuid4().hex}")
        self._admin(
            *("user", "create", f"--uid={name}", f"--display-name={name}"),
            *(f"--access-key={user.access_key}", f"--secret-key={user.secret_key}"),
        )
        return user

    def revoke(self, user: S3User) -> None:
        """Its credentials are not accepted any more."""
        self._admin("key", "rm", f"--uid={user.name}", f"--access-key={user.access_key}")

    def new_credentials(self, user: S3User) -> S3User:
        """Further ones of the same user."""
        other = S3User(user.name, f"AK{uuid.uuid4().hex}", f"SK{uuid.uuid4().hex}")
        self._admin(
            *("key", "create", f"--uid={user.name}"),
            *(f"--access-key={other.access_key}", f"--secret-key={other.secret_key}"),
        )
        return other

    def limit(self, user: S3User, bucket: str, size: int) -> None:
        """No more than `size` bytes fit into the bucket."""
        where = ("--quota-scope=bucket", f"--uid={user.name}", f"--bucket={bucket}")
        self._admin("quota", "set", *where, f"--max-size={size}")
        self._admin("quota", "enable", *where)

    def lift_limit(self, user: S3User, bucket: str) -> None:
        self._admin(
            *("quota", "disable", "--quota-scope=bucket", f"--uid={user.name}"),
            f"--bucket={bucket}",
        )

    def client(self, user: S3User) -> Any:
        """What anybody with these credentials can do."""
        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=user.access_key,
            aws_secret_access_key=user.secret_key,
        )

    def new_bucket(self, user: S3User, *, object_lock: bool = False) -> str:
        name = f"bucket{next(self._numbers)}"
        self.client(user).create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
        return name

    def kill_gateway(self) -> None:
        """SIGKILL, in whatever it is doing."""
        self._end("radosgw")

    def kill(self) -> None:
        """SIGKILL to all of it, as when the power of a data centre fails."""
        for program in ("radosgw", "ceph-osd", "ceph-mon"):
            self._end(program)

    def start(self) -> None:
        """Whatever of it does not run; comes back once the gateway answers. It lives no longer than the
        thread that starts it."""
        self._begin("ceph-mon", "-i", "a")
        # Told by the monitor what is in the file anyway, they forget the cluster's id for a moment.
        self._begin("ceph-osd", "-i", "0", "--no-mon-config")
        self._begin("radosgw", "-n", "client.rgw", "--no-mon-config")
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(httpx.HTTPError):
                # Without credentials the answer is a listing of nothing; 503 while it starts.
                if httpx.get(self.endpoint, timeout=5).status_code == 200:
                    return
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise CephFailed(f"Ceph did not start ({', '.join(ended)}): {self._why()}")
            time.sleep(0.05)

    def _begin(self, program: str, *arguments: str) -> None:
        running = self._running.get(program)
        if running is not None and running.poll() is None:
            return
        with (self.folder / f"{program}.out").open("ab") as out:
            self._running[program] = subprocess.Popen(
                # It dies with the tests, also when they are killed.
                [
                    *("setpriv", "--pdeathsig", "KILL", program, "-f"),
                    *("-c", str(self.folder / "ceph.conf"), *arguments),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def _end(self, program: str) -> None:
        running = self._running.pop(program, None)
        if running is not None:
            running.send_signal(signal.SIGKILL)
            running.wait(30)

    def _why(self) -> str:
        written = [path.read_text(errors="replace")[-300:] for path in self.folder.glob("*.out")]
        return " / ".join(text.strip() for text in written if text.strip())

    def _admin(self, *arguments: str) -> object:
        done = self._run("radosgw-admin", *arguments)
        return json.loads(done) if done.strip() else None

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [program, "-c", str(self.folder / "ceph.conf"), *arguments],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        if done.returncode != 0:
            raise CephFailed(f"{program} {' '.join(arguments[:2])} failed: {done.stderr[-500:]}")
        return done.stdout


@contextlib.contextmanager
def running_ceph() -> Iterator[Ceph]:
    """Raises NoCeph where the programs are missing."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise NoCeph(f"the program {program} is missing (apt: {package})")
    # Paths of sockets must be short.
    beside = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    folder = Path(tempfile.mkdtemp(prefix="yui-ceph-", dir=beside))
    first = _free_ports()
    cluster = Ceph(folder, first + 1)
    try:
        _lay_out(cluster, first)
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(cluster: Ceph, first: int) -> None:
    folder = cluster.folder
    for name in ("mon", "osd", "run", "gateway"):
        (folder / name).mkdir()
    cluster_id, disk_id = str(uuid.uuid4()), str(uuid.uuid4())
    (folder / "ceph.conf").write_text(_configuration(folder, cluster_id, first))
    keyring, map_file = str(folder / "keyring"), str(folder / "monmap")
    cluster._run(
        *("ceph-authtool", "--create-keyring", keyring),
        *("--gen-key", "-n", "mon.", "--cap", "mon", "allow *"),
    )
    cluster._run(
        *("monmaptool", "--create", "--fsid", cluster_id),
        *("--addv", "a", f"[v1:127.0.0.1:{first}]", map_file),
    )
    cluster._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", map_file, "--keyring", keyring)
    cluster._begin("ceph-mon", "-i", "a")
    cluster._run("ceph", "osd", "new", disk_id)
    cluster._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk_id)


def _free_ports() -> int:
    """The first of `_AT_ONCE` ports in a row that nobody listens on. Drawn with nobody's seed: workers that
    test side by side would draw the same."""
    while True:
        first = _PORTS.start + secrets.randbelow(len(_PORTS) - _AT_ONCE)
        with contextlib.ExitStack() as opened:
            try:
                for port in range(first, first + _AT_ONCE):
                    tried = opened.enter_context(socket.socket())
                    tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


def _configuration(folder: Path, cluster_id: str, first: int) -> str:
    settings = {
        "fsid": cluster_id,
        "mon_host": f"[v1:127.0.0.1:{first}]",
        "mon_initial_members": "a",
        "public_addr": "127.0.0.1",
        # Whoever reaches loopback may speak to the disk: what is tested is the gateway's own door.
        "auth_cluster_required": "none",
        "auth_service_required": "none",
        "auth_client_required": "none",
        "keyring": folder / "keyring",
        "ms_bind_port_min": first + 8,
        "ms_bind_port_max": first + _AT_ONCE - 1,
        # One monitor agrees with itself: it need not gather what it decides.
        "paxos_propose_interval": 0.02,
        "paxos_min_wait": 0.01,
        "osd_pool_default_size": 1,
        "osd_pool_default_min_size": 1,
        "osd_pool_default_pg_num": 1,
        "osd_pool_default_pg_autoscale_mode": "off",
        "mon_allow_pool_size_one": "true",
        "osd_crush_chooseleaf_type": 0,
        "mon_data": folder / "mon",
        "osd_data": folder / "osd",
        "osd_objectstore": "bluestore",
        "bluestore_block_size": 16 << 30,
        "bluestore_cache_autotune": "false",
        "bluestore_cache_size": 64 << 20,
        "log_to_stderr": "true",
        "log_file": "",
        "run_dir": folder / "run",
        "crash_dir": folder / "run",
        "admin_socket": "",
        "pid_file": "",
        "rgw_frontends": f"beast endpoint=127.0.0.1:{first + 1}",
        "rgw_thread_pool_size": 32,
        # What was used counts against a quota at once.
        "rgw_bucket_quota_ttl": 0,
        "rgw_user_quota_bucket_sync_interval": 0,
        # Credentials that are revoked are so at once.
        "rgw_cache_enabled": "false",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    return f"[global]\n{lines}[client.rgw]\nrgw_data = {folder / 'gateway'}\n"
