"""How the audit trail is chained: the exact bytes that are hashed and signed, and nothing else.

docs/audit-format.md says the same in words, with an example that a test checks against this module.
Values are encoded as RFC 8785 (JSON Canonicalization Scheme) has it; hashes are SHA-256, written as 64
lower-case hexadecimal figures; signatures are Ed25519 (RFC 8032). What is hashed or signed begins with
a tag of its own, so that no text of one kind can be taken for one of another.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from control_plane.model.access import AuditEntry

ALL = "all"
"""The chain over the entries of all other chains."""
CONSORTIUM = "consortium"
"""The chain of the entries that belong to no member."""
START = "0" * 64
"""What stands for the hash before the first entry of a chain."""

FOR_MEMBERS = frozenset(
    {"label", "request_id", "status", "left_out", "issued_to", "role", "blueprints", "servers"}
    # Of people, programs and emergencies.
    | {"user", "account", "disabled", "issuer", "email"}
    | {"break_glass", "request", "reason", "minutes", "permissions"}
    # Of networks, and of what members offer each other.
    | {"offices", "security_groups", "rules", "name", "provider", "consumer", "zone", "service"}
    | {"state"}
    # Of volumes and snapshots.
    | {"server", "size_gib", "protected", "volume", "snapshot"}
    # Of borrowed room.
    | {"reclaim"}
    # Of what members write of their servers.
    | {"labels", "tags", "description"}
    # Of key pairs.
    | {"fingerprint"}
    # Of images of their own.
    | {"version", "sha256", "size_bytes"}
    # Of container groups.
    | {"replicas"}
    # Of backups.
    | {"policy", "point", "restore", "to", "keep_until", "prefectures", "regions", "basis"}
    | {"decided_on", "around", "errand", "key_task", "points"}
    # Of leaving.
    | {"statement", "destroy_keys", "manifest_sha256", "keys", "access", "export_kept"}
)
"""The fields of a member's entry that the member reads. All others are taken for hardware, so that a
field that nobody thought of tells a member nothing about the pool."""

_ENTRY = b"yui-audit-entry-v1\n"
_LINK = b"yui-audit-link-v1\n"
_HARDWARE = b"yui-audit-hardware-v1\n"
_HEAD = b"yui-audit-head-v1\n"
_KEY = b"yui-audit-key-v1\n"
_EXPORT = b"yui-audit-export-v1\n"

_MOST_EXACT = 2**53 - 1


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where a chain stood at a time, signed: `key` is the public key, 64 hexadecimal figures."""

    chain: str
    position: int
    hash: str
    at: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A public key as it was introduced: `signature` is that of the key `vouched_by`, which for the
    first key is the key itself, and `own_signature` its own."""

    public: str
    at: str
    vouched_by: str
    signature: str
    own_signature: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An entry as it is kept: `document` is what its hash covers, whatever stands there. `sequence` and
    `link` are its number and hash in the chain over all."""

    document: Mapping[str, object]
    hash: str
    sequence: int
    link: str
    hardware: Mapping[str, object] | None = None

    @property
    def chain(self) -> str:
        return str(self.document["chain"])

    @property
    def position(self) -> int:
        """0 where what stands there is no place."""
        place = self.document["position"]
        return place if isinstance(place, int) else 0


def chain_of(tenant: str | None) -> str:
    """`member:262013`, or the consortium's."""
    return CONSORTIUM if tenant is None else f"member:{tenant}"


def time_text(at: datetime) -> str:
    """UTC to the microsecond, always of the same length: `2026-04-01T12:00:00.000000Z`."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def canonical(value: object) -> bytes:
    """RFC 8785 of a JSON value. Raises ValueError for what I-JSON (RFC 7493) can't say: numbers that
    are not finite, integers beyond 2^53 - 1, lone surrogates, keys that are no strings."""
    return _text_of(value).encode()


def _text_of(value: object) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            # The escapes of ECMAScript's JSON.stringify, which RFC 8785 asks for, are Python's.
            return json.dumps(value, ensure_ascii=False)
        case int():
            if abs(value) > _MOST_EXACT:
                raise ValueError(f"{value} is beyond the integers that JSON carries exactly")
            return str(value)
        case float():
            return _number(value)
        case list() | tuple():
            return "[" + ",".join(_text_of(each) for each in value) + "]"
        case Mapping():
            keys = sorted(value, key=_utf16)
            return "{" + ",".join(f"{_text_of(key)}:{_text_of(value[key])}" for key in keys) + "}"
        case _:
            raise ValueError(f"{type(value).__name__} is no JSON value")


def _utf16(key: object) -> bytes:
    """RFC 8785, 3.2.3: members are ordered by their names' UTF-16 code units."""
    if not isinstance(key, str):
        raise ValueError(f"a member's name is {key!r}, which is no string")
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20), which writes the same shortest figures as
    Python's repr, with other rules for the exponent."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    figures = (whole + fraction).lstrip("0")
    # The value is 0.FIGURES × 10^point.
    point = len(whole.lstrip("0")) + int(exponent or 0)
    if not whole.strip("0"):
        point -= len(fraction) - len(fraction.lstrip("0"))
    figures = figures.rstrip("0")
    if len(figures) <= point <= 21:
        return sign + figures + "0" * (point - len(figures))
    if 0 < point <= 21:
        return f"{sign}{figures[:point]}.{figures[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    tail = f".{figures[1:]}" if len(figures) > 1 else ""
    return f"{sign}{figures[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _presentable_members(value: Mapping[str, object]) -> dict[str, object]:
    return {_sound(str(key)): _presentable(each) for key, each in value.items()}


