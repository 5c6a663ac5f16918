"""A control plane that `yui serve` runs: hosts that exist in memory, everything else as it is."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli.forked import begin
from tests.cli.running import CHECKOUT, Ended, command, environment_of, run_here

POOL = """\
regions:
  - {id: hokkaido, name: 北海道, prefectures: [北海道]}
sites:
  - id: hokkaido-dc
    region: hokkaido
    name: 北海道センター
    guest_network: 10.77.16.0/24
    storage_pools: [{id: hokkaido-pool, capacity: 500 GiB, path: /srv/yui/hokkaido}]
hosts:
  - {id: hokkaido-1, site: hokkaido-dc, vcpus: 16, memory: 32 GiB, storage: [hokkaido-pool]}
  - {id: hokkaido-2, site: hokkaido-dc, vcpus: 16, memory: 32 GiB, storage: [hokkaido-pool]}
  - {id: hokkaido-3, site: hokkaido-dc, vcpus: 16, memory: 32 GiB, storage: [hokkaido-pool]}
flavors:
  - {id: m1.small, vcpus: 1, memory: 2 GiB, disk: 20 GiB}
  - {id: m1.medium, vcpus: 2, memory: 4 GiB, disk: 40 GiB}
  - {id: m1.large, vcpus: 4, memory: 8 GiB, disk: 40 GiB}
  - {id: m1.xlarge, vcpus: 8, memory: 16 GiB, disk: 80 GiB}
"""
DECLARED = (
    *("--declare", "virtio", "--declare", "cloud-init"),
    *("--declare", "serial-console", "--declare", "no-host-pinning"),
)
"""What nobody can read in a disk that is all but empty."""

REGISTER = """\
code,name,kana,prefecture,population
012220,三笠市,みかさし,北海道,8040
012289,深川市,ふかがわし,北海道,20039
"""


@dataclass(frozen=True)
class Served:
    url: str
    token_file: Path
    pool_file: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **environment_of(self.folder),
            "YUI_URL": self.url,
            "YUI_TOKEN_FILE": str(self.token_file),
        }

    def yui(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run `yui` as the operator who set the pool up."""
        return run_here(arguments, {**self.environment, **(env or {})})

    def interrupted(
        self, *arguments: str, when: str = "", env: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run `yui` and press Ctrl-C once it has printed something with `when`: exit code, output,
        errors."""
        process = subprocess.Popen(
            command(*arguments),
            cwd=CHECKOUT,
            env={**self.environment, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            seen = []
            for line in process.stdout:
                seen.append(line)
                if when in line:
                    process.send_signal(signal.SIGINT)
                    break
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        return process.returncode, "".join(seen) + out, err


def _started(arguments: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments),
        cwd=CHECKOUT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def served(
    folder: Path,
    *more: str,
    simulated: bool = True,
    state: Path | None = None,
    approval: str = "one-person",
    pace: float = 5,
) -> Iterator[Served]:
    """Runs until the block ends, with `more` arguments; its token and pool file are below `folder`,
    and so is its state unless another place is given for it. Simulated hosts live at `pace`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    at = Served(f"http://127.0.0.1:{port}", folder / "operator.token", folder / "pool.yaml", folder)
    at.pool_file.write_text(POOL, encoding="utf-8")
    (folder / "register.csv").write_text(REGISTER, encoding="utf-8")
    (folder / "images").mkdir()
    # Code, and one active partition of all but the first sector: a BIOS would start it.
    partition = b"\x80" + bytes(3) + b"\x83" + bytes(3) + struct.pack("<II", 1, 2047)
    boot_sector = b"\xfa".ljust(446, b"\0") + partition.ljust(64, b"\0") + b"\x55\xaa"
    (folder / "images" / "tiny.raw").write_bytes(boot_sector + bytes((1 << 20) - 512))
    process = (begin if simulated else _started)(
        (
            "serve",
            *("--database", f"sqlite:///{state or folder / 'state.db'}"),
            *("--port", str(port)),
            *("--register", str(folder / "register.csv")),
            *("--images", str(folder / "images")),
            *("--first-token", str(at.token_file)),
            *("--approval", approval),
            "--plain-http",
            *(("--simulated", "--pace", str(pace)) if simulated else ()),
            *more,
        ),
        at.environment,
    )
    log: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "The API answers at" in line:
                break
        assert process.poll() is None, "".join(log)
        reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
        reader.start()
        yield at
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "".join(log[-50:])
        unforeseen = [line for line in log if "Traceback" in line]
        assert unforeseen == []
    finally:
        process.kill()
        process.wait()
