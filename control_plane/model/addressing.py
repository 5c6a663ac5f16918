"""The hardware address of a server's network card: one per server, the same on every host."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

_FIRST_OCTET = 0x5A
"""Locally administered bit set, group bit clear (IEEE 802-2014 §8.2.2), so that it meets no
vendor's card; and not 0xFE, which libvirt keeps for the host's side of a guest's interface."""


# Asked of every server whenever one is made.
@lru_cache(maxsize=100_000)
def mac_of(server_id: str) -> str:
    """A MAC address such as `5a:13:f2:90:0c:77`, in lower case, that depends on the id alone.

    40 bits of the id's BLAKE2b digest fill the last five octets. Two ids may in theory share an
    address, so whoever draws a new id draws again when its address is taken.
    """
    rest = blake2b(server_id.encode(), digest_size=5).digest()
    return ":".join(f"{octet:02x}" for octet in (_FIRST_OCTET, *rest))
