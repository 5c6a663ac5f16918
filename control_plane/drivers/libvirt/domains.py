"""Looks at the machines that a host's libvirt knows, tells Yui's from others', and labels them."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import libvirt

from control_plane.drivers.libvirt.disk_xml import data_disks
from control_plane.drivers.libvirt.domain_xml import METADATA_KEY, METADATA_URI, Label, label_of
from control_plane.drivers.libvirt.errors import is_code, sentence
from control_plane.drivers.libvirt.stopped_reader import is_reader
from control_plane.drivers.protocol import (
    DriverError,
    MovedOn,
    NoSuchServer,
    ObservedServer,
    RunState,
    ServerSpec,
)
from control_plane.model.ids import Generation, ServerId

_STATES = {
    libvirt.VIR_DOMAIN_SHUTOFF: RunState.STOPPED,
    libvirt.VIR_DOMAIN_CRASHED: RunState.STOPPED,
    libvirt.VIR_DOMAIN_PAUSED: RunState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: RunState.PAUSED,
}

# Reasons that only a machine that has run here can have; one that is arriving has others.
_STANDING_STILL = (libvirt.VIR_DOMAIN_PAUSED_IOERROR, libvirt.VIR_DOMAIN_PAUSED_USER)


def run_state(domain: libvirt.virDomain) -> RunState:
    """A machine that is shutting down still runs: it holds its disk."""
    state, reason = domain.state()
    if state == libvirt.VIR_DOMAIN_PAUSED and reason in _STANDING_STILL:
        return RunState.SUSPENDED
    return _STATES.get(state, RunState.RUNNING)


def label(domain: libvirt.virDomain) -> Label | None:
    """What Yui wrote down in the definition; None for a machine that Yui did not define."""
    try:
        text = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, METADATA_URI, 0)
        return Label.from_xml(text)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN_METADATA):
            return None
        raise
    except ValueError:
        return None


def find(connection: libvirt.virConnect, server: ServerId) -> libvirt.virDomain | None:
    """The server's machine on this host; None where there is none, or it is not Yui's."""
    try:
        domain = connection.lookupByName(server)
        found = label(domain)
    except libvirt.libvirtError as error:
        if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
            return None
        raise
    return domain if found is not None and found.server == server else None


def get(connection: libvirt.virConnect, host: str, server: ServerId) -> libvirt.virDomain:
    """Raises NoSuchServer where the host has no definition of it."""
    domain = find(connection, server)
    if domain is None:
        raise NoSuchServer(f"Host {host} has no definition of server {server}")
    return domain


def insist(domain: libvirt.virDomain, host: str, listed: Generation) -> Label | None:
    """Its label, read as `observe` reads it; raises MovedOn where that bears another generation than
    `listed`. The last question before a call that takes the server away."""
    found = label(domain)
    if found is not None and found.generation != listed:
        raise MovedOn(
            f"Server {found.server} on host {host} has generation {found.generation} by now, not {listed}"
        )
    return found


def observe(connection: libvirt.virConnect) -> tuple[list[ObservedServer], list[str]]:
    """Yui's servers on the host, and the names of others' running machines."""
    servers: list[ObservedServer] = []
    foreign: list[str] = []
    for domain in connection.listAllDomains(0):
        try:
            # One answer tells the label and the disks of one moment.
            described = fromstring(domain.XMLDesc(0))  # noqa: S314 — from our own host's libvirt
            state = run_state(domain)
        except libvirt.libvirtError as error:
            # It went away while we looked.
            if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                continue
            raise
        found = Label.within(described)
        if found is not None:
            volumes = frozenset(data_disks(described))
            servers.append(
                ObservedServer(found.server, found.generation, state, found.booted, volumes)
            )
        elif state is not RunState.STOPPED and not is_reader(described):
            foreign.append(domain.name())
    return servers, foreign


def relabel(domain: libvirt.virDomain, spec: ServerSpec, booted: Generation | None) -> None:
    """Update what the running machine itself carries: it goes along when the machine is moved."""
    try:
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT,
            label_of(spec, booted).to_bare_xml(),
            METADATA_KEY,
            METADATA_URI,
            libvirt.VIR_DOMAIN_AFFECT_LIVE,
        )
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_TITLE,
            " ".join(spec.name.split()),
            None,
            None,
            libvirt.VIR_DOMAIN_AFFECT_LIVE,
        )
    except libvirt.libvirtError as error:
        # It stopped just now: the definition already says the same.
        if run_state(domain) is not RunState.STOPPED:
            raise DriverError(
                f"Server {spec.id} could not be relabelled: {sentence(error)}"
            ) from error
