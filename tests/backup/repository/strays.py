"""What somebody else may put into a repository: objects of strange names, and of strange contents under
names that are right."""

from __future__ import annotations

from collections.abc import Callable

from backup.repository.ids import object_id

DEEP = b"[" * 20_000
STRANGE_POINT = "points/web/20260101T000000Z-01234567."


def _point(data: bytes) -> tuple[str, bytes]:
    return f"tenants/{{tenant}}/{STRANGE_POINT}{object_id(data).hex()}", data


def _pack(data: bytes) -> tuple[str, bytes]:
    id = object_id(data).hex()
    return f"tenants/{{tenant}}/packs/{id[:2]}/{id}", data


def _point_of(disk: bytes) -> tuple[str, bytes]:
    return _point(
        b'{"disks":[{"bytes":' + disk + b',"name":"root"}],"format":"yui-point","version":1}'
    )


STRAYS: dict[str, tuple[str, bytes]] = {
    "a mark that is no id": ("condemned/{tenant}/" + "z" * 64, b"x"),
    "a mark in capitals": ("condemned/{tenant}/" + "AB" * 32, b"{}"),
    "a mark in a folder": ("condemned/{tenant}/more/" + "ab" * 32, b"{}"),
    "a mark of nothing in brackets": ("condemned/{tenant}/" + "ab" * 32, DEEP),
    "a mark of a pack in brackets": ("condemned/{tenant}/{pack}", DEEP),
    "a mark of a pack that is a number": ("condemned/{tenant}/{pack}", b"7"),
    "a pack that is no id": ("tenants/{tenant}/packs/zz/" + "z" * 64, b"x"),
    "a pack of a short name": ("tenants/{tenant}/packs/zz/short", b"x"),
    "a pack in capitals": ("tenants/{tenant}/packs/AB/" + "AB" * 32, b"x"),
    "a pack in another's folder": ("tenants/{tenant}/packs/zz/{pack}", b"x"),
    "a pack of junk, rightly named": _pack(b"junk"),
    "an index that is no id": ("tenants/{tenant}/index/" + "z" * 64, b"x"),
    "an index of junk, rightly named": (
        f"tenants/{{tenant}}/index/{object_id(b'junk').hex()}",
        b"junk",
    ),
    "a point of no name": ("tenants/{tenant}/points/web/x", b"x"),
    "a point on the thirtieth of February": (
        "tenants/{tenant}/points/web/20260230T000000Z-01234567." + "ab" * 32,
        b"x",
    ),
    "a point in brackets, rightly named": _point(DEEP),
    "a point of junk, rightly named": _point(b"junk"),
    "a point that is a list, rightly named": _point(b"[]"),
    "a point without an id, rightly named": _point(b'{"packs":["' + b"a" * 64 + b'"]}'),
    "a point of strange packs, rightly named": _point(b'{"packs":["' + b"z" * 64 + b'"]}'),
    "a point of infinite size, rightly named": _point_of(b"1e999"),
    "a point of fractions, rightly named": _point_of(b"9e+300"),
    "a point of many digits, rightly named": _point_of(b"9" * 30),
    "a point of many nothings, rightly named": _point(b'{"a":[' + b"[]," * 9000 + b"[]]}"),
    "a keyring of no number": ("tenants/{tenant}/keyring/abc", b"x"),
    "a keyring of another ending": ("tenants/{tenant}/keyring/99999999.jsox", b"x"),
    "a keyring of number nought": ("tenants/{tenant}/keyring/00000000.json", DEEP),
    "an object beside all others": ("tenants/{tenant}/stray", b"x"),
}
"""Keys, with `tenant` and a `pack` of a point that stands to be put in, and bytes."""


def plant(
    name: str, put: Callable[[str, bytes], None], *, tenant: str, pack: bytes
) -> tuple[str, bytes]:
    """(key, bytes) of what was put."""
    key, data = STRAYS[name]
    key = key.format(tenant=tenant, pack=pack.hex())
    put(key, data)
    return key, data
