"""What a host's libvirt says of its machine and its hypervisor."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import libvirt


def accelerated(connection: libvirt.virConnect) -> bool:
    """libvirt offers domain type `kvm` only where it could open /dev/kvm."""
    capabilities = fromstring(connection.getCapabilities())  # noqa: S314 — from our own host's libvirt
    domain_types = capabilities.findall("guest/arch[@name='x86_64']/domain")
    return any(domain.get("type") == "kvm" for domain in domain_types)


def version(number: int) -> str:
    """libvirt's version numbers are major * 1,000,000 + minor * 1,000 + release."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
