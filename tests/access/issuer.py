"""A small OpenID provider on loopback: real keys, real rotation, and the device flow (RFC 8628)."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

AUDIENCE = "yui"


def new_key(kid: str, algorithm: str = "ES256") -> Key:
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        return RSAKey.generate_key(2048, parameters)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", parameters)
    return ECKey.generate_key("P-256", parameters)


@dataclass
class Issuer:
    """`asked` counts how often its keys were fetched. `port` stays the same over a stop and a start."""

    keys: list[Key]
    asked: int = 0
    described_as: str | None = None
    jwks_body: bytes | None = None
    refreshed: int = 0
    approved: bool = False
    claims: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.answer_get(self)

            def do_POST(self) -> None:
                issuer.answer_post(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def token(
        self,
        key: Key | None = None,
        *,
        header: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """Signed by the newest key, good for five minutes, unless something else is said."""
        key = key or self.keys[-1]
        now = int(time.time())
        said = {
            "iss": self.url,
            "sub": "sato",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "name": "佐藤 花子",
            **self.claims,
            **claims,
        }
        algorithm = str(key.dict_value["alg"])
        named = {"alg": algorithm, "kid": key.kid, **(header or {})}
        kept = {name: value for name, value in said.items() if name not in without}
        return jwt.encode(
            {k: v for k, v in named.items() if v is not None}, kept, key, algorithms=[algorithm]
        )

    def answer_get(self, request: BaseHTTPRequestHandler) -> None:
        if request.path == "/.well-known/openid-configuration":
            _send(
                request,
                {
                    "issuer": self.described_as or self.url,
                    "jwks_uri": f"{self.url}/keys",
                    "device_authorization_endpoint": f"{self.url}/device",
                    "token_endpoint": f"{self.url}/token",
                },
            )
        elif request.path == "/keys":
            self.asked += 1
            public = {"keys": [key.as_dict(private=False) for key in self.keys]}
            _send(request, public, self.jwks_body)
        else:
            request.send_error(404)

    def answer_post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if request.path == "/device":
            _send(
                request,
                {
                    "device_code": "device-1",
                    "user_code": "ABCD-EFGH",
                    "verification_uri": f"{self.url}/activate",
                    "expires_in": 60,
                    "interval": 1,
                },
            )
        elif form.get("grant_type") == "refresh_token":
            self.refreshed += 1
            _send(request, {"id_token": self.token(), "refresh_token": "refresh-2"})
        elif not self.approved:
            self.approved = True
            _send(request, {"error": "authorization_pending"}, status=400)
        else:
            _send(
                request,
                {"id_token": self.token(), "access_token": "opaque", "refresh_token": "refresh-1"},
            )


def _send(
    request: BaseHTTPRequestHandler,
    document: dict[str, Any],
    raw: bytes | None = None,
    status: int = 200,
) -> None:
    body = raw if raw is not None else json.dumps(document).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
