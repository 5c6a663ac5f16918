"""Lets this machine be the offices of the story's members, each by an address of its own.

Servers answer nobody but their own member's networks and offices, so whoever asks them over HTTP has to
be declared as one, by the member itself.
"""

from __future__ import annotations

import threading
from pathlib import Path

import httpx

from control_plane.cli.client import Api
from control_plane.cli.language import Language
from control_plane.cli.private_file import write_private
from control_plane.cli.settings import Settings
from deploy.local.cloud import LocalCloud
from tenants.models import ServerOut


class Offices:
    """Safe to use from several threads. `folder` holds the tokens of the members' administrators."""

    def __init__(self, cloud: LocalCloud, api: Api, folder: Path, timeout_s: float) -> None:
        self._cloud = cloud
        self._api = api
        self._folder = folder
        self._timeout_s = timeout_s
        self._clients: dict[tuple[str, str], httpx.Client] = {}
        self._turn = threading.Lock()

    def client_for(self, server: ServerOut) -> httpx.Client:
        """Speaks from the office of the server's member in the server's zone, declared by now."""
        key = (server.tenant, server.zone)
        with self._turn:
            if key not in self._clients:
                self._clients[key] = self._open(*key)
            return self._clients[key]

    def _open(self, member: str, zone: str) -> httpx.Client:
        office = self._cloud.pool.office(len(self._clients))
        admin = self._administrator(member)
        try:
            for network in admin.every("/v1/networks"):
                if network["zone"] == zone:
                    declared = {"offices": [f"{office}/32"]}
                    admin.put(f"/v1/networks/{network['id']}/offices", declared)
        finally:
            admin.close()
        transport = httpx.HTTPTransport(local_address=office)
        return httpx.Client(transport=transport, timeout=self._timeout_s, trust_env=False)

    def _administrator(self, member: str) -> Api:
        path = self._folder / f"{member}-token"
        if not path.exists():
            asked = {"role": "member-admin", "tenant": member, "label": "the office's clerk"}
            issued = self._api.post("/v1/tokens", asked)
            write_private(path, lambda: issued["token"] + "\n")
        return Api(Settings(self._cloud.url, path, None), Language.EN)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
