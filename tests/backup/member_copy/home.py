"""A control plane that has taken backups of two systems, and a member's machine that reaches it over HTTP."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import uvicorn
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from control_plane.access.service import bootstrap_operator_token
from control_plane.app import Options, create_app
from control_plane.model.blueprint import Blueprint
from control_plane.model.ids import BlueprintId, SystemId
from control_plane.model.pool import Zone
from control_plane.store.recovery_points import SetPolicy
from tenants.catalogue import Catalogue
from tests.api.conftest import QUICKLY, standard_catalogue
from tests.backup.keeper.stand import NIGHTLY, Stand
from tests.backup.yui_restore.carried import Carried
from tests.cli.running import CHECKOUT, Ended, command, environment_of, run_here
from tests.plain_http import ask
from tests.scenarios.joining import MEMBER, OTHER, join
from tests.scenarios.setting import ServerSetting, SystemSetting

CODE = MEMBER.code.text
LIBRARY = SystemId("library")
LOGGED = re.compile(r"\S+ \S+ \[\w+ *\] ")
COPY = f"/v1/members/{CODE}/backup-copy"


@dataclass
class Home:
    """A member's machine beside a control plane that has taken backups."""

    stand: Stand
    url: str
    folder: Path
    token: str
    other: str
    operator: str

    @property
    def environment(self) -> dict[str, str]:
        token_file = self.folder / "member.token"
        token_file.write_text(self.token)
        token_file.chmod(0o600)
        here = {"YUI_URL": self.url, "YUI_TOKEN_FILE": str(token_file)}
        return {**environment_of(self.folder), **here}

    def pull(self, to: Path, *more: str) -> Ended:
        return self.yui("backup", "pull", str(to), *more)

    def yui(self, *arguments: str) -> Ended:
        ended = run_here(arguments, self.environment)
        # The control plane is of the same process, and so its log goes the same way.
        lines = ended.stdout.splitlines(keepends=True)
        return replace(ended, stdout="".join(one for one in lines if not LOGGED.match(one)))

    def pulled(self, to: Path, *more: str) -> Any:
        ended = self.pull(to, "--json", *more)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def get(self, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}", **more.pop("headers", {})}
        return ask("GET", self.url + path, headers=headers, **more)

    def night(self) -> None:
        self.stand.keep(timedelta(hours=24))


@contextmanager
def at_home(folder: Path) -> Iterator[Home]:
    stand = Stand(folder)
    try:
        servers = (ServerSetting("library-web", "web", "small"),)
        library = SystemSetting("library", 3, Zone.INTERNET, servers)
        now = stand.world.clock.now()
        join(stand.store, stand.pool.regions[0].id, library, now)
        stand.until(lambda: all(map(stand.world.answering, stand.servers())))
        with stand.store.write() as tx:
            tx.set_backup_policy(LIBRARY, SetPolicy(NIGHTLY, "Sato", now))
            tx.add_tenant(OTHER)
        catalogue = _catalogue()
        app = create_app(stand.store, stand.world, Options(catalogue, token_cost=QUICKLY))
        with listening(app) as url:
            operator = bootstrap_operator_token(stand.store, cost=QUICKLY)
            tokens = [_token(url, operator, code) for code in (CODE, OTHER.code.text)]
            key = X25519PrivateKey.generate()
            found = Home(stand, url, folder, *tokens, operator)
            (folder / "safe.key").write_bytes(key.private_bytes_raw())
            public = folder / "safe.pub"
            public.write_text(base64.b64encode(key.public_key().public_bytes_raw()).decode())
            found.night()
            asking = ("backup-key", "escrow", CODE, "--recipient", str(public))
            asked = found.yui(*asking, "--reason", "金庫に保管")
            assert asked.returncode == 0, asked.stderr
            stand.keep(timedelta(hours=1))
            yield found
    finally:
        stand.close()


def _catalogue() -> Catalogue:
    """Of the two systems that are there, of which counters need one."""
    like = standard_catalogue().blueprint(BlueprintId("resident-records"))

    def named(id: str, *, needed: bool) -> dict[int, Blueprint]:
        return {1: replace(like, id=BlueprintId(id), needed_when_cut_off=needed)}

    residents, library = named("residents", needed=True), named("library", needed=False)
    return Catalogue({BlueprintId("residents"): residents, BlueprintId("library"): library})


@contextmanager
def listening(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _token(url: str, operator: str, code: str) -> str:
    body = {"role": "member-admin", "tenant": code, "label": f"town {code}"}
    headers = {"Authorization": f"Bearer {operator}", "Idempotency-Key": f"token-of-{code}"}
    answer = ask("POST", f"{url}/v1/tokens", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def objects_in(folder: Path) -> dict[str, Path]:
    found = [path for path in folder.glob("tenants/*/*/*/*") if path.suffix != ".part"]
    return {path.relative_to(folder).as_posix(): path for path in found}


def written_in(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    """What stands in that part of a sparse file and is not zeros."""
    end = offset + length
    while offset < end:
        try:
            begin = os.lseek(file.fileno(), offset, os.SEEK_DATA)
        except OSError:
            return
        offset = min(end, os.lseek(file.fileno(), begin, os.SEEK_HOLE))
        if begin < offset:
            file.seek(begin)
            yield file.read(offset - begin).strip(b"\0")


def insist_on_disks(home: Home, reader: Carried, copy: Path, out: Path, points: list[Any]) -> int:
    """Each disk of each point is, byte for byte, as it was when its server was held."""
    compared = 0
    keys = ("--escrow", copy / "escrow.json", "--private-key", home.folder / "safe.key")
    with home.stand.store.read() as tx:
        records = [tx.recovery_point(each["id"]) for each in points]
    for record in records:
        for each in record.servers:
            to = out / each.point
            ended = reader("restore", copy, each.point, "--to", to, *keys)
            assert ended.status == 0, ended.err
            for name, content in home.stand.as_it_was(record, each.server).items():
                (image,) = to.glob(f"*{name}.raw")
                assert image.stat().st_size == content.size
                with image.open("rb") as file:
                    for extent in content.extents():
                        if extent.data:
                            file.seek(extent.offset)
                            truth = content.read(extent.offset, extent.length)
                            assert file.read(extent.length) == truth
                        else:
                            assert not any(written_in(file, extent.offset, extent.length))
                compared += 1
    whole = reader("check", copy, *keys)
    assert whole.status == 0, whole.out + whole.err
    return compared


def pull_until_killed(home: Home, copy: Path) -> None:
    """As a process of its own, which dies when it asks for the second object."""
    process = subprocess.Popen(
        command("backup", "pull", str(copy)),
        cwd=CHECKOUT,
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def kill(call: str) -> None:
        if call == "objects.get" and objects_in(copy):
            process.send_signal(signal.SIGKILL)
            process.wait()

    gate = home.stand.world.gate
    gate.before_call = kill
    try:
        assert process.wait(60) == -signal.SIGKILL
    finally:
        process.kill()
        gate.before_call = lambda _: None
