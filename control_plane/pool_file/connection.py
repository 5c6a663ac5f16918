"""How a pool description says where a host is reached, and what it refuses there.

Connections are encrypted unless somebody wrote down that they need not be, and secrets are named,
never held.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from control_plane.model.network import LAST_SEGMENT
from control_plane.model.pool import Endpoint, Zone
from control_plane.pool_file.fields import Fields, as_written, nearest
from control_plane.pool_file.mistakes import Mistakes
from control_plane.pool_file.tree import Node, Scalar

DRIVERS = ("libvirt", "simulated")
KEYS = (
    "driver",
    "uri",
    "migration_host",
    "bridge",
    "tunnel_address",
    "bmc_url",
    "bmc_system",
    "bmc_user",
    "bmc_password_ref",
    "lease_path",
    "allow_plaintext",
)
_URI = re.compile(r"[a-z][a-z0-9+.-]*://\S*")
_REFERENCE = re.compile(r"file:/\S+|env:[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"/(?:[^/\0]+(?:/[^/\0]+)*)?")
_ADDRESS = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_BRIDGE = re.compile(r"(?:[A-Za-z0-9._-]|\{zone\}|\{segment\})+")
_LONGEST_NAME = 15
"""Linux holds a network interface's name in 16 bytes with its end (IFNAMSIZ)."""


def simulated(host: str) -> Endpoint:
    """The connection of a host without one: each has an address of its own, as real hosts do."""
    return Endpoint(driver="simulated", uri=f"simulated://{host}")


def read_connection(host: Fields, name: str, mistakes: Mistakes) -> Endpoint:
    """`name` is the host's id."""
    node = host.node("connection")
    if node is None:
        return simulated(name)
    en, ja = f"the connection of {host.en}", f"{host.ja}の connection"
    fields = Fields(node, en, ja, KEYS, mistakes)
    if not fields.usable:
        return simulated(name)
    driver = _driver(fields)
    uri = _uri(fields, "uri", driver)
    bmc_url = _uri(fields, "bmc_url", "")
    if bmc_url and urlsplit(bmc_url).scheme not in ("http", "https"):
        fields.wrong(
            "bmc_url", _present(fields, "bmc_url"), "an https:// address", "https:// のアドレス"
        )
    _refuse_plaintext(fields, uri, bmc_url)
    reference = _reference(fields)
    system = fields.text(
        "bmc_system", "a Redfish system, such as 1", "1 のような Redfish のシステム名"
    )
    user = fields.text("bmc_user", "the BMC's user name", "BMC の利用者名")
    if bmc_url is None and (system or user or reference):
        fields.missing("bmc_url", "the BMC's https:// address", "BMC の https:// アドレス")
    migration_host = (
        fields.text(
            "migration_host", "a host name or address", "ホスト名またはアドレス", pattern=_ADDRESS
        )
        or ""
    )
    bridge = _bridge(fields)
    return Endpoint(
        driver=driver,
        uri=uri or simulated(name).uri,
        migration_host=migration_host,
        bridge=bridge,
        tunnel_address=_tunnel_address(fields, bridge, migration_host),
        bmc_url=bmc_url,
        bmc_system=system,
        bmc_user=user,
        bmc_password_ref=reference,
        lease_path=absolute_path(fields, "lease_path"),
    )


def allows_plaintext(endpoint: Endpoint) -> bool:
    """True where the endpoint can only have been read with `allow_plaintext: true`."""
    return _plain_libvirt(endpoint.uri) or _plain_bmc(endpoint.bmc_url)


def _bridge(fields: Fields) -> str:
    expected = "a network interface's name of at most 15 characters, with {zone} or {segment} for one of each"
    ja = "15文字以内のネットワークインターフェース名(ゾーンごとなら {zone}、参加団体のネットワークごとなら {segment} を含める)"
    text = fields.text("bridge", expected, ja, pattern=_BRIDGE) or ""
    longest_zone = max((zone.value for zone in Zone), key=len)
    longest = text.replace("{zone}", longest_zone).replace("{segment}", str(LAST_SEGMENT))
    if len(longest) > _LONGEST_NAME:
        fields.wrong("bridge", _present(fields, "bridge"), expected, ja)
        return ""
    return text


