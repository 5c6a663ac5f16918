"""Keys by which people get into servers that they made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.model.ids import KeyPairId
from control_plane.model.tenant import MunicipalityCode


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The public half of a key, under a name that no other of the member's has. `public_key` is one line
    as OpenSSH writes it (sshd(8), AUTHORIZED_KEYS FILE FORMAT, without options); `fingerprint` is MD5
    of the key in sixteen pairs of hexadecimal figures (RFC 4716 §4). `made_by` is the service account,
    the user or the token that added it."""

    id: KeyPairId
    tenant: MunicipalityCode
    name: str
    public_key: str
    fingerprint: str
    made_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ServerKey:
    """What a server was made with: it stays so when the key pair is removed or another gets its name."""

    name: str
    public_key: str
