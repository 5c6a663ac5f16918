"""The identity providers that the operators trust, as they write them down (TOML).

[[provider]]
issuer = "https://id.example.jp/realms/yui"
audience = "yui"              # what the provider's tokens name as their reader
client_id = "yui-cli"         # for `yui login`; without it nobody signs in with the command line
jwks_uri = "https://…"        # without it: as the provider's discovery document says
algorithms = ["RS256"]        # of RS256, ES256 and EdDSA; without it: RS256 and ES256
bearer = "id_token"           # or "access_token": which one `yui login` sends
scopes = ["openid", "profile", "email", "offline_access"]
bind_by_email = false         # whether a verified address may stand for an invitation's subject
claims = { subject = "sub", name = "name", email = "email" }
ca_file = "/etc/yui/id-ca.pem"
"""

from __future__ import annotations

import ipaddress
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from control_plane.model.errors import YuiError

_MOST = 100_000


def _trusted_address(url: str) -> str:
    """https, or http on this machine alone. Raises ValueError."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment or not parts.hostname:
        raise ValueError("is not a plain address such as https://id.example.jp")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return url
    raise ValueError("must begin with https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Address = Annotated[str, StringConstraints(max_length=500), AfterValidator(_trusted_address)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claims(_Part):
    """The claims of a token that say who somebody is."""

    subject: Text = "sub"
    name: Text = "name"
    email: Text = "email"


class Provider(_Part):
    """One identity provider; the module's docstring says what each setting means."""

    issuer: Address
    audience: Text
    client_id: Text | None = None
    jwks_uri: Address | None = None
    # No shared secret (HS*) and no absent signature (none): a public key must never do for either.
    algorithms: Annotated[tuple[Literal["RS256", "ES256", "EdDSA"], ...], Field(min_length=1)] = (
        "RS256",
        "ES256",
    )
    bearer: Literal["id_token", "access_token"] = "id_token"
    scopes: Annotated[tuple[Text, ...], Field(max_length=20)] = (
        "openid",
        "profile",
        "email",
        "offline_access",
    )
    bind_by_email: bool = False
    claims: Claims = Claims()
    ca_file: Path | None = None

    @property
    def discovery(self) -> str:
        """Where its description is (OpenID Connect Discovery 1.0, section 4)."""
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"


class _File(_Part):
    provider: Annotated[tuple[Provider, ...], Field(min_length=1, max_length=20)]


def read_providers(path: Path) -> tuple[Provider, ...]:
    """Raises YuiError `providers-invalid`."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST + 1)
        if len(text) > _MOST:
            raise _invalid(path, "it is too long", "大きすぎます")
        providers = _File.model_validate(tomllib.loads(text.decode())).provider
    except OSError as error:
        raise _invalid(path, f"it can't be read ({error.strerror})", f"読めません({error.strerror})") from None  # fmt: skip
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path, f"it is not TOML ({error})", f"TOML として読めません({error})") from None  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _invalid(path, f"{where}: {first['msg']}", f"{where} が正しくありません({first['msg']})") from None  # fmt: skip
    if len({provider.issuer for provider in providers}) < len(providers):
        raise _invalid(path, "an issuer stands there twice", "同じ issuer が2回書かれています")
    return providers


def _invalid(path: Path, en: str, ja: str) -> YuiError:
    return YuiError(
        "providers-invalid",
        en=f"The identity providers in {path} can't be used: {en}.",
        ja=f"{path} の ID プロバイダーの設定を使えません。{ja}。",
    )
