"""A Kubernetes of the tests' own: one node that really runs pods, in a network namespace made for it, which
vanishes with all of it.

Its programs are found through YUI_TEST_KUBERNETES (an archive or a folder of kube-apiserver,
kube-controller-manager, kube-scheduler and kubelet) or beside the checkout; etcd, containerd, runc and
the network plugins are Debian's. The API is also to be had on loopback, through sockets that were
opened inside the namespace. Where YUI_TEST_KUBECONFIG names a cluster, that one is used as it is, and
images are its owner's business.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from control_plane.drivers.kubernetes import volume_agent

_ARCHIVES = Path("../shared/lab/kubernetes")
_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
_NEEDED = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "openssl": "openssl",
    "ip": "iproute2",
}
_PLUGINS = Path("/usr/lib/cni")
_BUSYBOX = Path("/bin/busybox")
_PATIENCE = 120.0
_NODE = "node"
_ADDRESS = "10.77.0.1"
BUSYBOX = "localhost/yui-test-busybox:1"
"""An image of busybox alone."""


class NoKubernetes(Exception):
    """Says in a sentence why no cluster can be had here."""


class KubernetesFailed(Exception):
    """Its programs are here, and do not do what they should."""


@dataclass
class Cluster:
    """`node` is the name of its one node; `folder` holds all that it keeps, and volumes may be made in it."""

    folder: Path
    kubeconfig: Path
    node: str = _NODE
    _namespace: str = ""
    _keeper: subprocess.Popen[bytes] | None = None
    """Holds the mount namespace."""
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def load_image(self, archive: Path) -> None:
        """Into the node's containerd."""
        self._ctr("images", "import", "--digests=false", str(archive))

    def ready(self) -> bool:
        """Whether the node takes pods."""
        from kubernetes import client
        from kubernetes.client.exceptions import ApiException

        try:
            nodes = client.CoreV1Api(self.api()).list_node().items
        except (ApiException, OSError):
            return False
        return any(
            condition.type == "Ready" and condition.status == "True"
            for node in nodes
            for condition in node.status.conditions or ()
        )

    def api(self) -> Any:
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig))

    def _ctr(self, *arguments: str) -> None:
        self._inside(
            *("ctr", "--address", str(self.folder / "run/containerd.sock")),
            *("--namespace", "k8s.io", *arguments),
        )

    def _inside(self, *command: str) -> str:
        done = subprocess.run(
            [*self._enter(), *command],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        if done.returncode:
            raise KubernetesFailed(f"{' '.join(command[:4])}: {done.stderr[-400:]}")
        return done.stdout

    def _begin(self, name: str, *command: str, env: Mapping[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as out:
            self._running.append(
                subprocess.Popen(
                    [
                        *self._enter(),
                        # It dies with the tests, also when they are killed.
                        *("setpriv", "--pdeathsig", "KILL", *command),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=self.folder,
                    env={**os.environ, **(env or {})},
                    start_new_session=True,
                )
            )

    def _enter(self) -> list[str]:
        if self._keeper is None:
            return ["nsenter", f"--net=/run/netns/{self._namespace}"]
        return ["nsenter", f"--target={self._keeper.pid}", "--net", "--mount"]

    def _mount_apart(self) -> None:
        """What is mounted for pods, their network namespaces' names and addresses are seen in here alone."""
        script = (
            "mount --make-rshared / && mount -t tmpfs none /run/netns"
            " && mkdir -p /var/lib/cni /run/containerd"
            " && mount -t tmpfs none /var/lib/cni && mount -t tmpfs none /run/containerd"
            " && echo ready && exec sleep 2147483647"
        )
        command = ["unshare", "--mount", "--propagation=private", "sh", "-c", script]
        self._keeper = subprocess.Popen(
            [*self._enter(), "setpriv", "--pdeathsig", "KILL", *command], stdout=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise KubernetesFailed("no mount namespace can be made here")

    def _why(self) -> str:
        said = []
        for path in sorted(self.folder.glob("*.log")):
            lines = path.read_text(errors="replace").strip().splitlines()
            said.append(f"{path.stem}: {' | '.join(lines[-3:])}")
        return "\n".join(said)[-3000:]


def image_archive(
    path: Path, reference: str, files: Mapping[str, bytes | str], command: Sequence[str]
) -> Path:
    """An image of these files, as `docker save` writes it. Text is where a symbolic link leads."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin:/usr/bin"], "Cmd": command},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{sha256(layer.getvalue()).hexdigest()}"],
            },
        }
    ).encode()
    name = f"{sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    with tarfile.open(path, mode="w") as tar:
        for part, data in (
            (name, config),
            ("layer.tar", layer.getvalue()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            entry = tarfile.TarInfo(part)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def agent_image(cluster: Cluster) -> str:
    """An image of this machine's own Python and what of its library the agent beside volumes needs, on the
    node; its reference. YUI_TEST_AGENT_IMAGE names another, for a cluster that is not ours."""
    given = os.environ.get("YUI_TEST_AGENT_IMAGE")
    if given:
        return given
    if not cluster._namespace:
        raise NoKubernetes("YUI_TEST_AGENT_IMAGE names no image with a python3 for the cluster")
    python = Path("/usr/bin/python3").resolve()
    if not python.exists():
        raise NoKubernetes("the machine's own Python is missing (apt: python3-minimal)")
    agent = Path(volume_agent.__file__)
    listing = (
        "import sys, runpy; runpy.run_path(sys.argv[1]); import encodings.utf_8, encodings.ascii;"
        "print('\\n'.join(m.__file__ for m in list(sys.modules.values())"
        " if getattr(m, '__file__', None) and m.__name__ != '__main__'))"
    )
    used = _said(str(python), "-I", "-S", "-c", listing, str(agent)).split()
    linked = [word for word in _said("ldd", str(python)).split() if word.startswith("/")]
    files: dict[str, bytes | str] = {
        name.lstrip("/"): Path(name).read_bytes() for name in (*used, *linked, str(python))
    }
    files["usr/bin/python3"] = python.name
    reference = "localhost/yui-test-python:1"
    cluster.load_image(image_archive(cluster.folder / "python.tar", reference, files, ["python3"]))
    return reference


def _said(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


@contextlib.contextmanager
def running_kubernetes() -> Iterator[Cluster]:
    """Raises NoKubernetes where none can be had."""
    given = os.environ.get("YUI_TEST_KUBECONFIG")
    if given:
        with tempfile.TemporaryDirectory() as folder:
            yield Cluster(Path(folder), Path(given))
        return
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="yui-k8s-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    cluster = Cluster(folder, folder / "kubeconfig", _namespace=f"yk-{uuid.uuid4().hex[:8]}")
    with contextlib.ExitStack() as opened:
        opened.callback(_removed, cluster)
        _unpack(programs, folder / "bin")
        _network(cluster)
        cluster._mount_apart()
        _control_plane(cluster)
        port = opened.enter_context(_door(cluster, 16443))
        _kubeconfig(cluster.kubeconfig, port)
        _kubeconfig(folder / "inside", 16443)
        _wait(cluster, "the API", lambda: _answers(port))
        _rest(cluster)
        _wait(cluster, "the node", cluster.ready)
        yield cluster


def _programs() -> Path:
    """The archive, or the folder."""
    if os.geteuid() != 0:
        raise NoKubernetes("only root can run a Kubernetes node")
    for program, package in _NEEDED.items():
        if shutil.which(program) is None:
            raise NoKubernetes(f"the program {program} is missing (apt: {package})")
    if not (_PLUGINS / "bridge").exists():
        raise NoKubernetes("the network plugins are missing (apt: containernetworking-plugins)")
    if not _BUSYBOX.exists():
        raise NoKubernetes("busybox is missing (apt: busybox-static)")
    given = os.environ.get("YUI_TEST_KUBERNETES")
    if given:
        return Path(given)
    checkout = Path(__file__).resolve().parent.parent
    found = sorted((checkout / _ARCHIVES).glob("kubernetes-*.tar.xz"))
    if not found:
        raise NoKubernetes(
            "Kubernetes itself is missing: name an archive or a folder of its programs in"
            " YUI_TEST_KUBERNETES, or a cluster in YUI_TEST_KUBECONFIG"
        )
    return found[-1]


def _unpack(programs: Path, into: Path) -> None:
    into.mkdir()
    if programs.is_dir():
        for name in _PROGRAMS:
            (into / name).symlink_to(programs / name)
        return
    subprocess.run(["tar", "-xJf", programs, "-C", into], check=True, timeout=_PATIENCE)


def _network(cluster: Cluster) -> None:
    subprocess.run(["ip", "netns", "add", cluster._namespace], check=True, timeout=30)
    for command in (
        "ip link set lo up",
        "ip link add node0 type bridge",
        f"ip addr add {_ADDRESS}/24 dev node0",
        "ip link set node0 up",
        f"ip route add default via {_ADDRESS} dev node0",
    ):
        cluster._inside(*command.split())


def _control_plane(cluster: Cluster) -> None:
    folder = cluster.folder
    subprocess.run(
        ["openssl", "genrsa", "-out", folder / "sa.key", "2048"],
        check=True,
        capture_output=True,
        timeout=30,
    )
    (folder / "tokens.csv").write_text('admtok,admin,1,"system:masters"\n')
    etcd = "http://127.0.0.1:12379"
    cluster._begin(
        "etcd",
        *("etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
        *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
        *("--listen-peer-urls", "http://127.0.0.1:12380"),
    )
    cluster._begin(
        "kube-apiserver",
        str(folder / "bin/kube-apiserver"),
        f"--etcd-servers={etcd}",
        "--secure-port=16443",
        # So its certificate holds for the name localhost.
        "--bind-address=0.0.0.0",
        f"--advertise-address={_ADDRESS}",
        f"--cert-dir={folder / 'certs'}",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged",
        # Nobody knows the node by its name.
        "--kubelet-preferred-address-types=InternalIP",
    )


def _rest(cluster: Cluster) -> None:
    folder, inside = cluster.folder, cluster.folder / "inside"
    common = (f"--kubeconfig={inside}", "--leader-elect=false", "--port=0")
    cluster._begin(
        "kube-controller-manager",
        str(folder / "bin/kube-controller-manager"),
        *common,
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--root-ca-file={folder / 'certs/apiserver.crt'}",
        "--use-service-account-credentials=false",
    )
    cluster._begin("kube-scheduler", str(folder / "bin/kube-scheduler"), *common)
    (folder / "run").mkdir()
    (folder / "cni").mkdir()
    (folder / "cni/10-net.conflist").write_text(json.dumps(_POD_NETWORK))
    (folder / "containerd.toml").write_text(_CONTAINERD.format(folder=folder, plugins=_PLUGINS))
    cluster._begin("containerd", "containerd", "--config", str(folder / "containerd.toml"))
    _wait(cluster, "containerd", (folder / "run/containerd.sock").exists)
    busybox = {"bin/busybox": _BUSYBOX.read_bytes()}
    links: dict[str, str] = {f"bin/{name}": "busybox" for name in ("sh", "sleep", "cat", "sync")}
    image = image_archive(folder / "busybox.tar", BUSYBOX, {**busybox, **links}, ["sh"])
    forever = ["sleep", "2147483647"]
    paused = image_archive(folder / "pause.tar", "localhost/pause:1", {**busybox, **links}, forever)
    for each in (image, paused):
        cluster.load_image(each)
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_KUBELET))
    cluster._begin(
        "kubelet",
        str(folder / "bin/kubelet"),
        f"--kubeconfig={inside}",
        f"--config={folder / 'kubelet.yaml'}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'kubelet-certs'}",
        "--container-runtime=remote",
        f"--container-runtime-endpoint=unix://{folder / 'run/containerd.sock'}",
        f"--hostname-override={_NODE}",
        f"--node-ip={_ADDRESS}",
        f"--cgroup-root=/{cluster._namespace}",
    )


def _kubeconfig(path: Path, port: int) -> None:
    server = {
        "server": f"https://localhost:{port}",
        "certificate-authority": str(path.parent / "certs/apiserver.crt"),
    }
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"token": "admtok"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )


@contextlib.contextmanager
def _door(cluster: Cluster, port: int) -> Iterator[int]:
    """A port of our own loopback behind which is that of the namespace's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(
            target=_let_in, args=(listening, cluster._namespace, port), daemon=True
        ).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _let_in(listening: socket.socket, namespace: str, port: int) -> None:
    """This thread moves into the namespace for good; a socket stays where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{namespace}").open() as where:
        if libc.setns(where.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    while True:
        try:
            outside, _ = listening.accept()
        except OSError:
            return
        try:
            inside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            outside.close()
            continue
        for one, other in ((outside, inside), (inside, outside)):
            threading.Thread(target=_pass, args=(one, other), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for each in (one, other):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _answers(port: int) -> bool:
    import httpx

    try:
        said = httpx.get(
            f"https://127.0.0.1:{port}/readyz",
            verify=False,  # noqa: S501 — its certificate is its own.
            headers={"Authorization": "Bearer admtok"},
            timeout=5,
        )
    except httpx.HTTPError:
        return False
    return said.status_code == 200


def _wait(cluster: Cluster, what: str, come: Any) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not come():
        if any(each.poll() is not None for each in cluster._running) or time.monotonic() > deadline:
            raise KubernetesFailed(f"{what} did not come up:\n{cluster._why()}")
        time.sleep(0.1)


def _removed(cluster: Cluster) -> None:
    """Programs, containers, mounts, the namespace, files."""
    for each in reversed(cluster._running):
        each.send_signal(signal.SIGKILL)
    for each in cluster._running:
        each.wait(30)
    for pid in _started_for(cluster.folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    if cluster._keeper is not None:
        cluster._keeper.kill()
        cluster._keeper.wait(30)
    subprocess.run(
        ["ip", "netns", "del", cluster._namespace], check=False, capture_output=True, timeout=30
    )
    for path in sorted(Path("/sys/fs/cgroup").glob(f"*/{cluster._namespace}/**/"), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
    shutil.rmtree(cluster.folder, ignore_errors=True)


def _started_for(folder: Path) -> Sequence[int]:
    """Shims name their folder, and what they run lies below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
                found += _children(int(entry.name))
    return [pid for pid in dict.fromkeys(found) if pid != os.getpid()]


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [each for child in below for each in (int(child), *_children(int(child)))]
    return []


_CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "{folder}/run/containerd"
[grpc]
  address = "{folder}/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
"""
_POD_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "k",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "kcni0",
            "isGateway": True,
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "failSwapOn": False,
    "nodeStatusUpdateFrequency": "1s",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "resolvConf": "",
    "port": 20250,
    "healthzPort": 20248,
    "readOnlyPort": 0,
    "clusterDNS": [],
    "evictionHard": {
        "memory.available": "50Mi",
        "nodefs.available": "1%",
        "imagefs.available": "1%",
    },
}