def _presentable(value: object) -> object:
    """What JSON can't say exactly becomes text."""
    match value:
        case Mapping():
            return _presentable_members(value)
        case list() | tuple():
            return [_presentable(each) for each in value]
        case set() | frozenset():
            return sorted((_presentable(each) for each in value), key=str)
        case None | bool():
            return value
        case int():
            return int(value) if abs(value) <= _MOST_EXACT else str(int(value))
        case float():
            return value if value - value == 0 else str(value)
        case _:
            return _sound(str(value))


def _sound(text: str) -> str:
    """Without what neither UTF-8 nor PostgreSQL can hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def apart(entry: AuditEntry, salt: str) -> AuditEntry:
    """The entry as it is kept: presentable, and what its member may not read told apart, with `salt`
    beside it."""
    fields, hardware = dict(entry.fields or {}), dict(entry.hardware or {})
    if entry.tenant is not None:
        hardware |= {key: fields.pop(key) for key in list(fields) if key not in FOR_MEMBERS}
    if hardware:
        hardware["salt"] = salt
    return replace(
        entry,
        principal=_sound(entry.principal),
        subject=_sound(entry.subject),
        fields=None if entry.fields is None else _presentable_members(fields),
        hardware=_presentable_members(hardware) if hardware else None,
    )


def document_of(entry: AuditEntry) -> dict[str, object]:
    """Everything of an entry that its chain's hash covers. `hardware` is covered by its own hash, so
    that a member who is not shown it can still check the entry."""
    return {
        "action": entry.action,
        "at": time_text(entry.at),
        "chain": chain_of(entry.tenant),
        "fields": entry.fields,
        "hardware": None if entry.hardware is None else hardware_hash(entry.hardware),
        "outcome": entry.outcome,
        "position": entry.position,
        "principal": entry.principal,
        "role": None if entry.role is None else entry.role.value,
        "subject": entry.subject,
        "tenant": entry.tenant,
    }


def hardware_hash(hardware: Mapping[str, object]) -> str:
    """`hardware` holds a random `salt`, or guessing would tell what is withheld."""
    return hashlib.sha256(_HARDWARE + canonical(hardware)).hexdigest()


def entry_hash(previous: str, document: Mapping[str, object]) -> str:
    """The hash of an entry in its chain, `previous` being that of the entry before."""
    return hashlib.sha256(_ENTRY + bytes.fromhex(previous) + canonical(document)).hexdigest()


def link_hash(previous: str, sequence: int, chain: str, position: int, hash: str) -> str:
    """The hash of an entry in the chain over all, from its place and hash in its own."""
    link = {"chain": chain, "hash": hash, "position": position, "sequence": sequence}
    return hashlib.sha256(_LINK + bytes.fromhex(previous) + canonical(link)).hexdigest()


def head_statement(chain: str, position: int, hash: str, at: str, key: str) -> bytes:
    """What a head's signature signs."""
    head = {"at": at, "chain": chain, "hash": hash, "key": key, "position": position}
    return _HEAD + canonical(head)


def key_statement(public: str, at: str, vouched_by: str) -> bytes:
    """What both signatures of a key's introduction sign."""
    return _KEY + canonical({"at": at, "public": public, "vouched_by": vouched_by})


def export_statement(lines: int, sha256: str, at: str, key: str) -> bytes:
    """What the signature on the last line of an exported file signs."""
    return _EXPORT + canonical({"at": at, "key": key, "lines": lines, "sha256": sha256})
