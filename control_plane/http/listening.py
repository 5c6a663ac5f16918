"""Where the API listens, and by what certificate: every mistake in it is told before anything starts."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from control_plane.model.errors import YuiError


@dataclass(frozen=True, slots=True)
class Listening:
    """`address` is an IP address. Without `certificate` and `key` (PEM) the API speaks plain HTTP,
    which `plain_http` must ask for and which only a loopback address may."""

    address: str = "127.0.0.1"
    port: int = 8443
    certificate: Path | None = None
    key: Path | None = None
    plain_http: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'http' if self.plain_http else 'https'}://{host}:{self.port}"

    def check(self) -> None:
        """Raises `listen-address-invalid`, `plain-http-not-local`, `tls-missing`, `tls-not-needed`,
        `tls-unusable`."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            raise YuiError(
                "listen-address-invalid",
                en=f"'{self.address[:64]}' is no IP address to listen on: give one, such as 127.0.0.1.",
                ja=f"「{self.address[:64]}」は IP アドレスではありません。127.0.0.1 のように指定してください。",
            ) from None
        if self.plain_http:
            if not address.is_loopback:
                raise YuiError(
                    "plain-http-not-local",
                    en=f"Plain HTTP would carry tokens in the clear on {address}: give a certificate and a key, or listen on 127.0.0.1.",
                    ja=f"{address} で暗号化なしの HTTP を使うと、トークンが盗み見られます。証明書と鍵を指定するか、127.0.0.1 で待ち受けてください。",
                )
            if self.certificate is not None or self.key is not None:
                raise YuiError(
                    "tls-not-needed",
                    en="Plain HTTP uses no certificate: leave out either --plain-http or the certificate and key.",
                    ja="暗号化なしの HTTP に証明書は使いません。--plain-http か証明書・鍵の指定のどちらかを外してください。",
                )
            return
        if self.certificate is None or self.key is None:
            raise YuiError(
                "tls-missing",
                en="The API needs a certificate and its key: give both, or --plain-http on a loopback address.",
                ja="API には証明書と鍵が必要です。両方を指定するか、ループバックアドレスで --plain-http を使ってください。",
            )
        _check_pair(self.certificate, self.key)

    def bind(self) -> socket.socket:
        """A listening socket's beginning. Raises `port-in-use`, `listen-address-unavailable`,
        `port-not-allowed`."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        # Only where the protocol is named does asyncio send what it has at once (TCP_NODELAY): else an
        # answer's body waits for its head to be acknowledged, 40 ms on Linux.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.address, self.port))
            # Two programs can both bind a port that neither listens on yet.
            bound.listen(2048)
        except OSError as error:
            bound.close()
            raise self._cannot_bind(error) from None
        return bound

    def _cannot_bind(self, error: OSError) -> YuiError:
        match error.errno:
            case errno.EADDRINUSE:
                return YuiError(
                    "port-in-use",
                    en=f"Port {self.port} on {self.address} is in use by another program: stop it, or choose another port.",
                    ja=f"{self.address} のポート {self.port} は別のプログラムが使用中です。停止するか、別のポートを指定してください。",
                    status=409,
                    fields={"address": self.address, "port": self.port},
                )
            case errno.EACCES | errno.EPERM:
                return YuiError(
                    "port-not-allowed",
                    en=f"This user may not listen on port {self.port}: choose one above 1023.",
                    ja=f"このユーザーはポート {self.port} で待ち受けできません。1024 以上のポートを指定してください。",
                    fields={"port": self.port},
                )
            case code:
                reason = os.strerror(code) if code else "unknown reason"
                return YuiError(
                    "listen-address-unavailable",
                    en=f"Nothing can listen on {self.address} port {self.port} ({reason}): check that this machine has the address.",
                    ja=f"{self.address} のポート {self.port} で待ち受けできません({reason})。このマシンのアドレスか確認してください。",
                    fields={"address": self.address, "port": self.port},
                )


def _check_pair(certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        if not os.access(path, os.R_OK) or not path.is_file():
            raise YuiError(
                "tls-unusable",
                en=f"{path} can't be read: check its path and permissions.",
                ja=f"{path} を読めません。パスと権限を確認してください。",
            )

    def no_passphrase() -> str:
        raise _Encrypted

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=no_passphrase)
    except _Encrypted:
        raise YuiError(
            "tls-unusable",
            en=f"The key {key} is encrypted, and nobody is there to type its passphrase: give a key without one, readable by this user alone.",
            ja=f"鍵 {key} はパスフレーズで暗号化されています。パスフレーズなしの鍵(このユーザーだけが読めるもの)を指定してください。",
        ) from None
    except (ssl.SSLError, OSError):
        raise YuiError(
            "tls-unusable",
            en=f"{certificate} and {key} are not a certificate and its key in PEM: check that they belong together.",
            ja=f"{certificate} と {key} は対応する PEM 形式の証明書と鍵ではありません。組み合わせを確認してください。",
        ) from None


class _Encrypted(Exception):
    pass