def _tunnel_address(fields: Fields, bridge: str, migration_host: str) -> str:
    """A host that makes segments needs an end for their tunnels."""
    expected, ja = "an IPv4 address, such as 192.0.2.11", "192.0.2.11 のような IPv4 アドレス"
    text = fields.text("tunnel_address", expected, ja) or ""
    if text and not _is_ipv4(text):
        fields.wrong("tunnel_address", _present(fields, "tunnel_address"), expected, ja)
    elif not text and "{segment}" in bridge and not _is_ipv4(migration_host):
        fields.missing(
            "tunnel_address",
            f"{expected} (or one as migration_host), since its bridge names {{segment}}",
            "トンネルに使う IPv4 アドレス(bridge に {segment} があるため。migration_host が IPv4 アドレスなら省略可)",
        )
    return text


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def absolute_path(fields: Fields, key: str) -> str | None:
    expected = "an absolute path, such as /srv/yui/pool"
    ja = "/srv/yui/pool のような絶対パス"
    value = fields.text(key, expected, ja, pattern=_PATH)
    if value is not None and any(part in ("..", ".") for part in value.split("/")):
        fields.wrong(
            key, _present(fields, key), f"{expected}, without . or ..", f". や .. を含まない、{ja}"
        )
    return value


def _plain_libvirt(uri: str | None) -> bool:
    return bool(uri) and "+tcp:" in str(uri).split("//", 1)[0]


def _plain_bmc(bmc_url: str | None) -> bool:
    return bool(bmc_url) and str(bmc_url).startswith("http:")


def _refuse_plaintext(fields: Fields, uri: str | None, bmc_url: str | None) -> None:
    if fields.truth("allow_plaintext"):
        return
    if _plain_libvirt(uri):
        fields.wrong(
            "uri",
            _present(fields, "uri"),
            "an encrypted qemu+tls:// or qemu+ssh:// address, or allow_plaintext: true beside it",
            "暗号化された qemu+tls:// または qemu+ssh:// のアドレス(暗号化しないなら allow_plaintext: true)",
        )
    if _plain_bmc(bmc_url):
        fields.wrong(
            "bmc_url",
            _present(fields, "bmc_url"),
            "an encrypted https:// address, or allow_plaintext: true beside it",
            "暗号化された https:// のアドレス(暗号化しないなら allow_plaintext: true)",
        )


def _driver(fields: Fields) -> str:
    node = fields.node("driver")
    word = as_written(node) if node is not None else None
    if word in DRIVERS:
        return str(word)
    near = nearest(word or "", DRIVERS)
    expected = " or ".join(DRIVERS) + (f" (did you mean '{near}'?)" if near else "")
    if node is None:
        fields.missing("driver", expected, " か ".join(DRIVERS))
    else:
        fields.wrong("driver", node, expected, " か ".join(DRIVERS))
    return "simulated"


def _uri(fields: Fields, key: str, driver: str) -> str | None:
    """A URI without a password: those are named by `bmc_password_ref`, and never shown."""
    expected = "qemu+tls://HOST/system" if key == "uri" else "the BMC's https:// address"
    ja = "qemu+tls://HOST/system のようなアドレス" if key == "uri" else "BMC の https:// アドレス"
    node = fields.node(key)
    if node is None:
        if driver == "libvirt":
            fields.missing(key, expected, ja)
        return None
    if isinstance(node, Scalar) and _holds_password(node.text):
        fields.wrong(
            key,
            node,
            f"{expected} without a password in it",
            f"パスワードを含まない、{ja}",
            secret=True,
        )
        return None
    value = fields.text(key, expected, ja, pattern=_URI)
    if value is not None and not _splits(value):
        fields.wrong(key, node, expected, ja)
        return None
    return value


def _holds_password(uri: str) -> bool:
    userinfo, at, _ = uri.partition("//")[2].rpartition("@")
    return bool(at) and ":" in userinfo


def _splits(uri: str) -> bool:
    try:
        return urlsplit(uri).port != 0
    except ValueError:
        return False


def _reference(fields: Fields) -> str | None:
    node = fields.node("bmc_password_ref")
    if node is None:
        return None
    if isinstance(node, Scalar) and _REFERENCE.fullmatch(node.text) and node.text.isprintable():
        return node.text
    # What stands there may be the password itself, so it is not repeated.
    fields.wrong(
        "bmc_password_ref",
        node,
        "file:/PATH or env:NAME, which name where the password is kept",
        "パスワードの置き場所を示す file:/パス または env:名前 ",
        secret=True,
    )
    return None


def _present(fields: Fields, key: str) -> Node:
    node = fields.node(key)
    if node is None:
        raise KeyError(key)
    return node
