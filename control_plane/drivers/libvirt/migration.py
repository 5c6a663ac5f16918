"""Moves a running server to another host while it runs.

The source host's daemon drives the move and talks to the target's (peer to peer), so a move that has
begun comes to its end also when the control plane dies. libvirt keeps the server on the source until
it runs on the target; the disk lock passes from one to the other while it stands still.
"""

from __future__ import annotations

import contextlib
import uuid

import libvirt

from control_plane.drivers.libvirt import checkpoints, domains
from control_plane.drivers.libvirt.connection import LONG, Connection
from control_plane.drivers.libvirt.copying import leave_off, require_whole
from control_plane.drivers.libvirt.errors import is_code, network_not_ready
from control_plane.drivers.libvirt.reading_job import make_way
from control_plane.drivers.libvirt.storage import close_folder, find, open_folder, server_folder
from control_plane.drivers.libvirt.transfer import file_xml
from control_plane.drivers.protocol import (
    DriverError,
    HostUnreachable,
    NetworkNotReady,
    NoSuchServer,
    RunState,
    StorageUnavailable,
)
from control_plane.model.ids import ServerId
from control_plane.model.pool import Endpoint

_FLAGS = (
    libvirt.VIR_MIGRATE_PEER2PEER
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
)
_LIVE = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_AUTO_CONVERGE
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
)


def migrate(source: Connection, target: Connection, endpoint: Endpoint, server: ServerId) -> None:
    """See HostDriver.migrate. A stopped server's definition moves as it is."""
    before = source.call(lambda connection: _state(connection, server))
    if before is None:
        if target.call(lambda there: _state(there, server)) is not None:
            return
        raise NoSuchServer(f"Host {source.host} has no definition of server {server}")
    try:
        source.call(lambda connection: _move(connection, source, target, endpoint, server), LONG)
    except HostUnreachable:
        raise
    except NetworkNotReady:
        # The source says so, and means the target, where the server is to be plugged in anew.
        _judge(source, target, server, before, network_not_ready(target.host))
    except DriverError as error:
        _judge(source, target, server, before, error)
    source.call(lambda connection: _forget(connection, server))


def _move(
    connection: libvirt.virConnect,
    source: Connection,
    target: Connection,
    endpoint: Endpoint,
    server: ServerId,
) -> None:
    domain = domains.get(connection, source.host, server)
    running = domains.run_state(domain) is not RunState.STOPPED
    if running:
        require_whole(domain)
        make_way(domain)
        # The target would not know of them, and QEMU would go on keeping track for nobody.
        checkpoints.forget(domain, but=None)
    else:
        leave_off(connection, server)
    flags = _FLAGS | (_LIVE if running else libvirt.VIR_MIGRATE_OFFLINE)
    host = endpoint.migration_host
    bracketed = f"[{host}]" if ":" in host else host
    parameters = {libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{bracketed}"} if host and running else {}
    try:
        domain.migrateToURI3(endpoint.uri, parameters, flags)
    except libvirt.libvirtError as error:
        if not is_code(error, libvirt.VIR_ERR_MIGRATE_UNSAFE):
            raise
        _prove_shared(connection, domain, source, target, server)
        domain.migrateToURI3(endpoint.uri, parameters, flags | libvirt.VIR_MIGRATE_UNSAFE)


def _prove_shared(
    connection: libvirt.virConnect,
    domain: libvirt.virDomain,
    source: Connection,
    target: Connection,
    server: ServerId,
) -> None:
    """Raises StorageUnavailable unless both hosts see the same files.

    libvirt calls a move unsafe when it does not recognise the storage as shared (a file system that it
    has no entry for, or one mounted in namespaces). Yui's disks bypass the host's cache, so what it
    fears is only that the storage is not shared at all; a file that one host makes and the other
    sees proves that it is."""
    label = domains.label(domain)
    if label is None:
        raise NoSuchServer(f"Host {source.host} has no definition of server {server}")
    path = server_folder(server, label.volume)
    name = f"move-{uuid.uuid4().hex}"
    proof = open_folder(connection, path).createXML(file_xml(name, "raw", 0), 0)

    def sees(there: libvirt.virConnect) -> bool:
        try:
            return find(open_folder(there, path), name) is not None
        except libvirt.libvirtError:
            if there.isAlive():
                return False
            raise

    try:
        if not target.call(sees):
            raise StorageUnavailable(
                f"Host {target.host} does not share the storage {path} with host {source.host}"
            )
    finally:
        with contextlib.suppress(libvirt.libvirtError):
            proof.delete(0)


def _judge(
    source: Connection,
    target: Connection,
    server: ServerId,
    before: RunState,
    error: DriverError,
) -> None:
    """After a move that failed: re-raise `error` if the server is at the source as it was, return if
    it did arrive, and raise HostUnreachable if neither can be said."""
    here = source.call(lambda connection: _state(connection, server))
    if here is not None and (here is not RunState.STOPPED or before is RunState.STOPPED):
        raise error
    there = target.call(lambda connection: _state(connection, server))
    if there is not RunState.RUNNING:
        raise HostUnreachable(
            f"Server {server} runs neither on {source.host} nor on {target.host} after its move failed: {error}"
        ) from error


def _state(connection: libvirt.virConnect, server: ServerId) -> RunState | None:
    domain = domains.find(connection, server)
    return None if domain is None else domains.run_state(domain)


def _forget(connection: libvirt.virConnect, server: ServerId) -> None:
    """Take away what an interrupted end of the move may have left at the source."""
    domain = domains.find(connection, server)
    if domain is None:
        return
    label = domains.label(domain)
    if domains.run_state(domain) is RunState.STOPPED:
        domain.undefine()
    if label is not None:
        close_folder(connection, server_folder(server, label.volume))
