"""A whole control plane on the simulated World, behind its own API, inside this process."""

from __future__ import annotations

import shutil
import tempfile
import threading
from datetime import datetime
from functools import partial
from pathlib import Path

from control_plane.access.service import bootstrap_token
from control_plane.app import Options, create_app
from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.cli.private_file import write_private
from control_plane.cli.settings import Settings
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.http.listening import Listening
from control_plane.http.serve import serve
from control_plane.model.access import Role
from control_plane.model.ids import ImageId
from control_plane.model.image import Image, ImageFormat
from control_plane.model.units import GiB
from control_plane.pool_file import PoolDescription, to_json
from control_plane.reconcile import Controller
from control_plane.store import Store
from deploy.local.free_port import free_port
from tenants.catalogue import STANDARD_BLUEPRINTS, load_catalogue
from tenants.register import load_register

_TIME_TO_BEGIN_S = 30.0


class SimulatedCloud:
    """`members` is the register (CSV); `pace` is virtual seconds per second. Close it when done."""

    def __init__(
        self, description: PoolDescription, members: Path, language: Language, pace: float
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="yui-simulated-"))
        self.store = Store.open(f"sqlite:///{self._folder / 'state.db'}")
        pools = [pool for site in description.sites for pool in site.storage_pools]
        self.world = SimulatedWorld(storage=pools, pace=pace)
        self._stop = threading.Event()
        token_files = {role: self._folder / role for role in (Role.OPERATOR, Role.APPROVER)}
        for role, path in token_files.items():
            write_private(path, partial(self._token, role))
        with self.store.write() as tx:
            tx.put_image(_image(self.world.clock.now()))
        url = self._serve(members)
        self.api = Api(Settings(url, token_files[Role.OPERATOR], None), language)
        self.approver = Api(Settings(url, token_files[Role.APPROVER], None), language)
        self.api.put("/v1/pool", to_json(description))

    def _token(self, role: Role) -> str:
        return bootstrap_token(self.store, role, label=f"demo {role}") + "\n"

    def _serve(self, members: Path) -> str:
        options = Options(load_catalogue(STANDARD_BLUEPRINTS), load_register(members))
        app = create_app(self.store, self.world, options)
        listening = Listening(port=free_port(), plain_http=True)
        controller = Controller(self.store, self.world, "demo")
        ready = threading.Event()
        self._server = threading.Thread(
            target=serve,
            args=(app, listening, [controller.run]),
            kwargs={"stop": self._stop, "ready": ready.set},
            daemon=True,
        )
        self._server.start()
        if not ready.wait(_TIME_TO_BEGIN_S):
            raise TimeoutError(f"the API did not answer within {_TIME_TO_BEGIN_S:.0f} s")
        return listening.url

    def close(self) -> None:
        self.api.close()
        self.approver.close()
        self._stop.set()
        self._server.join(_TIME_TO_BEGIN_S)
        self.store.close()
        shutil.rmtree(self._folder)


def _image(now: datetime) -> Image:
    return Image(
        id=ImageId("tiny"),
        name="tiny",
        version="1",
        format=ImageFormat.QCOW2,
        sha256="0" * 64,
        size_bytes=1 << 20,
        virtual_size=GiB(1),
        location="/nowhere",
        provenance="simulated hosts read no image",
        added_at=now,
    )
